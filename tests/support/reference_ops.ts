/**
 * Every op of the library by name: its float64 reference, and its analytic gradients where central differences cannot
 * say (ties, kinks) or would be slow. The options are spelled as the library spells them; `engine_ops.ts` is the same
 * table for the engine.
 *
 * @module
 */

import {
  type Axes,
  expand,
  front,
  map,
  type Nd,
  nd,
  permute,
  reshape,
  sizeOf,
  sumTo,
  transpose,
  zip,
} from "./array.ts";
import * as ref from "./reference.ts";
import * as conv from "./reference_conv.ts";

/** The options of a case, e.g. `{ stride: 2 }`. */
// deno-lint-ignore no-explicit-any
export type Options = Record<string, any>;

/** An op's float64 truth. */
export interface ReferenceOp {
  forward(inputs: Nd[], options: Options): Nd;
  /** The gradients of the inputs, in order; null where there is none. */
  gradients?(dy: Nd, inputs: Nd[], options: Options): (Nd | null)[];
}

type Grads = NonNullable<ReferenceOp["gradients"]>;

const sign = (x: number) => x > 0 ? 1 : x < 0 ? -1 : 0;
const unaryGrads: Record<keyof typeof ref.unary, (dy: number, x: number) => number> = {
  neg: (dy) => -dy,
  exp: (dy, x) => dy * Math.exp(x),
  log: (dy, x) => dy / x,
  sqrt: (dy, x) => dy / (2 * Math.sqrt(x)),
  abs: (dy, x) => dy * sign(x),
  relu: (dy, x) => x <= 0 ? 0 : dy, // PyTorch passes the gradient on at NaN
};

const powBase = (x: number, y: number) => y === 0 ? 0 : y * x ** (y - 1);
const powExponent = (x: number, y: number) => x === 0 && y >= 0 ? 0 : x ** y * Math.log(x);
const binaryGrads: Record<keyof typeof ref.binary, Grads> = {
  add: partials(() => 1, () => 1),
  sub: partials(() => 1, () => -1),
  mul: partials((_, y) => y, (x) => x),
  div: partials((_, y) => 1 / y, (x, y) => -x / y / y),
  pow: partials(powBase, powExponent),
  maximum: (dy, [a, b], { other }) => ref.extremumGrads(dy, a!, b ?? nd([], [other]), 1),
  minimum: (dy, [a, b], { other }) => ref.extremumGrads(dy, a!, b ?? nd([], [other]), -1),
};

/** The gradients of a binary op from its partial derivatives; a number as second argument has none. */
function partials(...derivatives: ((x: number, y: number) => number)[]): Grads {
  return (dy, inputs, { other }) => {
    const [a, b] = [inputs[0]!, inputs[1] ?? nd([], [other])];
    return derivatives.slice(0, inputs.length).map((derivative, i) =>
      sumTo(zip(dy, zip(a, b, derivative), ref.binary.mul), [a, b][i]!.shape)
    );
  };
}

function entries<T, U>(table: Record<string, T>, make: (value: T, name: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, make(value, name)]));
}

/** A linear op's gradient is another rearrangement. */
function rearrange(
  forward: (x: Nd, options: Options) => Nd,
  back: (dy: Nd, x: Nd, options: Options) => Nd,
): ReferenceOp {
  return { forward: ([x], o) => forward(x!, o), gradients: (dy, [x], o) => [back(dy, x!, o)] };
}

/** The shape that reshape's -1 and flatten, squeeze, unsqueeze stand for. */
function newShape(op: string, shape: readonly number[], options: Options): number[] {
  const rank = shape.length;
  if (op === "reshape") {
    const wanted: number[] = options.shape, known = sizeOf(wanted.filter((n) => n !== -1));
    return wanted.map((n) => n === -1 ? sizeOf(shape) / known : n);
  }
  if (op === "flatten") {
    const from = front(options.startDim ?? 0, rank), to = front(options.endDim ?? -1, rank) + 1;
    return rank === 0 ? [1] : [...shape.slice(0, from), sizeOf(shape.slice(from, to)), ...shape.slice(to)];
  }
  if (op === "unsqueeze") return shape.toSpliced(front(options.dim, rank + 1), 0, 1);
  return shape.filter((n, d) => n !== 1 || (options.dim !== undefined && front(options.dim, rank) !== d));
}

