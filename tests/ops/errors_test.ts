/**
 * Wrong arguments are refused when the op is called, with a typed error in one line.
 */
import { assert } from "@std/assert";
import { ShapeError, UsageError } from "../../src/errors.ts";
import { F, nn, type Tensor, tensor, zeros } from "../../src/mod.ts";

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
