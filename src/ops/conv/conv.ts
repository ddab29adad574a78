/**
 * Convolution: x [N, C, H, W], w [O, C/groups, kh, kw], b [O] to y [N, O, OH, OW], and its gradients.
 *
 * With stride s, padding p and dilation d, y[o, h, w] = b[o] + Σ x[c, h s − p + i d, w s − p + j d] w[o, c, i, j]. So
 * dx[c, h, w] = Σ dy[o, (h + p − i d) / s, …] w[o, c, i, j] over the terms where s divides: this is a convolution of dy with
 * s − 1 zeros between its elements, by the kernel turned by 180°, with padding d (k − 1) − p. One kernel serves both.
 *
 * @module
 */
import { ShapeError } from "../../errors.ts";
import { type Op, record, sizeOf, type Value } from "../../graph/node.ts";
import type { Pair } from "../options.ts";
import { requireType, text } from "../shape/shape.ts";
import { type ConvAttrs, type ConvOptions, ONE, outputShape, type Pooled, sizeOfImage } from "./geometry.ts";
import { convGradWeightOp } from "./grad_weight.ts";
import { convDispatches } from "./launch.ts";

/** Inputs: x, w, and the bias if there is one. */
export const convOp: Op<ConvAttrs> = {
  name: "conv2d",
  gradName: "ConvolutionBackward0",
  outputs: ([x, w], attrs) => [{ shape: outputShape(x!, w!, attrs), dtype: "f32" }],
  grad({ inputs: [x, w], attrs }, [dy], needs) {
    const [dw, db] = needs[1] || needs[2]
      ? record(convGradWeightOp, [x!, dy!], { ...attrs, kernel: sizeOfImage(w!), bias: needs[2] ?? false })
      : [];
    return [
      needs[0] ? record(convGradInputOp, [dy!, w!], { ...attrs, size: sizeOfImage(x!), mask: false })[0]! : null,
      dw ?? null,
      db ?? null,
    ];
  },
  dispatches(node, target) {
    const { inputs: [x, w, bias], outputs: [y], attrs: { stride, padding, dilation, groups, relu } } = node;
    const [out, per, kh, kw] = w!.shape as [number, number, number, number], taps = kh * kw;
    const kernel = [kh, kw] as const;
    const walk = { from: x!.shape, kernel, groups, step: stride, spread: ONE, padding, dilation, window: ONE };
    // w [O, C/groups, kh, kw]
    const order = { W_GROUP: out / groups * per * taps, W_OUT: per * taps, W_IN: taps };
    const constants = { ...order, BIAS: bias !== undefined, RELU: relu };
    return convDispatches(node, y!, walk, constants, target);
  },
  multiplyAdds: ({ inputs: [, w], outputs: [y] }) => y!.size * sizeOf(w!.shape.slice(1)),
};

/** The attributes of the gradient of a convolution's input. */
export interface GradInputAttrs extends ConvAttrs {
  /** Height and width of x. */
  readonly size: Pair;
  /** The last input is the output of a relu: dx is 0 where that is 0. */
  readonly mask: boolean;
  readonly pooled?: Pooled;
}

/** Inputs: dy, w; with `pooled`, the gradients and the indices of the windows instead of dy; then the mask. */
export const convGradInputOp: Op<GradInputAttrs> = {
  name: "conv2dGradInput",
  outputs(inputs, { size, groups, pooled }) {
    const w = inputs[pooled ? 2 : 1]!;
    return [{ shape: [inputs[0]!.shape[0]!, w.shape[1]! * groups, ...size], dtype: "f32" }];
  },
  dispatches(node, target) {
    const { inputs, outputs: [dx], attrs } = node;
    const { stride, padding, dilation, groups, mask, pooled } = attrs;
    const w = inputs[pooled ? 2 : 1]!, [out, per, kh, kw] = w.shape as [number, number, number, number], taps = kh * kw;
    const [n, channels, h, width] = inputs[0]!.shape as [number, number, number, number];
    const walk = {
      from: [n, channels, ...(pooled?.size ?? [h, width])],
      kernel: [kh, kw] as const,
      groups,
      step: ONE,
      spread: stride,
      padding: [dilation[0] * (kh - 1) - padding[0], dilation[1] * (kw - 1) - padding[1]] as const,
      dilation,
      window: pooled?.window ?? ONE,
    };
    // The outputs of this walk are the channels of x.
    const order = { W_GROUP: out / groups * per * taps, W_OUT: taps, W_IN: per * taps, FLIP: true };
    return convDispatches(node, dx!, walk, { ...order, MASK: mask }, target);
  },
  multiplyAdds: ({ inputs, outputs: [dx], attrs: { pooled, groups } }) => {
    const [out, , kh, kw] = inputs[pooled ? 2 : 1]!.shape as [number, number, number, number];
    return dx!.size * out / groups * kh * kw;
  },
};

/**
 * Convolution as PyTorch's `conv2d`.
 *
 * @throws {ShapeError} where the shapes do not match.
 */
export function conv2d(x: Value, w: Value, b: Value | null, options: ConvOptions): Value {
  for (const value of [x, w, ...(b ? [b] : [])]) requireType(value, "f32", "conv2d");
  const shapes = `input ${text(x.shape)}, weight ${text(w.shape)}, groups ${options.groups}`;
  if (x.shape.length !== 4 || w.shape.length !== 4) {
    throw new ShapeError(`conv2d: expected input [N, C, H, W] and weight [O, C/groups, kh, kw], got ${shapes}`);
  }
  const { groups } = options;
  if (x.shape[1] !== w.shape[1]! * groups || w.shape[0]! % groups !== 0) {
    throw new ShapeError(`conv2d: the channels do not fit: ${shapes}`);
  }
  if (b && (b.shape.length !== 1 || b.shape[0] !== w.shape[0])) {
    throw new ShapeError(`conv2d: bias ${text(b.shape)} does not fit ${w.shape[0]} output channels`);
  }
  if (outputShape(x, w, options).some((extent) => extent < 1)) {
    throw new ShapeError(`conv2d: the kernel is larger than the padded input: ${shapes}`);
  }
  return record(convOp, b ? [x, w, b] : [x, w], { ...options, relu: false })[0]!;
}
