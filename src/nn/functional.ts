/**
 * `F`: the functions behind the modules, as `torch.nn.functional` has them.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import * as conv from "../ops/conv.ts";
import { apply } from "../ops/elementwise.ts";
import * as loss from "../ops/loss.ts";
import * as matmul from "../ops/matmul.ts";
import { checkOptions, describe } from "../ops/options.ts";
import * as pool from "../ops/pool.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";

/** One number for both dimensions, or [height, width]. */
export type Size = number | readonly [number, number];

export interface Conv2dOptions {
  /** Default 1. */
  stride?: Size;
  /** Zeros added on each side. Default 0. */
  padding?: Size;
  /** Distance between the kernel's taps. Default 1. */
  dilation?: Size;
  /** Input and output channels are split into so many groups, each convolved apart. Default 1. */
  groups?: number;
}

export interface MaxPool2dOptions {
  /** Default: the kernel's size. */
  stride?: Size;
  /** Places added on each side that are never the maximum; at most half of the kernel. Default 0. */
  padding?: Size;
}

/** How the losses of a batch become one: their mean (default), their sum, or all of them. */
export interface LossOptions {
  reduction?: loss.Reduction;
}

export interface CrossEntropyOptions extends LossOptions {
  /** How much of the target is spread evenly over all classes, 0 to 1. Default 0. */
  labelSmoothing?: number;
}

/** The value of a bias, which may be left out. Options in its place are what a caller may well write. */
function biasOf(bias: Tensor | null | undefined, action: string, usage: string): Value | null {
  if (bias === undefined || bias === null) return null;
  if (bias instanceof Tensor) return bias.value;
  throw new ShapeError(`${action}: expected a bias (a Tensor or null), got ${describe(bias)}; write ${usage}`);
}

/**
 * 2-D convolution: x [N, C, H, W], weight [O, C/groups, kh, kw], bias [O] to [N, O, OH, OW] with
 * OH = ⌊(H + 2 padding − dilation (kh − 1) − 1) / stride⌋ + 1. As `torch.nn.functional.conv2d`.
 *
 * @throws {ShapeError} where shapes or options do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: Conv2dOptions = {}): Tensor {
  const b = biasOf(bias, "conv2d", "conv2d(x, weight, null, { stride: 2 }) for options");
  return new Tensor(conv.conv2d(valueOf(x, "conv2d"), valueOf(weight, "conv2d"), b, convOptions(options)));
}

export function convOptions(options: Conv2dOptions): conv.ConvOptions {
  checkOptions(options, { stride: 2, padding: 1, dilation: 2, groups: 2 }, "conv2d");
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1) throw new ShapeError(`conv2d: groups must be 1 or more, got ${groups}`);
  return {
    stride: conv.pair(stride, 1, "conv2d: stride"),
    padding: conv.pair(padding, 0, "conv2d: padding"),
    dilation: conv.pair(dilation, 1, "conv2d: dilation"),
    groups,
  };
}

/**
 * The maximum of each window of x [N, C, H, W]. The gradient goes to the first maximum. As
 * `torch.nn.functional.max_pool2d`.
 *
 * @throws {ShapeError} where the window does not fit, or the padding is more than half of it.
 */
export function maxPool2d(x: Tensor, kernel: Size, options: MaxPool2dOptions = {}): Tensor {
  return new Tensor(pool.maxPool2d(valueOf(x, "maxPool2d"), poolOptions(kernel, options)));
}

export function poolOptions(kernel: Size, options: MaxPool2dOptions): pool.PoolAttrs {
  checkOptions(options, { stride: 2, padding: 1 }, "maxPool2d");
  return {
    kernel: conv.pair(kernel, 1, "maxPool2d: kernel"),
    stride: conv.pair(options.stride ?? kernel, 1, "maxPool2d: stride"),
    padding: conv.pair(options.padding ?? 0, 0, "maxPool2d: padding"),
  };
}

/** x [..., in] weight [out, in]ᵀ + bias [out]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const b = biasOf(bias, "linear", "linear(x, weight) for none");
  return new Tensor(matmul.linear(valueOf(x, "linear"), valueOf(weight, "linear"), b));
}

/** max(x, 0). */
export const relu = (x: Tensor): Tensor => new Tensor(apply("relu", valueOf(x, "relu")));
/** exp(x) over its sum along `dim` (default: the last). */
export const softmax = (x: Tensor, dim = -1): Tensor => new Tensor(loss.softmax(valueOf(x, "softmax"), dim));
/** The logarithm of `softmax`, computed without overflow. */
export const logSoftmax = (x: Tensor, dim = -1): Tensor => new Tensor(loss.logSoftmax(valueOf(x, "logSoftmax"), dim));

function reductionOf(options: LossOptions, action: string): loss.Reduction {
  const { reduction = "mean" } = options;
  if (!loss.REDUCTIONS.includes(reduction)) {
    throw new ShapeError(`${action}: no such reduction: "${reduction}" (choose from ${loss.REDUCTIONS.join(", ")})`);
  }
  return reduction;
}

/**
 * Cross-entropy of logits [N, C] and labels u32 [N]: −log softmax at the label. As `torch.nn.functional.cross_entropy`.
 * A label of C or more gives NaN, where the labels are only known on the GPU.
 *
 * @throws {ShapeError} where shapes, types, options or (known) labels do not fit.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const x = valueOf(logits, "crossEntropy"), y = valueOf(labels, "crossEntropy");
  return new Tensor(loss.crossEntropy(x, y, crossEntropyOptions(options)));
}

export function crossEntropyOptions(options: CrossEntropyOptions): { smoothing: number; reduction: loss.Reduction } {
  checkOptions(options, { reduction: "sum", labelSmoothing: 0.1 }, "crossEntropy");
  const { labelSmoothing: smoothing = 0 } = options;
  if (typeof smoothing !== "number" || !(smoothing >= 0 && smoothing <= 1)) {
    throw new ShapeError(`crossEntropy: labelSmoothing must lie between 0 and 1, got ${smoothing}`);
  }
  return { smoothing, reduction: reductionOf(options, "crossEntropy") };
}

/** The squared differences of x and y, which are broadcast together. As `torch.nn.functional.mse_loss`. */
export function mseLoss(x: Tensor, y: Tensor, options: LossOptions = {}): Tensor {
  return new Tensor(loss.mseLoss(valueOf(x, "mseLoss"), valueOf(y, "mseLoss"), mseOptions(options)));
}

export function mseOptions(options: LossOptions): loss.Reduction {
  checkOptions(options, { reduction: "sum" }, "mseLoss");
  return reductionOf(options, "mseLoss");
}
