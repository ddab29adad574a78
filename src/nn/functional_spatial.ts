/**
 * The functions of `F` about height and width: averages, resizing, padding, and the transposed convolution.
 *
 * @module
 */
import * as avg from "../ops/pool/avg_pool.ts";
import * as transposed from "../ops/conv/transpose.ts";
import * as padding from "../ops/shape/pad.ts";
import { upsampleNearest2d } from "../ops/shape/upsample.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import {
  type AdaptiveSize,
  adaptiveSize,
  type AvgPool2dOptions,
  avgPoolOptions,
  biasOf,
  type ConvTranspose2dOptions,
  convTransposeOptions,
  type InterpolateOptions,
  interpolateOptions,
  type PadOptions,
  padOptions,
  padsOf,
  type Size,
} from "./options.ts";

export type { AdaptiveSize, AvgPool2dOptions, ConvTranspose2dOptions, InterpolateOptions, PadOptions };

/**
 * The mean of each window of x [N, C, H, W]: [N, C, OH, OW] with OH = ⌊(H + 2 padding − kh) / stride⌋ + 1, or, with
 * `ceilMode`, rounded up. As `torch.nn.functional.avg_pool2d`.
 *
 * @throws {ShapeError} if the window does not fit, or the padding is more than half of it.
 */
export function avgPool2d(x: Tensor, kernel: Size, options: AvgPool2dOptions = {}): Tensor {
  return new Tensor(avg.avgPool2d(valueOf(x, "avgPool2d"), avgPoolOptions(kernel, options)));
}

/**
 * The means of x [N, C, H, W] over windows that divide it as evenly as can be: [N, C, ...outputSize], window i of OH
 * being the rows from ⌊i H / OH⌋ to before ⌈(i + 1) H / OH⌉. Size 1 pools globally. As
 * `torch.nn.functional.adaptive_avg_pool2d`.
 *
 * @throws {ShapeError} if sizes are no integers of 1 or more.
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return new Tensor(avg.adaptiveAvgPool2d(valueOf(x, "adaptiveAvgPool2d"), adaptiveSize(outputSize)));
}

/**
 * x [N, C, H, W] at another size, by its nearest elements. As `torch.nn.functional.interpolate` with mode "nearest",
 * the only one so far.
 *
 * @throws {ShapeError} if not exactly one of `size` and `scaleFactor` is given.
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { size, scaled } = interpolateOptions(options);
  return new Tensor(upsampleNearest2d(valueOf(x, "interpolate"), size, scaled));
}

/**
 * x with elements added around: `pads` has two numbers for each dimension, before and behind, from the last dimension
 * on. Mode "constant" takes any number of dimensions, and cuts elements off if a number is negative; the others take [left,
 * right] for 2 or 3 dimensions and [left, right, top, bottom] for 3 or 4, and no negative numbers, which PyTorch
 * allows. As `torch.nn.functional.pad`.
 *
 * @throws {ShapeError} if more is reflected than lies behind the edge, or more repeated ("circular") than there is.
 */
export function pad(x: Tensor, pads: readonly number[], options: PadOptions = {}): Tensor {
  const { mode, value } = padOptions(options);
  return new Tensor(padding.pad(valueOf(x, "pad"), padsOf(pads, "pad"), mode, value));
}

/**
 * Transposed 2-D convolution: x [N, C, H, W], weight [C, O/groups, kh, kw], bias [O] to [N, O, OH, OW] with
 * OH = (H − 1) stride − 2 padding + dilation (kh − 1) + outputPadding + 1. As `torch.nn.functional.conv_transpose2d`.
 *
 * @throws {ShapeError} if shapes or options do not fit.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTranspose2dOptions = {},
): Tensor {
  const b = biasOf(bias, "convTranspose2d", "convTranspose2d(x, weight, null, { stride: 2 }) for options");
  const [x_, w] = [valueOf(x, "convTranspose2d"), valueOf(weight, "convTranspose2d")];
  return new Tensor(transposed.convTranspose2d(x_, w, b, convTransposeOptions(options)));
}
