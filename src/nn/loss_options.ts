/**
 * The options of losses, as tables: a function and its module read the same one.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import { type NllOptions, type Reduction, REDUCTIONS } from "../ops/loss/loss.ts";
import { isF32, must, option, type Reader, readOptions } from "../ops/options.ts";
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
   * Rows with this label do not count, neither in the sum nor in the mean. A class, or a number that is none, such as
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

const reductionOf: Reader<Reduction> = (value, what) => {
  if (REDUCTIONS.includes(value as Reduction)) return value as Reduction;
  const action = what.slice(0, what.indexOf(":"));
  throw new ShapeError(`${action}: no such reduction: "${value}" (choose from ${REDUCTIONS.join(", ")})`);
};

const optionalValue: Reader<Value | null> = (value, what) =>
  value === undefined || value === null ? null : valueOf(value as Tensor, what);

const label = must<number>(
  (value) => Number.isInteger(value) && value as number >= 0 && value as number < 2 ** 32,
  "be a whole number from 0 to 4294967295, as labels are",
);
const optionalLabel: Reader<number | null> = (value, what) => (value ?? null) === null ? null : label(value, what);

const smoothing = must<number>(
  (value) => typeof value === "number" && value >= 0 && value <= 1,
  "lie between 0 and 1",
  String,
);
const beta = must<number>((value) => isF32(value) && value >= 0, "be a number of 0 or more");
const delta = must<number>((value) => isF32(value) && value > 0, "be a number above 0");

const REDUCTION = { reduction: option(reductionOf, "mean", "sum") } as const;
const WEIGHT = { weight: option(optionalValue, null, "tensor([1, 2])") } as const;
const LABELS = { ignoreIndex: option(optionalLabel, null, 255), ...WEIGHT } as const;
const NLL = { ...REDUCTION, ...LABELS } as const;
const CROSS_ENTROPY = { ...REDUCTION, labelSmoothing: option(smoothing, 0, 0.1), ...LABELS } as const;
const SMOOTH_L1 = { ...REDUCTION, beta: option(beta, 1, 0.5) } as const;
const HUBER = { ...REDUCTION, delta: option(delta, 1, 0.5) } as const;
const BCE = { ...REDUCTION, posWeight: WEIGHT.weight, ...WEIGHT } as const;

/** The options of the negative log-likelihood. */
export function nllOptions(options: NllLossOptions): NllOptions {
  const { ignoreIndex: ignored, weight, reduction } = readOptions(options, NLL, "nllLoss");
  return { weight, ignored, smoothing: 0, reduction };
}

/** The options of the cross-entropy. */
export function crossEntropyOptions(options: CrossEntropyOptions): NllOptions {
  const read = readOptions(options, CROSS_ENTROPY, "crossEntropy");
  return { weight: read.weight, ignored: read.ignoreIndex, smoothing: read.labelSmoothing, reduction: read.reduction };
}

/** The reduction of a loss without other options. */
export function plainOptions(options: LossOptions, action: "mseLoss" | "l1Loss"): Reduction {
  return readOptions(options, REDUCTION, action).reduction;
}

/** Where the smooth L1 loss becomes linear, and its reduction. */
export function smoothL1Options(options: SmoothL1LossOptions): { bound: number; reduction: Reduction } {
  const { beta: bound, reduction } = readOptions(options, SMOOTH_L1, "smoothL1Loss");
  return { bound, reduction };
}

/** Where Huber's loss becomes linear, and its reduction. */
export function huberOptions(options: HuberLossOptions): { bound: number; reduction: Reduction } {
  const { delta: bound, reduction } = readOptions(options, HUBER, "huberLoss");
  return { bound, reduction };
}

/** The weights of the binary cross-entropy, and its reduction. */
export function bceOptions(
  options: BCEWithLogitsLossOptions,
): { weight: Value | null; posWeight: Value | null; reduction: Reduction } {
  return readOptions(options, BCE, "binaryCrossEntropyWithLogits");
}
