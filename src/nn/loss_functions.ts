/**
 * The losses of `F`, as `torch.nn.functional` has them. Each takes `reduction`: "mean" (default), "sum" or "none".
 *
 * @module
 */
import * as loss from "../ops/loss/loss.ts";
import * as pointwise from "../ops/loss/pointwise.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import {
  bceOptions,
  type BCEWithLogitsLossOptions,
  type CrossEntropyOptions,
  crossEntropyOptions,
  type HuberLossOptions,
  huberOptions,
  type LossOptions,
  type NllLossOptions,
  nllOptions,
  plainOptions,
  type SmoothL1LossOptions,
  smoothL1Options,
} from "./options.ts";

export type {
  BCEWithLogitsLossOptions,
  CrossEntropyOptions,
  HuberLossOptions,
  LossOptions,
  NllLossOptions,
  SmoothL1LossOptions,
};

/**
 * Cross-entropy of logits f32 [N, C, …], and labels u32 [N, …]: −log softmax at the label. Or of logits [C] and one
 * label []. Or of probabilities f32 of the logits' shape, which gradients reach too: −Σ t log softmax. As
 * `torch.nn.functional.cross_entropy`; its `gradFn` is one node, while PyTorch has several for `labelSmoothing` and
 * for probabilities. A label of C or more gives NaN if the labels are only known on the GPU.
 *
 * @throws {ShapeError} if shapes, types, options or (known) labels do not fit, `ignoreIndex` is given for
 * probabilities, or a weight that requires gradients for labels.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const x = valueOf(logits, "crossEntropy"), y = valueOf(targets, "crossEntropy");
  return new Tensor(loss.crossEntropy(x, y, crossEntropyOptions(options)));
}

/**
 * The negative log-likelihood: minus the log-probabilities f32 [N, C, …] (`logSoftmax` gives them) at the labels u32
 * [N, …]; or [C] and []. As `torch.nn.functional.nll_loss`. A label of C or more is treated as by `crossEntropy`.
 *
 * @throws {ShapeError} if shapes, types, options or (known) labels do not fit, or the weight requires gradients.
 */
export function nllLoss(p: Tensor, labels: Tensor, options: NllLossOptions = {}): Tensor {
  const x = valueOf(p, "nllLoss"), y = valueOf(labels, "nllLoss");
  return new Tensor(loss.nllLoss(x, y, nllOptions(options)));
}

/** The squared differences of x and y, which are broadcast together. As `torch.nn.functional.mse_loss`. */
export function mseLoss(x: Tensor, y: Tensor, options: LossOptions = {}): Tensor {
  const a = valueOf(x, "mseLoss"), b = valueOf(y, "mseLoss");
  return new Tensor(pointwise.differenceLoss("mseLoss", a, b, plainOptions(options, "mseLoss")));
}

/** The magnitudes of the differences of x and y, which are broadcast together. As `torch.nn.functional.l1_loss`. */
export function l1Loss(x: Tensor, y: Tensor, options: LossOptions = {}): Tensor {
  return new Tensor(pointwise.l1Loss(valueOf(x, "l1Loss"), valueOf(y, "l1Loss"), plainOptions(options, "l1Loss")));
}

/**
 * With d = x − y, which are broadcast together: d² / 2 beta where |d| < beta, else |d| − beta / 2. As
 * `torch.nn.functional.smooth_l1_loss`; with beta = 0 the gradient at d = 0 is −1, as there.
 */
export function smoothL1Loss(x: Tensor, y: Tensor, options: SmoothL1LossOptions = {}): Tensor {
  const a = valueOf(x, "smoothL1Loss"), b = valueOf(y, "smoothL1Loss");
  const { bound, reduction } = smoothL1Options(options);
  return new Tensor(pointwise.differenceLoss("smoothL1Loss", a, b, reduction, bound));
}

/**
 * With d = x − y, which are broadcast together: d² / 2 where |d| ≤ delta, else delta (|d| − delta / 2). As
 * `torch.nn.functional.huber_loss`.
 */
export function huberLoss(x: Tensor, y: Tensor, options: HuberLossOptions = {}): Tensor {
  const a = valueOf(x, "huberLoss"), b = valueOf(y, "huberLoss"), { bound, reduction } = huberOptions(options);
  return new Tensor(pointwise.differenceLoss("huberLoss", a, b, reduction, bound));
}

/**
 * Binary cross-entropy of logits x and targets t of the same shape, from 0 to 1, without overflow:
 * −weight (posWeight t log σ(x) + (1 − t) log(1 − σ(x))). As `torch.nn.functional.binary_cross_entropy_with_logits`.
 *
 * @throws {ShapeError} if shapes or options do not fit, or a weight requires gradients.
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  targets: Tensor,
  options: BCEWithLogitsLossOptions = {},
): Tensor {
  const x = valueOf(logits, "binaryCrossEntropyWithLogits"), t = valueOf(targets, "binaryCrossEntropyWithLogits");
  const { weight, posWeight, reduction } = bceOptions(options);
  return new Tensor(pointwise.binaryCrossEntropyWithLogits(x, t, weight, posWeight, reduction));
}
