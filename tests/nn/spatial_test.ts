/**
 * Layers about height and width: printed as PyTorch prints them, the same as their functions, and all of them, with
 * what joins tensors, in one compiled training step.
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  cat,
  compile,
  F,
  full,
  manualSeed,
  narrow,
  nn,
  optim,
  ShapeError,
  split,
  stack,
  type Tensor,
  tensor,
} from "../../src/mod.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { withMerging } from "../support/merging.ts";
import { sixteenths } from "../support/spatial.ts";

/** The module of each line, which says how PyTorch makes it. */
const modules: Record<string, () => nn.Module> = {
  "AvgPool2d(3)": () => new nn.AvgPool2d(3),
  "AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)": () =>
    new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
  "AvgPool2d((2, 3), stride=(1, 2), padding=(1, 0))": () =>
    new nn.AvgPool2d([2, 3], { stride: [1, 2], padding: [1, 0] }),
  "AdaptiveAvgPool2d(1)": () => new nn.AdaptiveAvgPool2d(1),
  "AdaptiveAvgPool2d((1, 1))": () => new nn.AdaptiveAvgPool2d([1, 1]),
  "AdaptiveAvgPool2d((None, 7))": () => new nn.AdaptiveAvgPool2d([null, 7]),
  "Upsample(scale_factor=2)": () => new nn.Upsample({ scaleFactor: 2 }),
  "Upsample(size=(4, 6))": () => new nn.Upsample({ size: [4, 6] }),
  "Upsample(size=7, mode='nearest')": () => new nn.Upsample({ size: 7, mode: "nearest" }),
  "Upsample(scale_factor=(1.5, 2))": () => new nn.Upsample({ scaleFactor: [1.5, 2] }),
  "ZeroPad2d(1)": () => new nn.ZeroPad2d(1),
  "ZeroPad2d((1, 0, 2, 3))": () => new nn.ZeroPad2d([1, 0, 2, 3]),
  "ReflectionPad2d(2)": () => new nn.ReflectionPad2d(2),
  "ReplicationPad2d((1, 1, 0, 2))": () => new nn.ReplicationPad2d([1, 1, 0, 2]),
  "ConvTranspose2d(3, 5, 2)": () => new nn.ConvTranspose2d(3, 5, 2),
  "ConvTranspose2d(4, 6, (2, 3), stride=2)": () => new nn.ConvTranspose2d(4, 6, [2, 3], { stride: 2 }),
  "ConvTranspose2d(4, 6, 3, stride=(2, 3), padding=1, output_padding=1, groups=2, bias=False, dilation=(1, 2))": () =>
    new nn.ConvTranspose2d(4, 6, 3, {
      stride: [2, 3],
      padding: 1,
      outputPadding: 1,
      groups: 2,
      bias: false,
      dilation: [1, 2],
    }),
  "Conv2d(3, 6, 5, padding='same')": () => new nn.Conv2d(3, 6, 5, { padding: "same" }),
  "Conv2d(3, 6, 5, padding='valid', bias=False)": () => new nn.Conv2d(3, 6, 5, { padding: "valid", bias: false }),
  "Conv2d(3, 6, 5, padding=2, padding_mode='reflect')": () =>
    new nn.Conv2d(3, 6, 5, { padding: 2, paddingMode: "reflect" }),
  "Conv2d(3, 6, 3, padding='same', padding_mode='circular')": () =>
    new nn.Conv2d(3, 6, 3, { padding: "same", paddingMode: "circular" }),
  "Conv2d(3, 6, 3, padding_mode='replicate', groups=3, bias=False)": () =>
    new nn.Conv2d(3, 6, 3, { paddingMode: "replicate", groups: 3, bias: false }),
};

for (const { module, text } of readLines<{ module?: string; text: string }>("spatial.jsonl")) {
  if (module === undefined) continue;
  Deno.test(`String() prints a module as PyTorch does: ${module}`, () =>
    assertEquals(String(modules[module]!()), text));
}

const image = (requiresGrad = false) => toTensor(sixteenths(1, [2, 4, 5, 6]), { requiresGrad });

