/**
 * Shapes: what every op's function checks first, and the ops that only move elements (views, permutation, broadcasting).
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type DType, type Node, type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { copyOp } from "../../graph/plan.ts";
import { describe } from "../options.ts";
import { sumTo } from "../reduce/reduce.ts";

const strided = shader("shape/strided.wgsl");

/** The most dimensions that a kernel walks, after neighbours that lie together are merged. */
export const MAX_WALK = 6;

/** Workgroups for `count` invocations, one each: along x, and along y where x does not suffice. */
export function linearGrid(count: number, perGroup = 64): [number, number, number] {
  const groups = Math.ceil(count / perGroup), y = Math.ceil(groups / 65535);
  return [Math.ceil(groups / y), y, 1];
}

export const text = (shape: Shape): string => `[${shape.join(", ")}]`;

export function requireType(value: Value, dtype: DType, action: string): void {
  if (value.dtype !== dtype) throw new ShapeError(`${action}: expected a tensor of ${dtype}, got ${value.dtype}`);
}

/** Refuses what is no array: PyTorch takes numbers one by one as well. */
function requireList(numbers: readonly number[], action: string): void {
  if (!Array.isArray(numbers)) {
    throw new ShapeError(`${action}: expected an array of numbers, got ${describe(numbers)}`);
  }
}

/** Checks a shape that a caller gave. Extents are positive integers: tensors without elements are not supported. */
export function checkShape(shape: Shape, action: string): void {
  requireList(shape, action);
  if (shape.some((extent) => !Number.isInteger(extent) || extent < 1)) {
    throw new ShapeError(`${action}: ${text(shape)} is no shape: extents must be integers of 1 or more`);
  }
}

/** `dim` counted from the front. */
export function axis(dim: number, rank: number, action: string): number {
  if (!Number.isInteger(dim) || dim < -Math.max(rank, 1) || dim >= Math.max(rank, 1)) {
    throw new ShapeError(`${action}: dimension ${dim} is out of range for a tensor of ${rank} dimensions`);
  }
  return dim < 0 ? dim + Math.max(rank, 1) : dim;
}

/** The shape of the result when `a` and `b` are broadcast together. */
export function broadcast(a: Shape, b: Shape, action: string): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1, n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new ShapeError(`${action}: ${text(a)} and ${text(b)} do not broadcast`);
    return Math.max(m, n);
  });
}

/** The distance in elements between neighbours along each dimension. */
export function strides(shape: Shape): number[] {
  const result = new Array<number>(shape.length);
  for (let i = shape.length - 1, stride = 1; i >= 0; i--) {
    result[i] = stride;
    stride *= shape[i]!;
  }
  return result;
}

/** The strides with which `shape` is walked as `to`: 0 along dimensions that are broadcast. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = strides(shape), lead = to.length - shape.length;
  return to.map((extent, i) => i < lead || (shape[i - lead] === 1 && extent !== 1) ? 0 : own[i - lead]!);
}

/** Extents of a walk, and for each operand its strides, padded to `MAX_WALK` dimensions, outermost first. */
export interface Walk {
  readonly dims: readonly number[];
  readonly strides: readonly (readonly number[])[];
  /** The dimensions that are used, counted from the innermost. */
  readonly rank: number;
}

/** Merges neighbouring dimensions that every operand walks as one. */
export function walk(shape: Shape, operands: readonly (readonly number[])[], action: string): Walk {
  const dims: number[] = [], merged = operands.map(() => [] as number[]);
  shape.forEach((extent, i) => {
    if (extent === 1) return;
    const last = dims.length - 1;
    if (last >= 0 && operands.every((own, k) => merged[k]![last] === own[i]! * extent)) {
      dims[last]! *= extent;
      operands.forEach((own, k) => merged[k]![last] = own[i]!);
    } else {
      dims.push(extent);
      operands.forEach((own, k) => merged[k]!.push(own[i]!));
    }
  });
  if (dims.length > MAX_WALK) {
    throw new ShapeError(`${action}: ${text(shape)} needs more than ${MAX_WALK} dimensions that cannot be merged`);
  }
  const pad = (list: number[], by: number) => [...new Array<number>(MAX_WALK - list.length).fill(by), ...list];
  return { dims: pad(dims, 1), strides: merged.map((own) => pad(own, 0)), rank: Math.max(1, dims.length) };
}

// --- views -----------------------------------------------------------------------------------------------------------

/** Views are the same but for the shape and the name that `gradFn` shows. */
const viewOps = new Map<string, Op<Shape>>();

function viewOp(gradName: string): Op<Shape> {
  let op = viewOps.get(gradName);
  if (!op) {
    op = {
      name: "view",
      gradName,
      view: true,
      outputs: ([x], shape) => [{ shape, dtype: x!.dtype }],
      grad: ({ inputs: [x] }, [dy]) => [view(dy!, x!.shape)],
    };
    viewOps.set(gradName, op);
  }
  return op;
}

