/**
 * Max pooling: x [N, C, H, W] to y [N, C, OH, OW] and the index of each maximum in its plane, as PyTorch counts it
 * (h W + w, the first of equal ones, or the last NaN). The gradient of each output goes to its index.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, type Value } from "../../graph/node.ts";
import { positions } from "../conv/geometry.ts";
import type { Pair } from "../options.ts";
import { linearGrid, requireType, text } from "../shape/shape.ts";

const poolKernel = shader("pool/max_pool2d.wgsl");
const gradKernel = shader("pool/max_pool2d_grad.wgsl");

/** The options of max pooling, as PyTorch has them. */
export interface PoolAttrs {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

/** The constants that both kernels share. `x` and `y` are the shapes of input and output. */
const geometry = (x: Shape, y: Shape, { kernel, stride, padding }: PoolAttrs) => ({
  PLANES: x[0]! * x[1]!,
  H: x[2]!,
  W: x[3]!,
  OH: y[2]!,
  OW: y[3]!,
  KH: kernel[0],
  KW: kernel[1],
  STEP_H: stride[0],
  STEP_W: stride[1],
  PAD_H: padding[0],
  PAD_W: padding[1],
});

/** Outputs: y, and the index of each maximum. */
export const maxPoolOp: Op<PoolAttrs> = {
  name: "maxPool2d",
  gradName: "MaxPool2DWithIndicesBackward0",
  outputs([x], { kernel, stride, padding }) {
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const shape = [
      n,
      c,
      positions(h, kernel[0], stride[0], padding[0], 1),
      positions(w, kernel[1], stride[1], padding[1], 1),
    ];
    return [{ shape, dtype: "f32" }, { shape, dtype: "u32" }];
  },
  grad({ inputs: [x], outputs: [, index], attrs }, [dy]) {
    return [dy ? record(maxPoolGradOp, [dy, index!], { ...attrs, shape: x!.shape })[0]! : null];
  },
  dispatches: ({ inputs: [x], outputs: [y, index], attrs }) => [{
    kernel: poolKernel,
    constants: geometry(x!.shape, y!.shape, attrs),
    bindings: [x!, y!, index!],
    grid: linearGrid(y!.size),
  }],
};

/** The attributes of the gradient of max pooling. */
export interface MaxPoolGradAttrs extends PoolAttrs {
  /** The shape of x. */
  readonly shape: Shape;
}

/** dx from dy and the indices of the maxima. */
export const maxPoolGradOp: Op<MaxPoolGradAttrs> = {
  name: "maxPool2dGrad",
  outputs: (_, { shape }) => [{ shape, dtype: "f32" }],
  dispatches: ({ inputs: [dy, index], outputs: [dx], attrs }) => [{
    kernel: gradKernel,
    constants: geometry(attrs.shape, dy!.shape, attrs),
    bindings: [dy!, index!, dx!],
    grid: linearGrid(dx!.size),
  }],
};

/**
 * Max pooling as PyTorch's `max_pool2d`.
 *
 * @throws {ShapeError} where the window is larger than the padded input.
 */
export function maxPool2d(x: Value, attrs: PoolAttrs): Value {
  requireType(x, "f32", "maxPool2d");
  if (x.shape.length !== 4) throw new ShapeError(`maxPool2d: expected input [N, C, H, W], got ${text(x.shape)}`);
  const { kernel, padding } = attrs;
  if (padding.some((by, i) => by > kernel[i]! / 2)) {
    throw new ShapeError(`maxPool2d: padding ${text(padding)} is more than half of the kernel ${text(kernel)}`);
  }
  const shape = maxPoolOp.outputs([x], attrs)[0]!.shape;
  if (shape.some((extent) => extent < 1)) {
    throw new ShapeError(`maxPool2d: the kernel ${text(kernel)} is larger than the padded input ${text(x.shape)}`);
  }
  return record(maxPoolOp, [x], attrs)[0]!;
}
