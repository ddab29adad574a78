/**
 * What every op of the library means, in float64 and naive loops, with the gradients that differences cannot give (ties,
 * kinks) or that are too large for differences. Convolution and pooling are in `reference_conv.ts`.
 *
 * Checked against PyTorch in `tests/golden/reference_test.ts`.
 *
 * @module
 */

import {
  type Axes,
  broadcastShape,
  coordinates,
  expand,
  filled,
  front,
  map,
  type Nd,
  nd,
  offsetOf,
  reduce,
  reshape,
  sizeOf,
  stridesOf,
  sumTo,
  transpose,
  zip,
} from "./array.ts";

const total = (group: number[]) => group.reduce((a, b) => a + b, 0);
const mask = (test: boolean) => test ? 1 : 0;

/** The elementwise ops of one argument. */
export const unary = {
  neg: (x: number) => -x,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  relu: (x: number) => x < 0 ? 0 : x, // NaN stays NaN
};

/** The elementwise ops of two arguments. */
export const binary = {
  add: (x: number, y: number) => x + y,
  sub: (x: number, y: number) => x - y,
  mul: (x: number, y: number) => x * y,
  div: (x: number, y: number) => x / y,
  pow: (x: number, y: number) => x ** y,
  maximum: Math.max,
  minimum: Math.min,
};

/** The comparisons: masks of 0 and 1. */
export const comparison = {
  eq: (x: number, y: number) => mask(x === y),
  ne: (x: number, y: number) => mask(x !== y),
  lt: (x: number, y: number) => mask(x < y),
  le: (x: number, y: number) => mask(x <= y),
  gt: (x: number, y: number) => mask(x > y),
  ge: (x: number, y: number) => mask(x >= y),
};

/** Sum over dimensions. */
export function sum(x: Nd, axes: Axes = {}): Nd {
  return reduce(x, axes, total);
}

/** Mean over dimensions. */
export function mean(x: Nd, axes: Axes = {}): Nd {
  return reduce(x, axes, (group) => total(group) / group.length);
}

/** The index of the first largest value; a NaN is larger than all. */
function first(group: number[]): number {
  const nan = group.findIndex(Number.isNaN);
  return nan >= 0 ? nan : group.indexOf(group.reduce((a, b) => Math.max(a, b), -Infinity));
}

/** Largest value over all or one dimension. */
export function max(x: Nd, axes: Axes = {}): Nd {
  return reduce(x, axes, (group) => group[first(group)]!);
}

/** Smallest value over all or one dimension. */
export function min(x: Nd, axes: Axes = {}): Nd {
  return map(max(map(x, unary.neg), axes), unary.neg);
}

/** Index of the first largest value over all (in row-major order) or one dimension. */
export function argmax(x: Nd, axes: Axes = {}): Nd {
  return reduce(x, axes, first);
}

/** The gradient of {@linkcode max} (and, with x negated, of {@linkcode min}). */
export function maxGrad(dy: Nd, x: Nd, { dim, keepdim = false }: { dim?: number; keepdim?: boolean } = {}): Nd {
  if (dim === undefined) { // spread evenly over ties
    const top = max(x).data[0]!, tie = (value: number) => mask(value === top || (value !== value && top !== top));
    const share = dy.data[0]! / total([...x.data].map(tie));
    return map(x, (value) => tie(value) * share);
  }
  const axis = front(dim, x.shape.length), winners = argmax(x, { dim, keepdim: true });
  const grads = keepdim ? dy : reshape(dy, winners.shape);
  const strides = stridesOf(winners.shape).map((s, d) => d === axis ? 0 : s);
  return nd(
    x.shape,
    Array.from(coordinates(x.shape), (at) => {
      const i = offsetOf(at, strides);
      return at[axis] === winners.data[i] ? grads.data[i]! : 0;
    }),
  );
}

/** The gradients of maximum (`sign` 1) and minimum (`sign` -1): halved at ties. */
export function extremumGrads(dy: Nd, a: Nd, b: Nd, sign: number): Nd[] {
  const part = (own: Nd, other: Nd) => {
    const share = zip(own, other, (x, y) => x === y ? 0.5 : mask(!(x * sign < y * sign)));
    return sumTo(zip(dy, share, binary.mul), own.shape);
  };
  return [part(a, b), part(b, a)];
}

/** Matrix product with PyTorch's rules for 1-D, 2-D and batched arguments. */
export function matmul(a: Nd, b: Nd): Nd {
  const x = a.shape.length === 1 ? reshape(a, [1, ...a.shape]) : a;
  const y = b.shape.length === 1 ? reshape(b, [...b.shape, 1]) : b;
  const [m, k] = x.shape.slice(-2) as [number, number], [k2, n] = y.shape.slice(-2) as [number, number];
  if (k !== k2) throw new Error(`[${a.shape}] and [${b.shape}] do not multiply`);
  const batch = broadcastShape(x.shape.slice(0, -2), y.shape.slice(0, -2));
  const left = expand(x, [...batch, m, k]).data, right = expand(y, [...batch, k, n]).data;
  const out = filled([...batch, m, n]);
  for (let p = 0, o = 0; p < sizeOf(batch); p++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++, o++) {
        for (let q = 0; q < k; q++) out.data[o]! += left[(p * m + i) * k + q]! * right[(p * k + q) * n + j]!;
      }
    }
  }
  const shape = [...batch, ...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])];
  return reshape(out, shape);
}

