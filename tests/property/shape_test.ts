/**
 * Gradients of reductions and of ops that move elements, over random shapes.
 */
import type { Draw } from "./draw.ts";
import * as ref from "../support/reference.ts";
import { type Property, testProperties } from "./check.ts";

/** An op of one argument of `low` to `high` dimensions, with options drawn for its shape. */
const one = (
  options: (layout: Draw, shape: readonly number[]) => object = () => ({}),
  low = 0,
  high = 4,
): Property => ({
  draw(layout, data) {
    const shape = layout.shape(low, high);
    return { inputs: [data.values(shape)], options: options(layout, shape) };
  },
});

const dims = (layout: Draw, shape: readonly number[]) => layout.dims(shape);
const oneDim = (layout: Draw, shape: readonly number[]) => ({ dim: layout.dim(shape), keepdim: layout.flip() });
/** All dimensions, or one of them. */
const allOrOne = (layout: Draw, shape: readonly number[]) =>
  shape.length > 0 && layout.flip() ? oneDim(layout, shape) : {};

testProperties({
  sum: one(dims),
  mean: one(dims),
  max: one(allOrOne),
  min: one(allOrOne),
  amax: { ...one(dims), reference: ([x], options) => ref.max(x!, options) },
  amin: { ...one(dims), reference: ([x], options) => ref.min(x!, options) },
  softmax: one((layout, shape) => ({ dim: layout.dim(shape) }), 1),
  logSoftmax: one((layout, shape) => ({ dim: layout.dim(shape) }), 1),
  reshape: one(
    (layout, shape) => ({ shape: layout.pick([[-1], [1, -1], [-1, ...shape.slice(1)], shape.toReversed()]) }),
    1,
  ),
  flatten: one((layout, shape) => {
    const from = layout.int(0, shape.length - 1);
    return layout.flip() ? { startDim: from, endDim: layout.int(from, shape.length - 1) } : {};
  }, 1),
  squeeze: one((layout, shape) => shape.length > 0 && layout.flip() ? { dim: layout.dim(shape) } : {}),
  unsqueeze: one((layout, shape) => ({ dim: layout.int(-shape.length - 1, shape.length) })),
  transpose: one((layout, shape) => ({ dims: [layout.dim(shape), layout.dim(shape)] }), 1),
  permute: one((layout, shape) => ({ dims: layout.order(shape.length) }), 1),
  t: one(undefined, 0, 2),
  expand: {
    draw(layout, data) {
      const to = layout.shape(), from = to.map((extent) => layout.flip() ? 1 : extent).slice(layout.int(0, to.length));
      return { inputs: [data.values(from)], options: { shape: to } };
    },
  },
});
