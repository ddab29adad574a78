/**
 * Views: the same elements under another shape, or for another tensor. Nothing is computed, but by `clone`.
 *
 * @module
 */
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { copyOp } from "../../graph/plan.ts";
import { formOf } from "../op.ts";
import { axis, requireList, text } from "./shape.ts";

/** Its attribute is the shape of the result. */
export const viewOp: Op<Shape> = {
  name: "view",
  gradName: "ViewBackward0",
  view: true,
  outputs: ([x], shape) => [{ shape, dtype: x!.dtype }],
  grad: ({ inputs: [x] }, [dy]) => [view(dy!, x!.shape)],
};

const viewForms = new Map([["ViewBackward0", viewOp]]);

/** The view that `gradFn` shows as `gradName`. */
function viewNamed(gradName: string): Op<Shape> {
  let op = viewForms.get(gradName);
  if (!op) viewForms.set(gradName, op = formOf(viewOp, gradName));
  return op;
}

/**
 * The same elements under another shape of the same size; `x` itself where the shape is the same.
 *
 * @param gradName the name that `gradFn` shows.
 */
export function view(x: Value, shape: Shape, gradName = "ViewBackward0"): Value {
  if (shape.length === x.shape.length && shape.every((extent, i) => extent === x.shape[i])) return x;
  return record(viewNamed(gradName), [x], shape)[0]!;
}

/** Another value with the same elements, for another tensor. */
export function alias(x: Value): Value {
  return record(viewNamed("AliasBackward0"), [x], x.shape)[0]!;
}

/** The same elements under another shape. At most one extent may be -1: it follows from the others. */
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

/** A view through which no gradient flows. */
export const detachOp: Op<null> = { name: "detach", view: true, outputs: ([x]) => [x!] };

/** The same elements, through which no gradient flows. */
export function detach(x: Value): Value {
  return record(detachOp, [x], null)[0]!;
}

/** A copy of the elements. */
export function clone(x: Value): Value {
  return record(copyOp, [x], null)[0]!;
}