const inverse = (dims: number[]) => dims.map((_, d) => dims.findIndex((p) => front(p, dims.length) === d));

/** The references, by name. */
export const referenceOps: Record<string, ReferenceOp> = {
  ...entries(ref.unary, (f, name) => ({
    forward: ([x]) => map(x!, f),
    gradients: (dy, [x]) => [zip(dy, x!, unaryGrads[name as keyof typeof unaryGrads])],
  })),
  ...entries(ref.binary, (f, name) => ({
    forward: ([a, b], { other }) => zip(a!, b ?? nd([], [other]), f),
    gradients: binaryGrads[name as keyof typeof binaryGrads],
  })),
  ...entries(ref.comparison, (f) => ({ forward: ([a, b], { other }) => zip(a!, b ?? nd([], [other]), f) })),
  sum: { forward: ([x], o) => ref.sum(x!, o), gradients: (dy, [x], o) => [spread(dy, x!, o)] },
  mean: {
    forward: ([x], o) => ref.mean(x!, o),
    gradients: (dy, [x], o) => [map(spread(dy, x!, o), (d) => d * dy.data.length / x!.data.length)],
  },
  max: { forward: ([x], o) => ref.max(x!, o), gradients: (dy, [x], o) => [ref.maxGrad(dy, x!, o)] },
  min: {
    forward: ([x], o) => ref.min(x!, o),
    gradients: (dy, [x], o) => [ref.maxGrad(dy, map(x!, ref.unary.neg), o)],
  },
  argmax: { forward: ([x], o) => ref.argmax(x!, o) },
  matmul: { forward: ([a, b]) => ref.matmul(a!, b!) },
  "matmul, large": { forward: ([a, b]) => ref.matmul(a!, b!), gradients: (dy, [a, b]) => ref.matmulGrads(dy, a!, b!) },
  linear: {
    forward: ([x, w, b]) => ref.linear(x!, w!, b),
    gradients: (dy, [x, w, b]) => ref.linearGrads(dy, x!, w!, b),
  },
  softmax: {
    forward: ([x], { dim }) => ref.softmax(x!, dim),
    gradients: (dy, [x], { dim }) => [ref.softmaxGrad(dy, x!, dim)],
  },
  logSoftmax: {
    forward: ([x], { dim }) => ref.logSoftmax(x!, dim),
    gradients: (dy, [x], { dim }) => [ref.logSoftmaxGrad(dy, x!, dim)],
  },
  crossEntropy: {
    forward: ([x, labels], o) => ref.crossEntropy(x!, labels!, o),
    gradients: (dy, [x, labels], o) => [ref.crossEntropyGrad(dy, x!, labels!, o), null],
  },
  mseLoss: { forward: ([x, y], o) => ref.mseLoss(x!, y!, o) },
  conv2d: {
    forward: ([x, w, b], o) => conv.conv2d(x!, w!, b, o),
    gradients: (dy, [x, w, b], o) => conv.conv2dGrads(dy, x!, w!, b, o),
  },
  maxPool2d: {
    forward: ([x], { kernel, ...o }) => conv.maxPool2d(x!, kernel, o).y,
    gradients: (dy, [x], { kernel, ...o }) => [conv.maxPool2dGrad(dy, x!, kernel, o)],
  },
  transpose: rearrange((x, { dims: [a, b] }) => transpose(x, a, b), (dy, _, { dims: [a, b] }) => transpose(dy, a, b)),
  t: rearrange((x) => x.shape.length < 2 ? x : transpose(x), (dy) => dy.shape.length < 2 ? dy : transpose(dy)),
  permute: rearrange((x, { dims }) => permute(x, dims), (dy, _, { dims }) => permute(dy, inverse(dims))),
  expand: rearrange((x, { shape }) => expand(x, shape), (dy, x) => sumTo(dy, x.shape)),
  clone: rearrange((x) => x, (dy) => dy),
  ...entries(
    { reshape: 0, flatten: 0, squeeze: 0, unsqueeze: 0 },
    (_, name) => rearrange((x, o) => reshape(x, newShape(name, x.shape, o)), (dy, x) => reshape(dy, x.shape)),
  ),
};

/** The gradient of a sum. */
function spread(dy: Nd, x: Nd, { dim }: Axes): Nd {
  const kept = ref.sum(x, dim === undefined ? { keepdim: true } : { dim, keepdim: true }).shape;
  return expand(reshape(dy, kept), x.shape);
}
