/**
 * Reductions. A run of neighbouring dimensions is reduced at once, x [outer, run, inner] to y [outer, inner]; other
 * sets of dimensions take one reduction for each run. Every sum has a fixed order, so the same input gives the same
 * bits.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { constant, type Node, type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { ShapeError } from "../../errors.ts";
import { apply, combine } from "../elementwise/elementwise.ts";
import { axis, expand, linearGrid, requireType, view } from "../shape/shape.ts";

const reduceKernel = shader("reduce/reduce.wgsl");
const selectKernel = shader("shape/select_index.wgsl");

type Kind = "sum" | "max" | "min" | "argmax";
const CODES: Record<Kind, number> = { sum: 0, max: 1, min: 2, argmax: 3 };

/** The lanes that share one long run, and what counts as long. */
const LANES = 64, LONG = 64;
/** The longest run that one workgroup takes alone when there are few of them. */
const SPLIT = 8192;

export interface ReduceAttrs {
  readonly kind: Kind;
  readonly outer: number;
  readonly run: number;
  readonly inner: number;
  /** Each output covers so many elements of the run: less than `run` makes `parts` outputs of it. */
  readonly chunk: number;
  /** The result is multiplied by this. */
  readonly scale: number;
}

const parts = ({ run, chunk }: ReduceAttrs) => Math.ceil(run / chunk);

const reduceOp: Op<ReduceAttrs> = {
  name: "reduce",
  outputs: ([x], attrs) => [{
    shape: [attrs.outer, parts(attrs), attrs.inner],
    dtype: attrs.kind === "argmax" ? "u32" : x!.dtype,
  }],
  // A long run with few others beside it is cut, so that the whole device works on it.
  expand({ inputs: [x], attrs }) {
    const { kind, outer, run, inner, chunk, scale } = attrs;
    if (kind === "argmax" || run <= SPLIT || chunk < run || outer * inner >= 256) return null;
    const first = record(reduceOp, [x!], { ...attrs, chunk: Math.ceil(run / Math.ceil(run / 1024)), scale: 1 })[0]!;
    const rest = first.shape[1]!;
    return [...record(reduceOp, [first], { kind, outer, run: rest, inner, chunk: rest, scale })];
  },
  dispatches({ inputs: [x], outputs: [y], attrs }) {
    const { kind, outer, run, inner, chunk, scale } = attrs;
    const shared = chunk >= LONG && kind !== "argmax";
    return [{
      kernel: reduceKernel,
      constants: {
        T: x!.dtype,
        U: y!.dtype,
        OP: CODES[kind],
        OUTER: outer,
        RUN: run,
        INNER: inner,
        CHUNK: chunk,
        PARTS: parts(attrs),
        LANES: shared ? LANES : 1,
        SCALE: scale,
      },
      bindings: [x!, y!],
      grid: shared ? linearGrid(y!.size, 1) : linearGrid(y!.size),
    }];
  },
};

/** Reduces the dimensions from `start` to before `end`; the result keeps them with extent 1. */
function reduceRun(kind: Kind, x: Value, start: number, end: number, scale: number): Value {
  const outer = sizeOf(x.shape.slice(0, start)), run = sizeOf(x.shape.slice(start, end));
  const inner = sizeOf(x.shape.slice(end));
  const [y] = record(reduceOp, [x], { kind, outer, run, inner, chunk: run, scale });
  return view(y!, x.shape.map((extent, i) => i >= start && i < end ? 1 : extent));
}

/** Reduces `dims` (sorted), run by run from the innermost, and keeps them with extent 1. */
function reduceDims(kind: Kind, x: Value, dims: readonly number[], scale = 1): Value {
  let y = x;
  for (let last = dims.length - 1; last >= 0;) {
    let first = last;
    // Dimensions of extent 1 between two reduced ones do not part them.
    while (first > 0 && x.shape.slice(dims[first - 1]! + 1, dims[first]!).every((extent) => extent === 1)) first--;
    y = reduceRun(kind, y, dims[first]!, dims[last]! + 1, first === 0 ? scale : 1);
    last = first - 1;
  }
  return y;
}

export interface DimsAttrs {
  readonly dims: readonly number[];
  readonly shape: Shape;
}

const keptShape = (x: Value, dims: readonly number[]) => x.shape.map((extent, i) => dims.includes(i) ? 1 : extent);

/** An op over dimensions that is made of reductions. */
function overDims(
  name: string,
  gradName: string,
  compute: (x: Value, dims: readonly number[]) => Value,
  grad: (node: Node<DimsAttrs>, dy: Value) => Value,
): Op<DimsAttrs> {
  return {
    name,
    gradName,
    outputs: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
    grad: (node, [dy]) => [grad(node, view(dy!, keptShape(node.inputs[0]!, node.attrs.dims)))],
    expand: ({ inputs: [x], attrs: { dims, shape } }) => [view(compute(x!, dims), shape)],
  };
}

const count = (x: Value, dims: readonly number[]) => dims.reduce((size, dim) => size * x.shape[dim]!, 1);

/**
 * The gradient of an extremum over several dimensions: shared evenly by all elements that equal it. Where it is NaN,
 * they are those that are NaN too for "same"; for "eq" there are none, and the gradient is 0 / 0. PyTorch has it both
 * ways.
 */
