/**
 * Wrong arguments are refused when the op is called, with a typed error in one line.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ShapeError, UsageError } from "../../src/errors.ts";
import { arange, F, full, nn, ones, optim, rand, randint, randn, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { checkOptions, describe } from "../../src/ops/options.ts";

const x = zeros([1, 4, 6, 6]), w = zeros([8, 4, 3, 3]), labels = tensor(new Uint32Array([0, 1]));
// deno-lint-ignore no-explicit-any
const conv = (...args: any[]) => (F.conv2d as (...args: any[]) => Tensor)(...args);
// deno-lint-ignore no-explicit-any
const pool = (...args: any[]) => (F.maxPool2d as (...args: any[]) => Tensor)(...args);
// deno-lint-ignore no-explicit-any
const cross = (...args: any[]) => (F.crossEntropy as (...args: any[]) => Tensor)(...args);
// deno-lint-ignore no-explicit-any
const make = (name: "Conv2d" | "Linear" | "MaxPool2d" | "Flatten" | "CrossEntropyLoss" | "MSELoss", ...args: any[]) =>
  // deno-lint-ignore no-explicit-any
  new (nn[name] as any)(...args);

const refused: Record<string, () => unknown> = {
  "conv2d of a 3-D input": () => conv(zeros([4, 6, 6]), w),
  "conv2d with a 3-D weight": () => conv(x, zeros([4, 3, 3])),
  "conv2d with other channels": () => conv(x, zeros([8, 3, 3, 3])),
  "conv2d with channels that fit other groups": () => conv(x, w, undefined, { groups: 2 }),
  "conv2d with outputs that groups do not divide": () => conv(x, zeros([3, 2, 3, 3]), undefined, { groups: 2 }),
  "conv2d with a bias of another length": () => conv(x, w, zeros([7])),
  "conv2d with a 2-D bias": () => conv(x, w, zeros([8, 1])),
  "conv2d with a kernel larger than the padded image": () => conv(zeros([1, 4, 2, 6]), w),
  "conv2d with a dilated kernel larger than the image": () => conv(x, w, undefined, { dilation: 3 }),
  "conv2d of u32": () => conv(zeros([1, 4, 6, 6], { dtype: "u32" }), w),
  "maxPool2d of a 2-D input": () => pool(zeros([6, 6]), 2),
  "maxPool2d with padding over half the kernel": () => pool(x, 2, { padding: 2 }),
  "maxPool2d with a window larger than the image": () => pool(x, 7),
  "linear with other features": () => F.linear(zeros([2, 3]), zeros([5, 4])),
  "linear with a 1-D weight": () => F.linear(zeros([2, 3]), zeros([3])),
  "linear with another bias": () => F.linear(zeros([2, 3]), zeros([5, 3]), zeros([4])),
  "matmul of other inner sizes": () => zeros([2, 3]).matmul(zeros([2, 3])),
  "matmul of a scalar": () => zeros([]).matmul(zeros([2])),
  "matmul of batches that do not broadcast": () => zeros([2, 3, 4]).matmul(zeros([3, 4, 5])),
  "crossEntropy with other labels": () => cross(zeros([3, 5]), labels),
  "crossEntropy with f32 labels": () => cross(zeros([2, 5]), zeros([2])),
  "crossEntropy with 2-D labels": () => cross(zeros([2, 5]), tensor(new Uint32Array(2), { shape: [2, 1] })),
  "crossEntropy of 1-D logits": () => cross(zeros([2]), labels),
  "crossEntropy of u32 logits": () => cross(zeros([2, 5], { dtype: "u32" }), labels),
  "mseLoss of other shapes": () => F.mseLoss(zeros([2, 3]), zeros([3, 2])),
  "logSoftmax over a dimension that is not there": () => zeros([2, 3]).logSoftmax(2),
  "adding f32 and u32": () => zeros([2]).add(zeros([2], { dtype: "u32" })),
  "exp of u32": () => zeros([2], { dtype: "u32" }).exp(),
  "Linear of no features": () => make("Linear", 0, 3),
  "Linear of half a feature": () => make("Linear", 2.5, 3),
  "Linear with an unknown option": () => make("Linear", 2, 3, { biass: false }),
  "Conv2d with channels that groups do not divide": () => make("Conv2d", 3, 4, 3, { groups: 2 }),
  "Conv2d with outputs that groups do not divide": () => make("Conv2d", 4, 3, 3, { groups: 2 }),
  "Conv2d without a kernel": () => make("Conv2d", 4, 4),
  "Conv2d of no channels": () => make("Conv2d", 0, 4, 3),
  "Conv2d applied to other channels": () => make("Conv2d", 3, 4, 3).forward(x),
  "Linear applied to other features": () => make("Linear", 3, 4).forward(zeros([2, 5])),
  "Flatten of a dimension that is not there": () => make("Flatten", 4, 5).forward(zeros([2, 3])),
};

// Every numeric option, with values that are no count; every options object, with a name it does not know.
const numbers = [-1, 0.5, NaN, Infinity, "2", [1], [1, 2, 3], [1, -1]];
for (const value of numbers) {
  const text = Array.isArray(value)
    ? `[${value}]`
    : JSON.stringify(value) + (typeof value === "number" ? ` (${value})` : "");
  for (const option of ["stride", "padding", "dilation", "groups"]) {
    refused[`conv2d with ${option} ${text}`] = () => conv(x, w, undefined, { [option]: value });
    refused[`Conv2d with ${option} ${text}`] = () => make("Conv2d", 4, 8, 3, { [option]: value });
  }
  for (const option of ["stride", "padding"]) {
    refused[`maxPool2d with ${option} ${text}`] = () => pool(x, 3, { [option]: value });
    refused[`MaxPool2d with ${option} ${text}`] = () => make("MaxPool2d", 3, { [option]: value });
  }
  refused[`maxPool2d with kernel ${text}`] = () => pool(x, value);
  refused[`Conv2d with kernel ${text}`] = () => make("Conv2d", 4, 8, value);
}
for (const option of ["stride", "dilation", "groups"]) {
  refused[`conv2d with ${option} 0`] = () => conv(x, w, undefined, { [option]: 0 });
}
refused["maxPool2d with stride 0"] = () => pool(x, 2, { stride: 0 });
refused["maxPool2d with kernel 0"] = () => pool(x, 0);
for (const value of [-0.1, 1.1, NaN, "0.1"]) {
  refused[`crossEntropy with labelSmoothing ${value}`] = () => cross(zeros([2, 5]), labels, { labelSmoothing: value });
  refused[`CrossEntropyLoss with labelSmoothing ${value}`] = () => make("CrossEntropyLoss", { labelSmoothing: value });
}
refused["crossEntropy with reduction avg"] = () => cross(zeros([2, 5]), labels, { reduction: "avg" });
refused["MSELoss with reduction avg"] = () => make("MSELoss", { reduction: "avg" });
for (const options of [{ strides: 2 }, { pad: 1 }, { Stride: 2 }, { bias: true }]) {
  refused[`conv2d with the option ${Object.keys(options)}`] = () => conv(x, w, undefined, options);
  refused[`maxPool2d with the option ${Object.keys(options)}`] = () => pool(x, 2, options);
}
refused["Conv2d with the option strides"] = () => make("Conv2d", 4, 8, 3, { strides: 2 });
refused["MaxPool2d with the option dilation"] = () => make("MaxPool2d", 2, { dilation: 2 });
refused["crossEntropy with the option smoothing"] = () => cross(zeros([2, 5]), labels, { smoothing: 0.1 });
refused["mseLoss with the option reduce"] = () => F.mseLoss(x, x, { reduce: "sum" } as never);

for (const [what, call] of Object.entries(refused)) {
  Deno.test(`refused at once: ${what}`, () => {
    let thrown: unknown;
    try {
      call();
    } catch (error) {
      thrown = error;
    }
    assert(thrown !== undefined, "it was accepted");
    if (!(thrown instanceof ShapeError || thrown instanceof UsageError)) throw new Error(`thrown: ${thrown}`);
    const { message } = thrown;
    assert(message.length > 15 && !message.includes("\n"), `no message in one line: ${message}`);
  });
}

// --- what a PyTorch user would write: the message says what to write instead -----------------------------------------

// deno-lint-ignore no-explicit-any
const any = (value: unknown) => value as any;
const p = tensor([1, 2], { requiresGrad: true }), two = zeros([2, 3]);

const habits: [what: string, call: () => unknown, message: string][] = [
  ["MaxPool2d(3, 2)", () => make("MaxPool2d", 3, 2), "maxPool2d: expected options such as { stride: 2 }, got 2"],
  ["maxPool2d(x, 2, 1)", () => pool(x, 2, 1), "maxPool2d: expected options such as { stride: 1 }, got 1"],
  [
    "maxPool2d(x, 2, [2, 2])",
    () => pool(x, 2, [2, 2]),
    "maxPool2d: expected options such as { stride: 2 }, got an array",
  ],
  ["Conv2d(3, 6, 5, 2)", () => make("Conv2d", 3, 6, 5, 2), "Conv2d: expected options such as { stride: 2 }, got 2"],
  [
    "Conv2d(3, 6, 5, null)",
    () => make("Conv2d", 3, 6, 5, null),
    "Conv2d: expected options such as { stride: 2 }, got null",
  ],
  [
    "conv2d(x, w, { stride: 2 })",
    () => conv(x, w, { stride: 2 }),
    "conv2d: expected a bias (a Tensor or null), got an object; write conv2d(x, weight, null, { stride: 2 }) for options",
  ],
  ["conv2d(x, w, b, 2)", () => conv(x, w, null, 2), "conv2d: expected options such as { stride: 2 }, got 2"],
  ["conv2d(x, w, b, b)", () => conv(x, w, null, w), "conv2d: expected options such as { stride: 2 }, got a Tensor"],
  ["linear(x, w, 2)", () => F.linear(two, zeros([4, 3]), any(2)), "linear: expected a bias (a Tensor or null), got 2"],
  [
    "Linear(3, 4, false)",
    () => make("Linear", 3, 4, false),
    "Linear: expected options such as { bias: false }, got false",
  ],
  ["Linear(3, 4, { bias: 0 })", () => make("Linear", 3, 4, { bias: 0 }), "Linear: bias must be true or false, got 0"],
  [
    'Conv2d(3, 4, 1, { bias: "no" })',
    () => make("Conv2d", 3, 4, 1, { bias: "no" }),
    'Conv2d: bias must be true or false, got "no"',
  ],
  [
    "crossEntropy(x, y, 0.1)",
    () => cross(two, labels, 0.1),
    "crossEntropy: expected options such as { labelSmoothing: 0.1 }, got 0.1",
  ],
  ['MSELoss("sum")', () => make("MSELoss", "sum"), 'mseLoss: expected options such as { reduction: "sum" }, got "sum"'],
  [
    "CrossEntropyLoss(weight)",
    () => make("CrossEntropyLoss", two),
    'crossEntropy: expected options such as { reduction: "sum" }, got a Tensor',
  ],
  ["SGD(params, 0.1)", () => new optim.SGD([p], any(0.1)), "SGD: expected options such as { lr: 0.1 }, got 0.1"],
  [
    "Sequential([a, b])",
    () => new nn.Sequential(any([new nn.ReLU()])),
    "Sequential: expected modules, as in Sequential(a, b), got an array",
  ],
  [
    "Sequential(relu)",
    () => new nn.Sequential(any(F.relu)),
    "Sequential: expected modules, as in Sequential(a, b), got a function",
  ],
  ["zeros(2, 3)", () => zeros(any(2), any(3)), "zeros: expected a shape such as [2, 3], got 2"],
  ["ones(2)", () => ones(any(2)), "ones: expected a shape such as [2, 3], got 2"],
  ["full(2, 1)", () => full(any(2), 1), "full: expected a shape such as [2, 3], got 2"],
  ["rand(2, 3)", () => rand(any(2), any(3)), "rand: expected a shape such as [2, 3], got 2"],
  ['randn("2")', () => randn(any("2")), 'randn: expected a shape such as [2, 3], got "2"'],
  [
    "randint(10, [3])",
    () => randint(10, any([3]), any(undefined)),
    "randint: expected a shape such as [2, 3], got undefined",
  ],
  ["tensor([1], { shape: 1 })", () => tensor([1], { shape: any(1) }), "tensor: expected a shape such as [2, 3], got 1"],
  ["zeros([2], true)", () => zeros([2], any(true)), "zeros: expected options such as { requiresGrad: true }, got true"],
  ["arange(0, 10)", () => arange(0, any(10)), 'arange: expected options such as { dtype: "u32" }, got 10'],
];
for (const [what, call, message] of habits) {
  Deno.test(`refused with what to write instead: ${what}`, () => {
    const error = assertThrows(call);
    assert(error instanceof ShapeError || error instanceof UsageError, String(error));
    assertEquals(error.message.slice(0, message.length), message);
  });
}

const notTensors: [what: string, call: (wrong: unknown) => unknown][] = [
  ["conv2d", (wrong) => conv(wrong, w)],
  ["conv2d", (wrong) => conv(x, wrong)],
  ["maxPool2d", (wrong) => pool(wrong, 2)],
  ["linear", (wrong) => F.linear(any(wrong), two)],
  ["linear", (wrong) => F.linear(two, any(wrong))],
  ["relu", (wrong) => F.relu(any(wrong))],
  ["softmax", (wrong) => F.softmax(any(wrong))],
  ["logSoftmax", (wrong) => F.logSoftmax(any(wrong))],
  ["crossEntropy", (wrong) => cross(wrong, labels)],
  ["crossEntropy", (wrong) => cross(two, wrong)],
  ["mseLoss", (wrong) => F.mseLoss(any(wrong), two)],
  ["mseLoss", (wrong) => F.mseLoss(two, any(wrong))],
  ["conv2d", (wrong) => nn.models.lenet().forward(any(wrong))],
  ["linear", (wrong) => new nn.Sequential(new nn.Linear(1, 1)).forward(any(wrong))],
  ["Flatten", (wrong) => new nn.Flatten().forward(any(wrong))],
  ["relu", (wrong) => new nn.ReLU().forward(any(wrong))],
];
notTensors.forEach(([what, call], i) => {
  Deno.test(`what is no tensor is refused by ${what} (${i})`, () => {
    const wrongs: [unknown, string][] = [
      [3, "3"],
      [[1], "an array"],
      [undefined, "undefined"],
      [null, "null"],
      [new Float32Array(1), "a Float32Array"],
      [{ value: 1 }, "an object"],
      [new nn.ReLU(), "a ReLU"],
    ];
    for (const [wrong, text] of wrongs) {
      assertThrows(() => call(wrong), ShapeError, `${what}: expected a Tensor, got ${text}`);
    }
  });
});

Deno.test("describe() calls anything in one line", () => {
  const cases: [unknown, string][] = [
    [1.5, "1.5"],
    [10n, "10"],
    ["a\nb", '"a\\nb"'],
    ["x".repeat(50), `"${"x".repeat(40)}…"`],
    [Symbol("s"), "Symbol(s)"],
    [class A {}, "a function"],
    [Object.create(null), "an object"],
    [Object.create(Object.create(null)), "an object"],
    [new Map(), "a Map"],
    [new Int8Array(1), "an Int8Array"],
  ];
  for (const [value, text] of cases) assertEquals(describe(value), text);
});

Deno.test("checkOptions() takes what it knows, and refuses the rest, inherited options included", () => {
  const known = { lr: 0.1, on: true },
    refuse = (options: unknown) => () => checkOptions(options, known, "f", UsageError);
  for (const fine of [{}, { lr: 1 }, { on: undefined }, Object.create(null)]) checkOptions(fine, known, "f");
  assertThrows(refuse({ lr: 1, LR: 2 }), UsageError, 'f: unknown option "LR" (it has lr, on)');
  assertThrows(refuse({ toString: 1 }), UsageError, 'f: unknown option "toString"');
  assertThrows(refuse(Object.create({ LR: 1 })), UsageError, "f: expected options such as { lr: 0.1 }, got an object");
  assertThrows(refuse(new Map()), UsageError, "f: expected options such as { lr: 0.1 }, got a Map");
  assertThrows(() => checkOptions(1n, known, "f"), ShapeError, "f: expected options such as { lr: 0.1 }, got 1");
});
