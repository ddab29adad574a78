/**
 * The families of kernels that layers and losses are made of, each with a few results that are known: by hand, or by
 * the definition. The numbers are such that almost nothing is rounded.
 *
 * @module
 */
import * as F from "../nn/functional.ts";
import { checkFinite, noFlags } from "../ops/elementwise/finite.ts";
import { tensor } from "../tensor/create.ts";
import { cat, narrow } from "../tensor/join.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Expected, Family } from "./self_test_family.ts";

const numbers = (length: number, of: (i: number) => number) => Array.from({ length }, (_, i) => of(i));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** A tensor that requires its gradient. */
const leaf = (data: readonly number[], shape: readonly number[] = [data.length]) =>
  tensor(data, { shape, requiresGrad: true });

/** y, and the gradients of `leaves`, given the gradient `dy` of y. */
function slopes(y: Tensor, dy: readonly number[], ...leaves: readonly Tensor[]): Tensor[] {
  y.backward(tensor(dy, { shape: y.shape }));
  return [y, ...leaves.map((one) => one.grad!)];
}

/** Tensors with their elements. */
const pair = (tensors: readonly Tensor[], ...elements: readonly ArrayLike<number>[]): Expected[] =>
  tensors.map((one, i): Expected => [one, elements[i]!]);