const shareAmongTies =
  (tie: "same" | "eq") => ({ inputs, outputs: [y], attrs: { dims } }: Node<DimsAttrs>, dy: Value) => {
    const x = inputs[0]!, mask = combine(tie, x, view(y!, keptShape(x, dims)));
    return combine("mul", mask, combine("div", dy, reduceDims("sum", mask, dims)));
  };

const OPS = {
  sum: overDims(
    "sum",
    "SumBackward0",
    (x, dims) => reduceDims("sum", x, dims),
    ({ inputs: [x] }, dy) => expand(dy, x!.shape),
  ),
  mean: overDims(
    "mean",
    "MeanBackward0",
    (x, dims) => reduceDims("sum", x, dims, 1 / count(x, dims)),
    ({ inputs: [x], attrs: { dims } }, dy) => {
      const share = new Float32Array([1 / count(x!, dims)]);
      return expand(combine("mul", dy, constant(share, [])), x!.shape);
    },
  ),
  max: overDims("max", "MaxBackward1", (x, dims) => reduceDims("max", x, dims), shareAmongTies("same")),
  min: overDims("min", "MinBackward1", (x, dims) => reduceDims("min", x, dims), shareAmongTies("same")),
  amax: overDims("amax", "AmaxBackward0", (x, dims) => reduceDims("max", x, dims), shareAmongTies("eq")),
  amin: overDims("amin", "AminBackward0", (x, dims) => reduceDims("min", x, dims), shareAmongTies("eq")),
};

/** The dimensions that `dim` names, sorted: all of them for `undefined`. */
function dimsOf(x: Value, dim: number | readonly number[] | undefined, action: string): number[] {
  const rank = x.shape.length;
  if (dim === undefined || (typeof dim !== "number" && dim.length === 0)) return x.shape.map((_, i) => i);
  const dims = (typeof dim === "number" ? [dim] : dim).map((one) => axis(one, rank, action));
  if (new Set(dims).size !== dims.length) throw new ShapeError(`${action}: a dimension is named twice in [${dim}]`);
  return dims.filter((one) => one < rank).sort((a, b) => a - b);
}

/** Sum, mean or an extremum over `dim` (all dimensions where undefined). */
export function reduce(
  name: keyof typeof OPS,
  x: Value,
  dim: number | readonly number[] | undefined,
  keepdim: boolean,
): Value {
  if (name !== "sum" || x.dtype !== "u32") requireType(x, "f32", name);
  const dims = dimsOf(x, dim, name);
  if (dims.length === 0) return x;
  const shape = keepdim ? keptShape(x, dims) : x.shape.filter((_, i) => !dims.includes(i));
  if (typeof dim === "number" && (name === "max" || name === "min")) return extremum(name, x, dims[0]!, shape);
  return record(OPS[name], [x], { dims, shape })[0]!;
}

/** Sums `x` down to `shape`, to which it was broadcast from: the gradient of broadcasting. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const dims = x.shape.flatMap((extent, i) => i < lead || (shape[i - lead] === 1 && extent !== 1) ? [i] : []);
  return dims.length === 0 ? view(x, shape) : view(reduceDims("sum", x, dims), shape);
}

/** The index of the largest element along `dim`, the first of several; of the whole, flattened, where undefined. */
export function argmax(x: Value, dim: number | undefined, keepdim: boolean): Value {
  requireType(x, "f32", "argmax");
  const dims = dimsOf(x, dim, "argmax");
  if (dims.length === 0) {
    return record(reduceOp, [x], { kind: "argmax", outer: 1, run: 1, inner: 1, chunk: 1, scale: 1 })[0]!;
  }
  const kept = reduceRun("argmax", x, dims[0]!, dims.at(-1)! + 1, 1);
  return view(kept, keepdim ? keptShape(x, dims) : x.shape.filter((_, i) => !dims.includes(i)));
}

// --- max and min over one dimension: the gradient goes to the first extremum ------------------------------------------

export interface ExtremumAttrs {
  readonly name: "max" | "min";
  readonly dim: number;
  readonly shape: Shape;
}

const defineExtremum = (gradName: string): Op<ExtremumAttrs> => ({
  name: "extremum",
  gradName,
  outputs: (_, { shape }) => [{ shape, dtype: "f32" }],
  expand: ({ inputs: [x], attrs: { name, dim, shape } }) => [view(reduceRun(name, x!, dim, dim + 1, 1), shape)],
  grad({ inputs: [x], attrs: { name, dim } }, [dy]) {
    const index = reduceRun("argmax", name === "max" ? x! : apply("neg", x!), dim, dim + 1, 1);
    return [record(selectOp, [dy!, index], { dim, shape: x!.shape })[0]!];
  },
});

const EXTREMA = { max: defineExtremum("MaxBackward0"), min: defineExtremum("MinBackward0") };

const extremum = (name: "max" | "min", x: Value, dim: number, shape: Shape) =>
  record(EXTREMA[name], [x], { name, dim, shape })[0]!;

/** dx = dy at the index along `dim`, and 0 elsewhere. */
const selectOp: Op<{ dim: number; shape: Shape }> = {
  name: "selectIndex",
  outputs: (_, { shape }) => [{ shape, dtype: "f32" }],
  dispatches({ inputs: [dy, index], outputs: [dx], attrs: { dim, shape } }) {
    return [{
      kernel: selectKernel,
      constants: { SIZE: dx!.size, RUN: shape[dim]!, INNER: sizeOf(shape.slice(dim + 1)) },
      bindings: [dy!, index!, dx!],
      grid: linearGrid(dx!.size),
    }];
  },
};
