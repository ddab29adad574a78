/**
 * Resizing by the nearest element: x [N, C, H, W] to y [N, C, OH, OW]. The gradient of an element is the sum of the
 * gradients of its copies.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, type Value } from "../../graph/node.ts";
import type { Pair } from "../options.ts";
import { linearGrid, requireType, text } from "./shape.ts";

const kernel = shader("shape/upsample_nearest2d.wgsl");

/** The attributes of resizing. */
export interface UpsampleAttrs {
  /** The shapes of x and y. */
  readonly from: Shape;
  readonly to: Shape;
  /** The distance in x between neighbours in y, by height and width. */
  readonly scale: Pair;
}

function dispatch(source: Value, result: Value, { from, to, scale }: UpsampleAttrs, grad: boolean) {
  const constants = {
    GRAD: grad,
    SIZE: result.size,
    H: from[2]!,
    W: from[3]!,
    OH: to[2]!,
    OW: to[3]!,
    SCALE_H: scale[0],
    SCALE_W: scale[1],
  };
  return [{ kernel, constants, bindings: [source, result], grid: linearGrid(result.size) }];
}

/** Resizes by the nearest element. */
export const upsampleOp: Op<UpsampleAttrs> = {
  name: "upsampleNearest2d",
  gradName: "UpsampleNearest2DBackward1",
  outputs: (_, { to }) => [{ shape: to, dtype: "f32" }],
  grad: ({ attrs }, [dy]) => [record(upsampleGradOp, [dy!], attrs)[0]!],
  dispatches: ({ inputs: [x], outputs: [y], attrs }) => dispatch(x!, y!, attrs, false),
};

const upsampleGradOp: Op<UpsampleAttrs> = {
  name: "upsampleNearest2dGrad",
  outputs: (_, { from }) => [{ shape: from, dtype: "f32" }],
  dispatches: ({ inputs: [dy], outputs: [dx], attrs }) => dispatch(dy!, dx!, attrs, true),
};

/**
 * `x` at another size, as PyTorch's `interpolate` with mode "nearest".
 *
 * @param size the new height and width, or, where `scaled`, the factors by which they grow.
 */
export function upsampleNearest2d(x: Value, size: Pair, scaled: boolean): Value {
  requireType(x, "f32", "interpolate");
  if (x.shape.length !== 4) throw new ShapeError(`interpolate: expected input [N, C, H, W], got ${text(x.shape)}`);
  const extents = x.shape.slice(2), now = scaled ? extents.map((extent, i) => Math.floor(extent * size[i]!)) : size;
  if (now.some((extent) => extent < 1)) {
    throw new ShapeError(`interpolate: scaleFactor ${text(size)} leaves nothing of input ${text(x.shape)}`);
  }
  const scale = [0, 1].map((i) => scaled ? 1 / size[i]! : extents[i]! / now[i]!) as unknown as Pair;
  return record(upsampleOp, [x], { from: x.shape, to: [...x.shape.slice(0, 2), ...now], scale })[0]!;
}
