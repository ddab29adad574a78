/**
 * Transposed convolution: x [N, C, H, W], w [C, O/groups, kh, kw], b [O] to y [N, O, OH, OW] with
 * OH = (H − 1) s − 2 p + d (kh − 1) + outputPadding + 1. It is the gradient of the input of a convolution from y's shape
 * to x's, with the same weight, plus the bias. So the gradient of x is that convolution, and the gradient of the weight is
 * that of its weight.
 *
 * @module
 */
import { ShapeError } from "../../errors.ts";
import { type Op, record, sizeOf, type Value } from "../../graph/node.ts";
import { convGradInputOp, convOp } from "./conv.ts";
import { convGradWeightOp } from "./grad_weight.ts";
import type { ConvOptions } from "./geometry.ts";
import { combine } from "../elementwise/elementwise.ts";
import type { Pair } from "../options.ts";
import { narrow } from "../shape/pad.ts";
import { sumTo } from "../reduce/dims.ts";
import { requireType, text } from "../shape/shape.ts";
import { view } from "../shape/view.ts";

/** The options of a transposed convolution, as PyTorch has them. */
export interface ConvTransposeOptions extends ConvOptions {
  /** Additional rows at the bottom, and columns at the right. */
  readonly outputPadding: Pair;
}

/** The attributes of a transposed convolution. */
export interface ConvTransposeAttrs extends ConvOptions {
  /** Height and width of y. */
  readonly size: Pair;
}

/** Inputs: x, w, and the bias if there is one. */
export const convTransposeOp: Op<ConvTransposeAttrs> = {
  name: "convTranspose2d",
  gradName: "ConvolutionBackward0",
  outputs: ([x, w], { groups, size }) => [{ shape: [x!.shape[0]!, w!.shape[1]! * groups, ...size], dtype: "f32" }],
  grad({ inputs: [x, w, b], attrs }, [dy], needs) {
    const conv = { ...attrs, relu: false }, kernel = [w!.shape[2]!, w!.shape[3]!] as const;
    let dx: Value | null = null;
    if (needs[0]) {
      dx = record(convOp, [dy!, w!], conv)[0]!;
      // With an output padding of a whole step, the convolution has one more row or column.
      for (const dim of [2, 3]) dx = narrow(dx, dim, 0, x!.shape[dim]!);
    }
    const [dw] = needs[1] ? record(convGradWeightOp, [dy!, x!], { ...conv, kernel, bias: false }) : [];
    return [dx, dw ?? null, needs[2] ? view(sumTo(dy!, [1, b!.size, 1, 1]), b!.shape) : null];
  },
  expand({ inputs: [x, w, b], attrs }) {
    const [y] = record(convGradInputOp, [x!, w!], { ...attrs, relu: false, mask: false });
    return [b ? combine("add", y!, view(b, [1, b.size, 1, 1])) : y!];
  },
  multiplyAdds: ({ inputs: [x, w] }) => x!.size * sizeOf(w!.shape.slice(1)),
};

/** Transposed convolution as PyTorch's `conv_transpose2d`. Throws `ShapeError` where the shapes do not fit. */
export function convTranspose2d(x: Value, w: Value, b: Value | null, options: ConvTransposeOptions): Value {
  for (const value of [x, w, ...(b ? [b] : [])]) requireType(value, "f32", "convTranspose2d");
  const { stride, padding, outputPadding, dilation, groups } = options;
  const shapes = `input ${text(x.shape)}, weight ${text(w.shape)}, groups ${groups}`;
  if (x.shape.length !== 4 || w.shape.length !== 4) {
    throw new ShapeError(
      `convTranspose2d: expected input [N, C, H, W] and weight [C, O/groups, kh, kw], got ${shapes}`,
    );
  }
  if (x.shape[1] !== w.shape[0] || x.shape[1]! % groups !== 0) {
    throw new ShapeError(`convTranspose2d: the channels do not fit: ${shapes}`);
  }
  const channels = w.shape[1]! * groups;
  if (b && (b.shape.length !== 1 || b.shape[0] !== channels)) {
    throw new ShapeError(`convTranspose2d: bias ${text(b.shape)} does not fit ${channels} output channels`);
  }
  const size = [0, 1].map((i) => {
    const reach = dilation[i]! * (w.shape[i + 2]! - 1) + 1;
    return (x.shape[i + 2]! - 1) * stride[i]! - 2 * padding[i]! + reach + outputPadding[i]!;
  }) as unknown as Pair;
  if (size.some((extent) => extent < 1)) {
    throw new ShapeError(`convTranspose2d: nothing is left within the padding ${text(padding)}: ${shapes}`);
  }
  return record(convTransposeOp, b ? [x, w, b] : [x, w], { stride, padding, dilation, groups, size })[0]!;
}