/** The same elements under another shape of the same size. */
export function view(x: Value, shape: Shape, gradName = "ViewBackward0"): Value {
  if (shape.length === x.shape.length && shape.every((extent, i) => extent === x.shape[i])) return x;
  return record(viewOp(gradName), [x], shape)[0]!;
}

/** Another value with the same elements, for another tensor. */
export function alias(x: Value): Value {
  return record(viewOp("AliasBackward0"), [x], x.shape)[0]!;
}

/** `reshape` with at most one extent of -1, which takes what is left. */
export function reshape(x: Value, shape: Shape): Value {
  requireList(shape, "reshape");
  const holes = shape.filter((extent) => extent === -1).length;
  const rest = shape.reduce((size, extent) => extent === -1 ? size : size * extent, 1);
  const full = holes === 1 ? shape.map((extent) => extent === -1 ? x.size / rest : extent) : shape;
  const fits = holes <= 1 && full.every((extent) => Number.isInteger(extent) && extent > 0) && sizeOf(full) === x.size;
  if (!fits) throw new ShapeError(`reshape: ${text(x.shape)} of ${x.size} elements does not fit ${text(shape)}`);
  return view(x, full);
}

/** Joins the dimensions from `start` to `end`, both included. */
export function flatten(x: Value, start: number, end: number): Value {
  const rank = x.shape.length;
  const from = axis(start, rank, "flatten"), to = axis(end, rank, "flatten");
  if (from > to) throw new ShapeError(`flatten: startDim ${start} lies behind endDim ${end}`);
  const joined = sizeOf(x.shape.slice(from, to + 1));
  return view(x, [...x.shape.slice(0, from), joined, ...x.shape.slice(to + 1)]);
}

const detachOp: Op<null> = { name: "detach", view: true, outputs: ([x]) => [x!] };

/** The same elements, through which no gradient flows. */
export function detach(x: Value): Value {
  return record(detachOp, [x], null)[0]!;
}

/** The same elements in a place of their own. */
export function clone(x: Value): Value {
  return record(copyOp, [x], null)[0]!;
}

// --- moves -----------------------------------------------------------------------------------------------------------

interface StridedAttrs {
  readonly shape: Shape;
  readonly strides: readonly number[];
}

function stridedDispatch(x: Value, y: Value, own: readonly number[]) {
  const { dims, strides: [merged], rank } = walk(y.shape, [own], "permute");
  return {
    kernel: strided,
    constants: { T: y.dtype, SIZE: y.size, RANK: rank, DIMS: dims, STRIDES: merged! },
    bindings: [x, y],
    grid: linearGrid(y.size),
  };
}

export interface PermuteAttrs {
  readonly dims: readonly number[];
}

const definePermute = (gradName: string): Op<PermuteAttrs> => ({
  name: "permute",
  gradName,
  outputs: ([x], { dims }) => [{ shape: dims.map((dim) => x!.shape[dim]!), dtype: x!.dtype }],
  grad: ({ attrs: { dims } }, [dy]) => [permute(dy!, dims.map((_, i) => dims.indexOf(i)))],
  dispatches: ({ inputs: [x], outputs: [y], attrs: { dims } }) => {
    const own = strides(x!.shape);
    return [stridedDispatch(x!, y!, dims.map((dim) => own[dim]!))];
  },
});

const PERMUTES = {
  PermuteBackward0: definePermute("PermuteBackward0"),
  TransposeBackward0: definePermute("TransposeBackward0"),
  TBackward0: definePermute("TBackward0"),
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
    return view(
      x,
      order.map((dim) => x.shape[dim]!),
      gradName,
    );
  }
  const own = strides(x.shape), shape = order.map((dim) => x.shape[dim]!);
  walk(shape, [order.map((dim) => own[dim]!)], "permute"); // Throws where a kernel could not.
  return record(PERMUTES[gradName], [x], { dims: order })[0]!;
}

/** If `node` exchanges the last two dimensions, and does nothing else: what it reads. */
export function transposedFrom({ op, inputs: [x], attrs }: Node): Value | null {
  if (op.name !== "permute") return null;
  const { dims } = attrs as PermuteAttrs, rank = dims.length;
  const swap = rank > 1 && dims.every((dim, i) => dim === (i < rank - 2 ? i : 2 * rank - 3 - i));
  return swap ? x! : null;
}

const expandOp: Op<StridedAttrs> = {
  name: "expand",
  gradName: "ExpandBackward0",
  outputs: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  grad: ({ inputs: [x] }, [dy]) => [sumTo(dy!, x!.shape)],
  dispatches: ({ inputs: [x], outputs: [y], attrs }) => [stridedDispatch(x!, y!, attrs.strides)],
};

/** Repeats `x` along dimensions of extent 1, and along new ones in front, to `shape`; an extent of -1 stays as it is. */
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