Deno.test("layers do what their functions do, with all of their options", async () => {
  const x = image(),
    up = new nn.ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2, dilation: 2 });
  const pairs: [nn.Module, Tensor][] = [
    [
      new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
      F.avgPool2d(x, 3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
    ],
    [new nn.AvgPool2d(2, { divisorOverride: 3 }), F.avgPool2d(x, 2, { divisorOverride: 3 })],
    [new nn.AdaptiveAvgPool2d([3, null]), F.adaptiveAvgPool2d(x, [3, null])],
    [new nn.Upsample({ scaleFactor: [2, 1.5] }), F.interpolate(x, { scaleFactor: [2, 1.5] })],
    [new nn.Upsample({ size: 4 }), F.interpolate(x, { size: 4 })],
    [new nn.ZeroPad2d([1, -1, 0, 2]), F.pad(x, [1, -1, 0, 2])],
    [new nn.ReflectionPad2d([1, 2, 0, 2]), F.pad(x, [1, 2, 0, 2], { mode: "reflect" })],
    [new nn.ReplicationPad2d(3), F.pad(x, [3, 3, 3, 3], { mode: "replicate" })],
    [up, F.convTranspose2d(x, up.weight, up.bias, { stride: 2, padding: 1, outputPadding: 1, groups: 2, dilation: 2 })],
  ];
  const found = await values(pairs.flatMap(([module, y]) => [module.forward(x), y]));
  pairs.forEach(([module, y], i) => {
    assertEquals(module.forward(x).shape, y.shape, String(module));
    assertSameBits(found[2 * i]!, found[2 * i + 1]!, String(module));
  });
});

Deno.test("ConvTranspose2d has PyTorch's parameters: names, shapes, bounds", async () => {
  manualSeed(1);
  const module = new nn.ConvTranspose2d(8, 6, [2, 3], { groups: 2 }),
    bare = new nn.ConvTranspose2d(1, 1, 1, { bias: false });
  assertEquals(module.namedParameters().map(([name, one]) => `${name} ${one.shape}`), ["weight 8,3,2,3", "bias 6"]);
  assertEquals(bare.namedParameters().map(([name]) => name), ["weight"]);
  const [weight] = await values([module.weight]),
    largest = Math.max(...weight!.map(Math.abs)),
    bound = 1 / Math.sqrt(18);
  assertEquals([largest <= bound, largest > 0.9 * bound], [true, true]);
});

Deno.test("Residual adds its input to what its modules make of it, and prints them as Sequential does", async () => {
  const conv = new nn.Conv2d(4, 4, 3, { padding: "same" }),
    block = new nn.Residual(conv, new nn.ReLU()),
    x = image(true);
  const y = block.forward(x), expected = x.add(F.relu(conv.forward(x)));
  y.sum().backward();
  const [a, b, grad] = await values([y, expected, x.grad!]);
  assertSameBits(a!, b!);
  x.grad = null;
  expected.sum().backward();
  assertClose((await values([x.grad!]))[0]!, grad!);
  assertEquals([...block.stateDict().keys()], ["0.weight", "0.bias"]);
  assertEquals(
    String(block),
    "Residual(\n  (0): Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding=same)\n  (1): ReLU()\n)",
  );
});

/** y and its gradient to x, for dy of other numbers. */
async function both(run: (x: Tensor) => Tensor): Promise<(Float32Array | Uint32Array)[]> {
  const x = toTensor(sixteenths(7, [5, 4, 32, 32]), { requiresGrad: true }), y = run(x);
  y.backward(toTensor(sixteenths(8, y.shape)));
  return await values([y, x.grad!]);
}

Deno.test("images of many workgroups: what is known to be the same in other words", async () => {
  const ninth = full([4, 1, 3, 3], 1 / 9), one = full([4, 1, 2, 2], 1);
  const same: [string, (x: Tensor) => Tensor, (x: Tensor) => Tensor][] = [
    [
      "a mean is a convolution",
      (x) => F.avgPool2d(x, 3, { stride: 2, padding: 1 }),
      (x) => F.conv2d(x, ninth, null, { stride: 2, padding: 1, groups: 4 }),
    ],
    ["even windows", (x) => F.adaptiveAvgPool2d(x, [16, 8]), (x) => F.avgPool2d(x, [2, 4])],
    [
      "each element four times",
      (x) => F.interpolate(x, { scaleFactor: 2 }),
      (x) => F.convTranspose2d(x, one, null, { stride: 2, groups: 4 }),
    ],
    [
      "rows and columns again",
      (x) => F.pad(x, [3, 2, 0, 1], { mode: "circular" }),
      (x) => {
        const wide = cat([narrow(x, 3, 29, 3), x, narrow(x, 3, 0, 2)], 3);
        return cat([wide, narrow(wide, 2, 0, 1)], -2);
      },
    ],
    ["planes", (x) => F.pad(x, [0, 0, 0, 0, 1, 1]), (x) => F.pad(x.transpose(1, 3), [1, 1]).transpose(1, 3)],
  ];
  for (const [what, one, other] of same) {
    const [found, expected] = [await both(one), await both(other)];
    found.forEach((each, i) => assertClose(each, expected[i]!, { what: `${what}, ${i}` }));
  }
});

