/**
 * The ops that read their input by other strides: reordering dimensions, and repeating along them.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Node, type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { formOf, is } from "../op.ts";
import { sumTo } from "../reduce/dims.ts";
import { axis, broadcastStrides, checkShape, linearGrid, requireList, strides, text, walk } from "./shape.ts";
import { view } from "./view.ts";

const kernel = shader("shape/strided.wgsl");

interface StridedAttrs {
  readonly shape: Shape;
  readonly strides: readonly number[];
}

function stridedDispatch(x: Value, y: Value, own: readonly number[]) {
  const { dims, strides: [merged], rank } = walk(y.shape, [own], "permute");
  return {
    kernel,
    constants: { T: y.dtype, SIZE: y.size, RANK: rank, DIMS: dims, STRIDES: merged! },
    bindings: [x, y],
    grid: linearGrid(y.size),
  };
}

/** The input's dimension for each dimension of the output. */
export interface PermuteAttrs {
  readonly dims: readonly number[];
}

/** Reorders dimensions. */
export const permuteOp: Op<PermuteAttrs> = {
  name: "permute",
  gradName: "PermuteBackward0",
  outputs: ([x], { dims }) => [{ shape: dims.map((dim) => x!.shape[dim]!), dtype: x!.dtype }],
  grad: ({ attrs: { dims } }, [dy]) => [permute(dy!, dims.map((_, i) => dims.indexOf(i)))],
  dispatches: ({ inputs: [x], outputs: [y], attrs: { dims } }) => {
    const own = strides(x!.shape);
    return [stridedDispatch(x!, y!, dims.map((dim) => own[dim]!))];
  },
};

const PERMUTES = {
  PermuteBackward0: permuteOp,
  TransposeBackward0: formOf(permuteOp, "TransposeBackward0"),
  TBackward0: formOf(permuteOp, "TBackward0"),
};

/** Reorders dimensions: output dimension `i` is input dimension `dims[i]`. */
export function permute(
  x: Value,
  dims: readonly number[],
  gradName: keyof typeof PERMUTES = "PermuteBackward0",
): Value {
  requireList(dims, "permute");
  const rank = x.shape.length, order = dims.map((dim) => axis(dim, rank, "permute"));
  if (order.length !== rank || new Set(order).size !== rank) {
    throw new ShapeError(`permute: [${dims.join(", ")}] is no order of ${rank} dimensions`);
  }
  if (order.every((dim, i) => dim === i)) return x;
  // Moving dimensions of extent 1 moves no element.
  const moved = order.filter((dim) => x.shape[dim] !== 1);
  if (moved.every((dim, i) => i === 0 || dim > moved[i - 1]!)) {
    return view(x, order.map((dim) => x.shape[dim]!), gradName);
  }
  const own = strides(x.shape), shape = order.map((dim) => x.shape[dim]!);
  walk(shape, [order.map((dim) => own[dim]!)], "permute"); // Throws where a kernel could not.
  return record(PERMUTES[gradName], [x], { dims: order })[0]!;
}

/** The input of `node` if all that `node` does is to exchange its last two dimensions; otherwise null. */
export function transposedFrom(node: Node): Value | null {
  if (!is(node, permuteOp)) return null;
  const { inputs: [x], attrs: { dims } } = node, rank = dims.length;
  const swap = rank > 1 && dims.every((dim, i) => dim === (i < rank - 2 ? i : 2 * rank - 3 - i));
  return swap ? x! : null;
}

/** Repeats along dimensions. */
export const expandOp: Op<StridedAttrs> = {
  name: "expand",
  gradName: "ExpandBackward0",
  outputs: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  grad: ({ inputs: [x] }, [dy]) => [sumTo(dy!, x!.shape)],
  dispatches: ({ inputs: [x], outputs: [y], attrs }) => [stridedDispatch(x!, y!, attrs.strides)],
};

/** Repeats `x` along dimensions of extent 1, and along new ones in front, to the shape `to`; an extent of -1 stays. */
export function expand(x: Value, to: Shape): Value {
  requireList(to, "expand");
  const lead = to.length - x.shape.length,
    shape = to.map((extent, i) => extent === -1 ? x.shape[i - lead] ?? -1 : extent);
  checkShape(shape, "expand");
  const fits = shape.length >= x.shape.length &&
    x.shape.every((extent, i) => extent === 1 || extent === shape[shape.length - x.shape.length + i]);
  if (!fits) throw new ShapeError(`expand: ${text(x.shape)} does not expand to ${text(shape)}`);
  if (sizeOf(shape) === x.size) return view(x, shape);
  const own = broadcastStrides(x.shape, shape);
  walk(shape, [own], "expand");
  return record(expandOp, [x], { shape, strides: own })[0]!;
}
