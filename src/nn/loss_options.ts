/**
 * The options of losses, and their checks: a function and its module take the same ones.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import { type NllOptions, type Reduction, REDUCTIONS } from "../ops/loss/loss.ts";
import { checkOptions, describe, isF32 } from "../ops/options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";

/** Options that losses share. */
export interface LossOptions {
  /** How the losses of a batch become one: their mean (default), their sum, or "none": they do not. */
  reduction?: Reduction;
}

/** Options of the negative log-likelihood. */
export interface NllLossOptions extends LossOptions {
  /** The weight of each class, f32 [C], by which a mean is divided as well. Default: 1 for all. */
  weight?: Tensor | null;
  /**
   * Rows with this label count nothing, neither in the sum nor in the mean. A class, or a number that is none, such as
   * 255 or 4294967295. Default: none, where PyTorch has −100: labels are u32.
   */
  ignoreIndex?: number;
}

/** Options of the cross-entropy. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** How much of the target is spread evenly over all classes, 0 to 1. Default 0. */
  labelSmoothing?: number;
}

/** Options of the smooth L1 loss. */
export interface SmoothL1LossOptions extends LossOptions {
  /** The difference below which the loss is quadratic, 0 or more. Default 1. */
  beta?: number;
}

/** Options of Huber's loss. */
export interface HuberLossOptions extends LossOptions {
  /** The difference up to which the loss is quadratic, more than 0. Default 1. */
  delta?: number;
}

/** Options of the binary cross-entropy. */
export interface BCEWithLogitsLossOptions extends LossOptions {
  /** The weight of each element's loss; broadcast to the logits. Default: 1 for all. */
  weight?: Tensor | null;
  /** How much a target of 1 counts, next to one of 0; broadcast to the logits. Default: 1 for all. */
  posWeight?: Tensor | null;
}

const A_TENSOR = "tensor([1, 2])";
const LABEL_OPTIONS = { ignoreIndex: 255, weight: A_TENSOR };

function reductionOf(options: LossOptions, action: string): Reduction {
  const { reduction = "mean" } = options;
  if (!REDUCTIONS.includes(reduction)) {
    throw new ShapeError(`${action}: no such reduction: "${reduction}" (choose from ${REDUCTIONS.join(", ")})`);
  }
  return reduction;
}

const optional = (x: Tensor | null | undefined, what: string): Value | null =>
  x === undefined || x === null ? null : valueOf(x, what);

function ofLabels(options: NllLossOptions, smoothing: number, action: string): NllOptions {
  const { weight, ignoreIndex } = options, ignored = ignoreIndex ?? null;
  if (ignored !== null && !(Number.isInteger(ignored) && ignored >= 0 && ignored < 2 ** 32)) {
    throw new ShapeError(
      `${action}: ignoreIndex must be a whole number from 0 to 4294967295, as labels are, got ${describe(ignored)}`,
    );
  }
  return { weight: optional(weight, `${action}: weight`), ignored, smoothing, reduction: reductionOf(options, action) };
}

/** What the negative log-likelihood's kernels need, from what a user gave. */
export function nllOptions(options: NllLossOptions): NllOptions {
  checkOptions(options, { reduction: "sum", ...LABEL_OPTIONS }, "nllLoss");
  return ofLabels(options, 0, "nllLoss");
}

/** What the cross-entropy's kernels need, from what a user gave. */
export function crossEntropyOptions(options: CrossEntropyOptions): NllOptions {
  checkOptions(options, { reduction: "sum", labelSmoothing: 0.1, ...LABEL_OPTIONS }, "crossEntropy");
  const { labelSmoothing: smoothing = 0 } = options;
  if (typeof smoothing !== "number" || !(smoothing >= 0 && smoothing <= 1)) {
    throw new ShapeError(`crossEntropy: labelSmoothing must lie between 0 and 1, got ${smoothing}`);
  }
  return ofLabels(options, smoothing, "crossEntropy");
}

/** The reduction of a loss without other options. */
export function plainOptions(options: LossOptions, action: "mseLoss" | "l1Loss"): Reduction {
  checkOptions(options, { reduction: "sum" }, action);
  return reductionOf(options, action);
}

function boundOf(bound: number, fits: boolean, what: string): number {
  if (isF32(bound) && fits) return bound;
  throw new ShapeError(`${what}, got ${describe(bound)}`);
}

/** Where the smooth L1 loss becomes linear, and its reduction. */
export function smoothL1Options(options: SmoothL1LossOptions): { bound: number; reduction: Reduction } {
  checkOptions(options, { reduction: "sum", beta: 0.5 }, "smoothL1Loss");
  const { beta = 1 } = options;
  const bound = boundOf(beta, beta >= 0, "smoothL1Loss: beta must be a number of 0 or more");
  return { bound, reduction: reductionOf(options, "smoothL1Loss") };
}

/** Where Huber's loss becomes linear, and its reduction. */
export function huberOptions(options: HuberLossOptions): { bound: number; reduction: Reduction } {
  checkOptions(options, { reduction: "sum", delta: 0.5 }, "huberLoss");
  const { delta = 1 } = options;
  const bound = boundOf(delta, delta > 0, "huberLoss: delta must be a number above 0");
  return { bound, reduction: reductionOf(options, "huberLoss") };
}

/** The weights of the binary cross-entropy, and its reduction. */
export function bceOptions(
  options: BCEWithLogitsLossOptions,
): { weight: Value | null; positive: Value | null; reduction: Reduction } {
  const action = "binaryCrossEntropyWithLogits";
  checkOptions(options, { reduction: "sum", posWeight: A_TENSOR, weight: A_TENSOR }, action);
  const { weight, posWeight } = options;
  return {
    weight: optional(weight, `${action}: weight`),
    positive: optional(posWeight, `${action}: posWeight`),
    reduction: reductionOf(options, action),
  };
}
