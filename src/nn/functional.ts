/**
 * `F`: the functions behind the modules, as `torch.nn.functional` has them.
 *
 * @module
 */
import * as conv from "../ops/conv/conv.ts";
import { apply } from "../ops/elementwise/elementwise.ts";
import * as loss from "../ops/loss/log_softmax.ts";
import * as matmul from "../ops/matmul/matmul.ts";
import { pad } from "../ops/shape/pad.ts";
import * as pool from "../ops/pool/max_pool.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import { biasOf, type Conv2dOptions, convOptions, type MaxPool2dOptions, poolOptions, type Size } from "./options.ts";

export {
  elu,
  gelu,
  type GeluOptions,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  relu6,
  sigmoid,
  silu,
  softplus,
  type SoftplusOptions,
  tanh,
} from "./functional_activation.ts";
export * from "./functional_dropout.ts";
export * from "./functional_spatial.ts";
export * from "./loss_functions.ts";
export {
  batchNorm,
  batchNorm2d,
  type BatchNormOptions,
  groupNorm,
  layerNorm,
  type NormOptions,
} from "./functional_norm.ts";
export type { Conv2dOptions, MaxPool2dOptions, Size };

/**
 * 2-D convolution: x [N, C, H, W], weight [O, C/groups, kh, kw], bias [O] to [N, O, OH, OW] with
 * OH = ⌊(H + 2 padding − dilation (kh − 1) − 1) / stride⌋ + 1. As `torch.nn.functional.conv2d`.
 *
 * @throws {ShapeError} if shapes or options do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: Conv2dOptions = {}): Tensor {
  const b = biasOf(bias, "conv2d", "conv2d(x, weight, null, { stride: 2 }) for options");
  const input = valueOf(x, "conv2d"), w = valueOf(weight, "conv2d");
  const { behind: [down, right], ...attrs } = convOptions(options, [w.shape[2] ?? 1, w.shape[3] ?? 1]);
  const padded = down + right > 0 ? pad(input, [0, right, 0, down], "constant", 0) : input;
  return new Tensor(conv.conv2d(padded, w, b, attrs));
}

/**
 * The maximum of each window of x [N, C, H, W]. The gradient goes to the first maximum. As
 * `torch.nn.functional.max_pool2d`.
 *
 * @throws {ShapeError} if the window does not fit, or the padding is more than half of it.
 */
export function maxPool2d(x: Tensor, kernel: Size, options: MaxPool2dOptions = {}): Tensor {
  return new Tensor(pool.maxPool2d(valueOf(x, "maxPool2d"), poolOptions(kernel, options)));
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