const wrong: [string, () => unknown, string][] = [
  [
    "a residual that shrinks",
    () => new nn.Residual(new nn.AvgPool2d(2)).forward(image()),
    "make [2, 4, 2, 3] of [2, 4, 5, 6]",
  ],
  ["no module", () => new nn.Residual(1 as never), "Residual: expected modules, as in Residual(a, b), got 1"],
  ["three sides", () => new nn.ZeroPad2d([1, 2, 3] as never), "ZeroPad2d: expected"],
  [
    "two sides",
    () => new nn.ReflectionPad2d([1, 2] as never),
    "ReflectionPad2d: expected a number or [left, right, top",
  ],
  ["a pool's kernel", () => new nn.AvgPool2d(0), "avgPool2d: kernel"],
  ["an upsample's options", () => new nn.Upsample({}), "interpolate: expected either size or scaleFactor"],
  ["an adaptive size", () => new nn.AdaptiveAvgPool2d(1.5), "adaptiveAvgPool2d: expected a size"],
  ["a convolution's kernel", () => new nn.ConvTranspose2d(1, 1, 0), "ConvTranspose2d: kernel"],
  [
    "a convolution's bias",
    () => new nn.ConvTranspose2d(1, 1, 1, { bias: 0 as never }),
    "ConvTranspose2d: bias must be true",
  ],
  ["no channels", () => new nn.ConvTranspose2d(0, 1, 1), "the number of input channels must be 1 or more"],
  ["strides of same", () => new nn.Conv2d(1, 1, 3, { padding: "same", stride: 2 }), 'padding "same" takes stride 1'],
];
for (const [what, make, message] of wrong) {
  Deno.test(`layers about height and width refuse ${what}`, () => {
    assertThrows(make, ShapeError, message);
  });
}

/** A net in which every function of this file's subject takes part. */
class Everything extends nn.Module {
  readonly stem = new nn.Conv2d(2, 4, 3, { padding: "same", paddingMode: "circular" });
  readonly even = new nn.Conv2d(4, 4, 2, { padding: "same" });
  readonly block = new nn.Residual(new nn.Conv2d(4, 4, 3, { padding: 1, paddingMode: "reflect" }), new nn.ReLU());
  readonly up = new nn.ConvTranspose2d(4, 4, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 });
  readonly head = new nn.Linear(8, 3);

  override forward(x: Tensor): Tensor {
    const y = this.block.forward(F.relu(this.even.forward(this.stem.forward(x))));
    const small = F.avgPool2d(y, 3, { stride: 2, padding: 1, ceilMode: true });
    const large = F.interpolate(F.adaptiveAvgPool2d(F.relu(this.up.forward(small)), [3, 5]), { scaleFactor: 2 });
    const padded = F.pad(F.pad(large, [1, 0, 0, 1], { mode: "replicate" }), [0, 1, -1, 2], { value: 0.5 });
    const [a, b] = split(padded, 2, 1) as [Tensor, Tensor];
    const joined = cat([stack([a, b], 1).sum(1), a.mul(b), padded], 1);
    return this.head.forward(narrow(F.adaptiveAvgPool2d(joined, 1).flatten(1), 1, 0, 8));
  }
}

/** The parameters and losses after three steps on one batch. */
async function trained(steps: (step: () => Tensor) => Promise<number[]>): Promise<(Float32Array | Uint32Array)[]> {
  manualSeed(3);
  const net = new Everything(), optimizer = new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = toTensor(sixteenths(5, [3, 2, 6, 7])), labels = tensor(Uint32Array.of(0, 2, 1));
  const losses = await steps(() => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net.forward(x), labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  assertEquals(losses[0]! > losses[1]! && losses[1]! > losses[2]!, true, `${losses}`);
  return [Float32Array.from(losses), ...await values(net.parameters())];
}

Deno.test("a compiled step that uses all of them computes what single steps do, merged or not", async () => {
  const eager = await trained(async (step) => [await step().item(), await step().item(), await step().item()]);
  for (const merging of [false, true]) {
    const found = await withMerging(merging, () =>
      trained(async (step) => {
        const program = compile(step), losses: number[] = [];
        for (let i = 0; i < 3; i++) {
          program.run();
          losses.push(await program.result.item());
        }
        return losses;
      }));
    found.forEach((one, i) => assertSameBits(one, eager[i]!, `merged: ${merging}, ${i}`));
  }
});
