/**
 * Average pooling: x [N, C, H, W] to y [N, C, OH, OW], by windows of one size or by windows that divide the input
 * evenly (adaptive), and its gradient: each element's share of the windows that contain it.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, type Value } from "../../graph/node.ts";
import { formOf } from "../op.ts";
import type { Pair } from "../options.ts";
import { reduce } from "../reduce/reduce.ts";
import { linearGrid, requireType, text } from "../shape/shape.ts";

const kernel = shader("pool/avg_pool2d.wgsl");

/** The options of average pooling with windows of one size, as PyTorch has them. */
export interface AvgPoolOptions {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  /** The last window may reach beyond the padding. */
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
  /** 0 for none. */
  readonly divisorOverride: number;
}

/** The attributes of average pooling. */
export interface AvgPoolAttrs {
  /** The shapes of x and y. */
  readonly from: Shape;
  readonly to: Shape;
  /** The options of windows of one size; null for adaptive windows. */
  readonly windows: AvgPoolOptions | null;
}

function dispatch(source: Value, result: Value, { from, to, windows }: AvgPoolAttrs, grad: boolean) {
  const walk = windows && {
    KH: windows.kernel[0],
    KW: windows.kernel[1],
    STEP_H: windows.stride[0],
    STEP_W: windows.stride[1],
    PAD_H: windows.padding[0],
    PAD_W: windows.padding[1],
    DIVISOR: windows.divisorOverride,
    COUNT_PAD: windows.countIncludePad,
  };
  const constants = {
    GRAD: grad,
    ADAPTIVE: windows === null,
    SIZE: result.size,
    H: from[2]!,
    W: from[3]!,
    OH: to[2]!,
    OW: to[3]!,
    ...walk,
  };
  return [{ kernel, constants, bindings: [source, result], grid: linearGrid(result.size) }];
}

/** Average pooling, by windows of one size or adaptive ones. */
export const avgPoolOp: Op<AvgPoolAttrs> = {
  name: "avgPool2d",
  gradName: "AvgPool2DBackward0",
  outputs: (_, { to }) => [{ shape: to, dtype: "f32" }],
  grad: ({ attrs }, [dy]) => [record(avgPoolGradOp, [dy!], attrs)[0]!],
  dispatches: ({ inputs: [x], outputs: [y], attrs }) => dispatch(x!, y!, attrs, false),
};

const adaptiveAvgPoolOp = formOf(avgPoolOp, "AdaptiveAvgPool2DBackward0");

const avgPoolGradOp: Op<AvgPoolAttrs> = {
  name: "avgPool2dGrad",
  outputs: (_, { from }) => [{ shape: from, dtype: "f32" }],
  dispatches: ({ inputs: [dy], outputs: [dx], attrs }) => dispatch(dy!, dx!, attrs, true),
};

function checkImages(x: Value, action: string): void {
  requireType(x, "f32", action);
  if (x.shape.length !== 4) throw new ShapeError(`${action}: expected input [N, C, H, W], got ${text(x.shape)}`);
}

/**
 * Average pooling as PyTorch's `avg_pool2d`.
 *
 * @throws {ShapeError} where the window is larger than the padded input.
 */
export function avgPool2d(x: Value, windows: AvgPoolOptions): Value {
  checkImages(x, "avgPool2d");
  const { kernel, stride, padding, ceilMode } = windows;
  if (padding.some((by, i) => by > kernel[i]! / 2)) {
    throw new ShapeError(`avgPool2d: padding ${text(padding)} is more than half of the kernel ${text(kernel)}`);
  }
  const extents = [0, 1].map((i) => {
    const size = x.shape[i + 2]!, step = stride[i]!, pad = padding[i]!, range = size + 2 * pad - kernel[i]!;
    const count = Math.floor((range + (ceilMode ? step - 1 : 0)) / step) + 1;
    // A window that starts beyond the input, in its padding, does not count.
    return ceilMode && (count - 1) * step >= size + pad ? count - 1 : count;
  });
  if (extents.some((extent) => extent < 1)) {
    throw new ShapeError(`avgPool2d: the kernel ${text(kernel)} is larger than the padded input ${text(x.shape)}`);
  }
  return record(avgPoolOp, [x], { from: x.shape, to: [x.shape[0]!, x.shape[1]!, ...extents], windows })[0]!;
}

/** Average pooling to `size`, where null leaves an extent as it is. As PyTorch's `adaptive_avg_pool2d`. */
export function adaptiveAvgPool2d(x: Value, size: readonly [number | null, number | null]): Value {
  checkImages(x, "adaptiveAvgPool2d");
  const [n, c, h, w] = x.shape as [number, number, number, number], [oh, ow] = [size[0] ?? h, size[1] ?? w];
  if (oh === 1 && ow === 1) return reduce("mean", x, [2, 3], true);
  return record(adaptiveAvgPoolOp, [x], { from: x.shape, to: [n, c, oh, ow], windows: null })[0]!;
}