/** y = f(x) and dx = 2 f'(x), element by element. */
function activation(run: (x: Tensor) => Tensor, f: (x: number) => number, slope: (x: number) => number): Expected[] {
  const data = [-4, -1.5, -0.25, 0.5, 2, 7], x = leaf(data);
  return pair(slopes(run(x), data.map(() => 2), x), data.map(f), data.map((one) => 2 * slope(one)));
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Rows of logits, and the softmax of each. */
const LOGITS = [[1, 2, 4], [0, -1, 0.5]];
const SOFTMAX = LOGITS.map((row) => row.map((one) => Math.exp(one) / sum(row.map(Math.exp))));
const logits = () => leaf(LOGITS.flat(), [2, 3]);

/** Training images [2, 2, 1, 2], normalised over each channel by hand: means 2 and 0, variances 5 and 1. */
function batchNorm(): Expected[] {
  const data = [-1, 1, 1, 1, 3, 5, -1, -1], dy = [1, 0, 0, 2, 0, 0, 0, 0], eps = 1e-5;
  const x = leaf(data, [2, 2, 1, 2]), weight = leaf([2, 3]), bias = leaf([0.5, -0.5]);
  const mean = tensor([1, 1]), variance = tensor([2, 2]);
  const y = F.batchNorm(x, mean, variance, weight, bias, { training: true, momentum: 0.5, eps });
  const channel = (i: number) => (i >> 1) % 2, deviation = [5, 1].map((one) => Math.sqrt(one + eps));
  const hats = data.map((one, i) => (one - [2, 0][channel(i)]!) / deviation[channel(i)]!);
  const of = (c: number, f: (i: number) => number) => sum(numbers(8, (i) => channel(i) === c ? f(i) : 0));
  const dBias = [0, 1].map((c) => of(c, (i) => dy[i]!)), dWeight = [0, 1].map((c) => of(c, (i) => dy[i]! * hats[i]!));
  const results = slopes(y, dy, x, weight, bias);
  return pair(
    [...results, mean, variance],
    hats.map((one, i) => one * [2, 3][channel(i)]! + [0.5, -0.5][channel(i)]!),
    hats.map((one, i) => {
      const c = channel(i);
      return [2, 3][c]! / deviation[c]! * (dy[i]! - dBias[c]! / 4 - one * dWeight[c]! / 4);
    }),
    dWeight,
    dBias,
    [1.5, 0.5],
    [1 + 5 * 4 / 3 / 2, 1 + 4 / 3 / 2],
  );
}

/** Each family by name. */
export const FAMILIES: readonly Family[] = [
  {
    name: "elementwise",
    make() {
      const a = tensor([1, -2], { shape: [2, 1] }), b = tensor([3, 0.5, 4]), x = [0.25, 1, 9];
      return [
        [a.mul(b).add(0.5), [3.5, 1, 4.5, -5.5, -0.5, -7.5]],
        [a.maximum(b).sub(a.div(b)), [3 - 1 / 3, -1, 3.75, 3 + 2 / 3, 4.5, 4.5]],
        [tensor(x).sqrt(), [0.5, 1, 3]],
        [tensor(x).log().exp(), x],
      ];
    },
  },
  {
    name: "reductions",
    make() {
      // Long enough to be summed in chunks.
      const long = numbers(5000, (i) => (i * 7 % 32 - 8) / 8), x = tensor([3, 8, -1, 8, 2, 5], { shape: [2, 3] });
      return [
        [tensor(long).sum(), [sum(long)]],
        [x.mean(0), [5.5, 5, 2]],
        [x.max(1), [8, 8]],
        [x.argmax(1), [1, 0]],
      ];
    },
  },
  {
    name: "extrema with gradients",
    make() {
      const x = leaf([3, 8, -1, 8, 2, 5], [2, 3]);
      return pair(slopes(x.max(1), [1, 2], x), [8, 8], [0, 1, 0, 2, 0, 0]);
    },
  },
  {
    name: "views and joins",
    make() {
      const x = tensor(numbers(6, (i) => i), { shape: [2, 3] });
      return [
        [x.transpose(0, 1).add(0), [0, 3, 1, 4, 2, 5]],
        [cat([x, narrow(x, 1, 1, 2)], 1), [0, 1, 2, 1, 2, 3, 4, 5, 4, 5]],
      ];
    },
  },
  {
    name: "padding",
    make() {
      const x = leaf([1, 2, 3, 4], [1, 1, 2, 2]), dy = numbers(16, (i) => i);
      const [y, dx] = slopes(F.pad(x, [1, 1, 1, 1], { mode: "reflect" }), dy, x);
      return pair(
        [y!, dx!],
        [4, 3, 4, 3, 2, 1, 2, 1, 4, 3, 4, 3, 2, 1, 2, 1],
        [28, 24, 36, 32].map((_, i) => {
          const rows = i < 2 ? [1, 3] : [0, 2], columns = i % 2 === 0 ? [1, 3] : [0, 2];
          return sum(rows.flatMap((row) => columns.map((column) => dy[4 * row + column]!)));
        }),
      );
    },
  },
  {
    name: "upsampling",
    make() {
      const x = leaf([1, 2], [1, 1, 1, 2]), y = F.interpolate(x, { scaleFactor: 2 });
      return pair(slopes(y, [1, 2, 3, 4, 5, 6, 7, 8], x), [1, 1, 2, 2, 1, 1, 2, 2], [14, 22]);
    },
  },
  {
    name: "average pooling",
    make() {
      const x = leaf([1, 2, 3, 4], [1, 1, 2, 2]), y = F.avgPool2d(x, 2, { stride: 1, padding: 1 });
      return pair(
        slopes(y, [4, 0, 0, 0, 8, 0, 0, 0, 0], x),
        [0.25, 0.75, 0.5, 1, 2.5, 1.5, 0.75, 1.75, 1],
        [3, 2, 2, 2],
      );
    },
  },
  {
    name: "max pooling with padding",
    make() {
      const x = leaf([1, 5, 3, 4], [1, 1, 2, 2]), y = F.maxPool2d(x, 2, { stride: 1, padding: 1 });
      return pair(slopes(y, numbers(9, (i) => i), x), [1, 5, 5, 3, 5, 5, 3, 4, 4], [0, 12, 9, 15]);
    },
  },
  {
    name: "transposed convolution",
    make() {
      const x = leaf([1, 2], [1, 1, 1, 2]), w = leaf([1, 2, 3, 4], [1, 1, 2, 2]), b = leaf([0.5]);
      const y = F.convTranspose2d(x, w, b, { stride: 2 });
      const dy = [1, 0, 0, 2, 0, 3, 1, 0];
      return pair(
        slopes(y, dy, x, w, b),
        [1.5, 2.5, 2.5, 4.5, 3.5, 4.5, 6.5, 8.5],
        [1 + 12, 4 + 3],
        [1, 4, 2, 3],
        [7],
      );
    },
  },
  {
    name: "activations",
    make: () => [
      ...activation(F.silu, (x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
      ...activation(F.hardswish, (x) => x * Math.min(Math.max(x + 3, 0), 6) / 6, (x) => {
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
      }),
      ...activation(F.relu, (x) => Math.max(x, 0), (x) => x > 0 ? 1 : 0),
      ...activation((x) => x.tanh(), Math.tanh, (x) => 1 - Math.tanh(x) ** 2),
    ],
  },
  {
    name: "softmax",
    make() {
      const x = logits(), dy = [1, 0, 0, 0, 0, 2];
      return pair(
        slopes(F.logSoftmax(x), dy, x),
        SOFTMAX.flat().map(Math.log),
        dy.map((one, i) => one - SOFTMAX.flat()[i]! * [1, 2][Math.floor(i / 3)]!),
      );
    },
  },
  {
    name: "losses of classes",
    make() {
      const x = logits(),
        p = logits(),
        q = logits(),
        r = logits(),
        labels = tensor(Uint32Array.of(2, 1)),
        weight = tensor([1, 3, 2]);
      const soft = [0.5, 0.25, 0.25, 0, 1, 0];
      // The second label counts by three fifths, the first by two.
      const losses = [-Math.log(SOFTMAX[0]![2]!), -Math.log(SOFTMAX[1]![1]!)], shares = [0.4, 0.6];
      return [
        ...pair(
          slopes(F.crossEntropy(x, labels, { weight }), [1], x),
          [sum(losses.map((one, i) => one * shares[i]!))],
          SOFTMAX.flatMap((row, i) => row.map((one, c) => shares[i]! * (one - (c === 2 - i ? 1 : 0)))),
        ),
        ...pair(
          slopes(F.crossEntropy(q, tensor(soft, { shape: [2, 3] })), [1], q),
          [-sum(soft.map((one, i) => one * Math.log(SOFTMAX.flat()[i]!))) / 2],
          SOFTMAX.flat().map((one, i) => (one - soft[i]!) / 2),
        ),
        ...pair(
          slopes(F.crossEntropy(r, labels, { reduction: "none" }), [1, 2], r),
          losses,
          SOFTMAX.flatMap((row, i) => row.map((one, c) => (i + 1) * (one - (c === 2 - i ? 1 : 0)))),
        ),
        ...pair(slopes(F.nllLoss(p, labels, { weight }), [1], p), [-1], [0, 0, -0.4, 0, -0.6, 0]),
      ];
    },
  },
  {
    name: "losses of numbers",
    make() {
      const x = leaf([1, -2, 0.5]), y = tensor([0, 2, 0.25]);
      return pair(slopes(F.huberLoss(x, y), [3], x), [(0.5 + 3.5 + 0.03125) / 3], [1, -1, 0.25]);
    },
  },
  { name: "batch normalisation", make: batchNorm },
  {
    name: "layer normalisation",
    make() {
      // Long enough to be summed in chunks. The mean is 3, the variance 4.
      const long = numbers(65536, (i) => i % 2 * 4 + 1), x = tensor([1, 3, 2, 8], { shape: [2, 2] });
      return [
        [F.layerNorm(x, [2], null, null, { eps: 0 }), [-1, 1, -1, 1]],
        [F.layerNorm(tensor(long), [long.length], null, null, { eps: 0 }), long.map((one) => (one - 3) / 2)],
      ];
    },
  },
  {
    name: "dropout",
    make() {
      const x = leaf(numbers(4096, () => 1)), y = F.dropout(x, 0.5), none = new Float32Array(4096);
      const [, dx] = slopes(y, numbers(4096, () => 1), x), share = y.mean();
      // The gradient has the same mask; each element is 0 or 2, half of them each but for chance.
      return [[y.sub(dx!), none], [y.mul(y.sub(2)), none], [share.sub(1).abs().lt(0.2), [1]]];
    },
  },
  {
    name: "finite checks",
    make() {
      const flags = checkFinite(checkFinite(noFlags(2), tensor([1, 2]).value), tensor([0, -Infinity, NaN]).value);
      return [[new Tensor(flags), [2, 0, 3]]];
    },
  },
];
