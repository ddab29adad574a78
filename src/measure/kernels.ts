/**
 * The kernels that `wgrad bench` measures and `wgrad doctor` tests, through the same ops that training uses. Each case has
 * its work and the check of its result.
 *
 * @module
 */
import * as F from "../nn/functional.ts";
import { SGD } from "../optim/sgd.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { noise } from "../random.ts";
import { type BenchCase, checkElements } from "./bench.ts";
import {
  convAt,
  convInputGradientAt,
  type ConvSize,
  convWeightGradientAt,
  crossEntropyGradientAt,
  matmulAt,
  poolSourceOf,
} from "./reference.ts";

/** A case whose program returns one tensor, which is checked. `inputs` are disposed of with it. */
function caseOf(
  name: string,
  work: number,
  unit: BenchCase["unit"],
  inputs: readonly Tensor[],
  fn: () => Tensor,
  expected: (index: number) => number,
): BenchCase {
  const program: Program<Tensor> = compile(fn);
  return {
    name,
    work,
    unit,
    async check() {
      await program.run();
      checkElements(name, await program.result.data(), program.result.numel, expected);
    },
    run: (times) => program.run(times),
    async dispose() {
      await program.dispose();
      for (const one of [program.result, ...inputs]) one.dispose();
    },
  };
}

/** c [M, N] = a [M, K] b [K, N]. */
export function matmulCase(m: number, n = m, k = m): BenchCase {
  const a = noise(m * k, 1), b = noise(k * n, 2);
  const left = tensor(a, { shape: [m, k] }), right = tensor(b, { shape: [k, n] });
  return caseOf(
    `matmul ${m} x ${k} x ${n}`,
    2 * m * n * k,
    "flop",
    [left, right],
    () => left.matmul(right),
    (index) => matmulAt(a, b, n, k, index),
  );
}

/** The three kernels of a convolution. */
export const CONV_PARTS = ["forward", "input gradient", "weight gradient"] as const;

/** A convolution of stride 1 that keeps the image's size, or one of its gradients alone. */
export function convCase(part: typeof CONV_PARTS[number], size: ConvSize): BenchCase {
  const { batch, channels, outputs, side, kernel } = size;
  const shapeX = [batch, channels, side, side], shapeW = [outputs, channels, kernel, kernel];
  const dataX = noise(batch * channels * side * side, 1), dataW = noise(outputs * channels * kernel * kernel, 2);
  const dataY = noise(batch * outputs * side * side, 3);
  const x = tensor(dataX, { shape: shapeX, requiresGrad: part === "input gradient" });
  const w = tensor(dataW, { shape: shapeW, requiresGrad: part === "weight gradient" });
  const dy = tensor(dataY, { shape: [batch, outputs, side, side] });
  const forward = () => F.conv2d(x, w, null, { padding: (kernel - 1) / 2 });
  // Nobody needs the result of the forward convolution, so that the program has only the gradient's kernels.
  const gradient = (of: Tensor) => () => {
    forward().backward(dy);
    return of.grad!;
  };
  const shape = `conv ${kernel}x${kernel} ${channels}->${outputs} on ${side}x${side}, batch ${batch}`;
  const work = 2 * batch * outputs * side * side * channels * kernel * kernel;
  const parts = {
    "forward": { fn: forward, expected: (index: number) => convAt(dataX, dataW, size, index) },
    "input gradient": { fn: gradient(x), expected: (index: number) => convInputGradientAt(dataY, dataW, size, index) },
    "weight gradient": {
      fn: gradient(w),
      expected: (index: number) => convWeightGradientAt(dataX, dataY, size, index),
    },
  };
  const { fn, expected } = parts[part];
  return caseOf(`${shape}: ${part}`, work, "flop", [x, w, dy], fn, expected);
}

/**
 * Max-pool 2 × 2 of x [batch, channels, side, side], alone or with its gradient. Bytes: x read, the maxima and their
 * indices written; with the gradient also dy and the indices read, and dx written.
 */
