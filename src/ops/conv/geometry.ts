/**
 * The options of convolutions, and the sizes that follow from them.
 *
 * @module
 */
import type { Value } from "../../graph/node.ts";
import type { Pair } from "../options.ts";

/** The options of a convolution, as PyTorch has them. */
export interface ConvOptions {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** The attributes of a convolution; with `relu`, its result is max(y, 0). */
export interface ConvAttrs extends ConvOptions {
  readonly relu: boolean;
}

/** The windows of a max-pool whose gradient a convolution reads as one value and one index for each window. */
export interface Pooled {
  readonly window: Pair;
  /** The height and the width of the gradient with its zeros, [H, W]. */
  readonly size: Pair;
}

/** A step, or a window, of 1 x 1. */
export const ONE: Pair = [1, 1];

/** The number of positions at which a window of `kernel` fits into `size`. */
export function positions(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** The height and the width of `x` [.., .., H, W]. */
export const sizeOfImage = (x: Value): Pair => [x.shape[2]!, x.shape[3]!];

/** The shape [N, O, OH, OW] of a convolution's output. */
export function outputShape(x: Value, w: Value, { stride, padding, dilation }: ConvOptions): number[] {
  const [h, width] = sizeOfImage(x), [kh, kw] = sizeOfImage(w);
  return [
    x.shape[0]!,
    w.shape[0]!,
    positions(h, kh, stride[0], padding[0], dilation[0]),
    positions(width, kw, stride[1], padding[1], dilation[1]),
  ];
}

/** The constants of a kernel that have a value for the height, `…_H`, and one for the width, `…_W`. */
export function pairs(both: Readonly<Record<string, Pair>>): Record<string, number> {
  return Object.fromEntries(Object.entries(both).flatMap(([name, [h, w]]) => [[`${name}_H`, h], [`${name}_W`, w]]));
}