/** The gradients of {@linkcode matmul} for arguments of two dimensions or more: dy bᵀ and aᵀ dy. */
export function matmulGrads(dy: Nd, a: Nd, b: Nd): Nd[] {
  return [sumTo(matmul(dy, transpose(b)), a.shape), sumTo(matmul(transpose(a), dy), b.shape)];
}

/** x [..., I] times w [O, I] transposed, plus b [O]. */
export function linear(x: Nd, w: Nd, b?: Nd): Nd {
  const y = matmul(x, transpose(w));
  return b ? zip(y, b, binary.add) : y;
}

/** The gradients of {@linkcode linear}, in argument order: dy w, dyᵀ x summed over the leading dimensions, Σ dy. */
export function linearGrads(dy: Nd, x: Nd, w: Nd, b?: Nd): Nd[] {
  const [outputs, inputs] = w.shape as [number, number];
  const rows = (t: Nd, width: number) => reshape(t, [t.data.length / width, width]);
  const dw = matmul(transpose(rows(dy, outputs)), rows(x, inputs));
  return [matmul(dy, w), dw, ...(b ? [sum(rows(dy, outputs), { dim: 0 })] : [])];
}

/** log(softmax(x)) over a dimension. */
export function logSoftmax(x: Nd, dim = -1): Nd {
  const shifted = zip(x, max(x, { dim, keepdim: true }), binary.sub);
  const norm = map(sum(map(shifted, Math.exp), { dim, keepdim: true }), Math.log);
  return zip(shifted, norm, binary.sub);
}

/** exp(x) over its sum over a dimension. */
export function softmax(x: Nd, dim = -1): Nd {
  return map(logSoftmax(x, dim), Math.exp);
}

/** With y = softmax(x): dx = y (dy - sum(y dy)). */
export function softmaxGrad(dy: Nd, x: Nd, dim = -1): Nd {
  const y = softmax(x, dim), inner = sum(zip(y, dy, binary.mul), { dim, keepdim: true });
  return zip(y, zip(dy, inner, binary.sub), binary.mul);
}

/** dx = dy - softmax(x) sum(dy). */
export function logSoftmaxGrad(dy: Nd, x: Nd, dim = -1): Nd {
  const spread = zip(softmax(x, dim), sum(dy, { dim, keepdim: true }), binary.mul);
  return zip(dy, spread, binary.sub);
}

/** How a loss is reduced. */
export type Reduction = "mean" | "sum" | "none";

function reduceLoss(losses: Nd, reduction: Reduction): Nd {
  return reduction === "none" ? losses : reduction === "sum" ? sum(losses) : mean(losses);
}

/** Options of {@linkcode crossEntropy}. */
export interface CrossEntropyOptions {
  labelSmoothing?: number;
  reduction?: Reduction;
}

/** What a sample's log-probabilities [N, C] are weighted by: smoothed one-hot labels. */
function targets(labels: Nd, classes: number, smoothing: number): Nd {
  const out = filled([labels.shape[0]!, classes], smoothing / classes);
  labels.data.forEach((label, n) => out.data[n * classes + label]! += 1 - smoothing);
  return out;
}

/** Mean over samples of -Σ_c target_c log p_c; target is (1 - s) one-hot + s / C. logits [N, C], labels [N]. */
export function crossEntropy(logits: Nd, labels: Nd, options: CrossEntropyOptions = {}): Nd {
  const { labelSmoothing = 0, reduction = "mean" } = options;
  const weighted = zip(targets(labels, logits.shape[1]!, labelSmoothing), logSoftmax(logits), binary.mul);
  return reduceLoss(map(sum(weighted, { dim: 1 }), unary.neg), reduction);
}

/** dlogits = (softmax - target) dy, over N for "mean". */
export function crossEntropyGrad(dy: Nd, logits: Nd, labels: Nd, options: CrossEntropyOptions = {}): Nd {
  const { labelSmoothing = 0, reduction = "mean" } = options;
  const [n, classes] = logits.shape as [number, number];
  const difference = zip(softmax(logits), targets(labels, classes, labelSmoothing), binary.sub);
  const scale = reduction === "none" ? reshape(dy, [n, 1]) : map(dy, (d) => reduction === "mean" ? d / n : d);
  return zip(difference, scale, binary.mul);
}

/** (x - y)² reduced. */
export function mseLoss(x: Nd, y: Nd, { reduction = "mean" }: { reduction?: Reduction } = {}): Nd {
  return reduceLoss(zip(x, y, (a, b) => (a - b) ** 2), reduction);
}
