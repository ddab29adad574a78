/**
 * Sum, mean, extrema and their indices, over one, several or all dimensions, with their gradients. The kernel is that of
 * `dims.ts`.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { constant, type Node, type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { ShapeError } from "../../errors.ts";
import { apply, combine } from "../elementwise/elementwise.ts";
import { formOf } from "../op.ts";
import { axis, linearGrid, requireType } from "../shape/shape.ts";
import { expand } from "../shape/strided.ts";
import { view } from "../shape/view.ts";
import { reduceDims, reduceRun } from "./dims.ts";

const selectKernel = shader("shape/select_index.wgsl");

/** The dimensions that are reduced, sorted, and the shape of the result. */
export interface DimsAttrs {
  readonly dims: readonly number[];
  readonly shape: Shape;
}

const keptShape = (x: Value, dims: readonly number[]) => x.shape.map((extent, i) => dims.includes(i) ? 1 : extent);

/** An op over dimensions that consists of reductions. */
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
 * The gradient of an extremum over several dimensions is shared equally by the elements that are equal to it. If it is NaN,
 * these are the elements that are NaN with "same"; with "eq" there are none, and the gradient is 0 / 0. PyTorch does the
 * former for max and min, the latter for amax and amin.
 */
const shareAmongTies =
  (tie: "same" | "eq") => ({ inputs, outputs: [y], attrs: { dims } }: Node<DimsAttrs>, dy: Value) => {
    const x = inputs[0]!, mask = combine(tie, x, view(y!, keptShape(x, dims)));
    return combine("mul", mask, combine("div", dy, reduceDims("sum", mask, dims)));
  };

/** By name; over one dimension, max and min are `extremumOp`. */
export const reduceOps = {
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
  name: keyof typeof reduceOps,
  x: Value,
  dim: number | readonly number[] | undefined,
  keepdim: boolean,
): Value {
  if (name !== "sum" || x.dtype !== "u32") requireType(x, "f32", name);
  const dims = dimsOf(x, dim, name);
  if (dims.length === 0) return x;
  const shape = keepdim ? keptShape(x, dims) : x.shape.filter((_, i) => !dims.includes(i));
  if (typeof dim === "number" && (name === "max" || name === "min")) return extremum(name, x, dims[0]!, shape);
  return record(reduceOps[name], [x], { dims, shape })[0]!;
}

/** The index of the largest element along `dim`, the first of several; of the whole, flattened, where undefined. */
export function argmax(x: Value, dim: number | undefined, keepdim: boolean): Value {
  requireType(x, "f32", "argmax");
  const dims = dimsOf(x, dim, "argmax");
  if (dims.length === 0) return view(reduceRun("argmax", view(x, [1]), 0, 1, 1), []);
  const kept = reduceRun("argmax", x, dims[0]!, dims.at(-1)! + 1, 1);
  return view(kept, keepdim ? keptShape(x, dims) : x.shape.filter((_, i) => !dims.includes(i)));
}

// --- max and min over one dimension: the gradient goes to the first extremum ------------------------------------------

/** A maximum or minimum over one dimension, and the shape of the result. */
export interface ExtremumAttrs {
  readonly name: "max" | "min";
  readonly dim: number;
  readonly shape: Shape;
}

/** The maximum or minimum over one dimension. */
export const extremumOp: Op<ExtremumAttrs> = {
  name: "extremum",
  gradName: "MaxBackward0",
  outputs: (_, { shape }) => [{ shape, dtype: "f32" }],
  expand: ({ inputs: [x], attrs: { name, dim, shape } }) => [view(reduceRun(name, x!, dim, dim + 1, 1), shape)],
  grad({ inputs: [x], attrs: { name, dim } }, [dy]) {
    const index = reduceRun("argmax", name === "max" ? x! : apply("neg", x!), dim, dim + 1, 1);
    return [record(selectOp, [dy!, index], { dim, shape: x!.shape })[0]!];
  },
};

const EXTREMA = { max: extremumOp, min: formOf(extremumOp, "MinBackward0") };

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