export function poolCase(
  part: "forward" | "forward and gradient",
  batch: number,
  channels: number,
  side: number,
): BenchCase {
  const size = batch * channels * side * side, data = noise(size, 1), up = noise(size / 4, 2);
  const x = tensor(data, { shape: [batch, channels, side, side], requiresGrad: part !== "forward" });
  const dy = tensor(up, { shape: [batch, channels, side / 2, side / 2] });
  const name = `max-pool 2x2 of ${channels}x${side}x${side}, batch ${batch}: ${part}`;
  if (part === "forward") {
    const expected = (index: number) => data[poolSourceOf(data, side, index)]!;
    return caseOf(name, 4 * (size + size / 2), "byte", [x, dy], () => F.maxPool2d(x, 2), expected);
  }
  return caseOf(name, 4 * (2 * size + size), "byte", [x, dy], () => {
    F.maxPool2d(x, 2).backward(dy);
    return x.grad!;
  }, (index) => {
    const column = index % side, row = Math.floor(index / side) % side, plane = Math.floor(index / side / side);
    const window = (plane * side / 2 + (row >> 1)) * side / 2 + (column >> 1);
    return poolSourceOf(data, side, window) === index ? up[window]! : 0;
  });
}

/** The gradient of the mean cross-entropy. Bytes: the logits and labels read, the gradient written, each once. */
export function crossEntropyCase(count: number, classes: number): BenchCase {
  const data = noise(count * classes, 1), target = Uint32Array.from({ length: count }, (_, i) => i * 7 % classes);
  const logits = tensor(data, { shape: [count, classes], requiresGrad: true }), labels = tensor(target);
  return caseOf(
    `cross-entropy with gradient, ${count} of ${classes} classes`,
    4 * (2 * count * classes + count),
    "byte",
    [logits, labels],
    () => {
      F.crossEntropy(logits, labels).backward();
      return logits.grad!;
    },
    (index) => crossEntropyGradientAt(data, target, count, classes, index),
  );
}

/** SGD with momentum over `size` parameters. Bytes: parameter, gradient and buffer read, parameter and buffer written. */
export function sgdCase(size: number): BenchCase {
  const name = `SGD with momentum, ${size} parameters`, lr = 0.125;
  const before = noise(size, 1), slope = noise(size, 2);
  const p = tensor(before, { requiresGrad: true }), g = tensor(slope);
  p.grad = g;
  const optimizer = new SGD([p], { lr, momentum: 0.9 });
  const program = compile(() => noGrad(() => optimizer.step()));
  return {
    name,
    work: 5 * 4 * size,
    unit: "byte",
    async check() {
      // Two steps, so that the momentum counts: b is g, then 1.9 g.
      await program.run(2);
      checkElements(name, await p.data(), size, (index) => before[index]! - lr * 2.9 * slope[index]!);
    },
    run: (times) => program.run(times),
    async dispose() {
      await program.dispose();
      for (const one of [...optimizer.stateDict().values(), p]) one.dispose();
    },
  };
}

/** Makes one case; it holds memory until it is disposed of. */
export type MakeCase = () => BenchCase;

/** The kernels that `wgrad bench` measures: a short list, or with `full` the sizes that other frameworks are compared at. */
export function kernelCases(full: boolean): MakeCase[] {
  const batch = full ? 32 : 4;
  const convs: ConvSize[] = [{ batch, channels: 64, outputs: 64, side: 32, kernel: 3 }];
  if (full) convs.push({ batch, channels: 256, outputs: 256, side: 8, kernel: 3 });
  return [
    ...[256, 512, ...(full ? [1024] : [])].map((n) => () => matmulCase(n)),
    ...convs.flatMap((size) => CONV_PARTS.map((part) => () => convCase(part, size))),
    ...(["forward", "forward and gradient"] as const).map((part) => () => poolCase(part, full ? 128 : 32, 64, 32)),
    () => crossEntropyCase(full ? 32768 : 8192, 100),
    () => sgdCase(1 << (full ? 24 : 22)),
  ];
}

/** Small and odd sizes, which together run every kernel family of a training step: the self test of `wgrad doctor`. */
export function selfTestCases(): MakeCase[] {
  const conv: ConvSize = { batch: 3, channels: 3, outputs: 6, side: 14, kernel: 5 };
  return [
    () => matmulCase(33, 10, 27),
    () => matmulCase(64),
    ...CONV_PARTS.map((part) => () => convCase(part, conv)),
    () => poolCase("forward and gradient", 3, 6, 14),
    () => crossEntropyCase(5, 10),
    () => sgdCase(1003),
  ];
}
