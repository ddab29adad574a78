/**
 * The options of functions and layers, as tables: a function and its layer read the same one. What a function returns
 * here is what the ops need.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import type { ConvOptions } from "../ops/conv/geometry.ts";
import type { ConvTransposeOptions } from "../ops/conv/transpose.ts";
import { type NllOptions, type Reduction, REDUCTIONS } from "../ops/loss/loss.ts";
import {
  checkFlag,
  describe,
  isF32,
  must,
  oneOf,
  option,
  type Pair,
  pair,
  type Reader,
  readOptions,
  size,
} from "../ops/options.ts";
import type { AvgPoolOptions } from "../ops/pool/avg_pool.ts";
import type { PoolAttrs } from "../ops/pool/max_pool.ts";
import { PAD_MODES, type PadMode } from "../ops/shape/pad.ts";
import { text } from "../ops/shape/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";

// --- readers ---------------------------------------------------------------------------------------------------------

/** Reads null too. */
const nullable = <T>(read: Reader<T>): Reader<T | null> => (value, what) => value === null ? null : read(value, what);

/** Reads a number of channels, features or groups. */
export const count: Reader<number> = must((n) => Number.isInteger(n) && n as number >= 1, "be 1 or more", String);

/** Reads a probability. */
export const probability: Reader<number> = must(
  (p) => typeof p === "number" && p >= 0 && p <= 1,
  "be a probability, from 0 to 1",
);

/** One number for both dimensions, or [height, width]. */
export type Size = number | readonly [number, number];

/** The value of a bias, which may be missing. Options in its place, a likely mistake, are refused. */
export function biasOf(bias: Tensor | null | undefined, action: string, usage: string): Value | null {
  if (bias === undefined || bias === null) return null;
  if (bias instanceof Tensor) return bias.value;
  throw new ShapeError(`${action}: expected a bias (a Tensor or null), got ${describe(bias)}; write ${usage}`);
}

// --- convolutions ----------------------------------------------------------------------------------------------------

/** How the kernel of a convolution moves over its input. */
export interface Conv2dOptions {
  /** Default 1. */
  stride?: Size;
  /**
   * Zeros added on each side; "valid" adds none, and "same" as many as keep height and width, for stride 1: an odd one is
   * added at the bottom or at the right. Default 0.
   */
  padding?: Size | "same" | "valid";
  /** Distance between the kernel's taps. Default 1. */
  dilation?: Size;
  /** Input and output channels are split into this number of groups, and each group is convolved alone. Default 1. */
  groups?: number;
}

const convPadding: Reader<Pair | "same"> = (value, what) => {
  if (value === "same") return value;
  if (value === "valid") return [0, 0];
  if (typeof value !== "string") return pair(value, 0, what);
  throw new ShapeError(`${what} must be numbers, "same" or "valid", got ${describe(value)}`);
};

const CONV = {
  stride: option(size(1), 1, 2),
  padding: option(convPadding, 0, 1),
  dilation: option(size(1), 1, 2),
  groups: option(count, 1, 2),
} as const;

/**
 * The options of a convolution with a `kernel` of this size.
 *
 * @returns with `behind`: the padding that "same" adds at the bottom and at the right besides.
 */
export function convOptions(options: Conv2dOptions, kernel: Pair): ConvOptions & { readonly behind: Pair } {
  const { padding, ...others } = readOptions(options, CONV, "conv2d"), { stride, dilation } = others;
  if (padding !== "same") return { ...others, padding, behind: [0, 0] };
  if (stride.some((by) => by !== 1)) {
    throw new ShapeError(`conv2d: padding "same" takes stride 1, got [${stride.join(", ")}]`);
  }
  const total = kernel.map((extent, i) => dilation[i]! * (extent - 1));
  const half = total.map((by) => Math.floor(by / 2)) as unknown as Pair;
  return { ...others, padding: half, behind: total.map((by) => by % 2) as unknown as Pair };
}

/** How the kernel of a transposed convolution moves over its output. */
export interface ConvTranspose2dOptions {
  /** The distance in the output between neighbours in the input. Default 1. */
  stride?: Size;
  /** Rows and columns of the output that are cut off on each side. Default 0. */
  padding?: Size;
  /** Rows and columns added at the bottom and at the right; less than `stride` or `dilation`. Default 0. */
  outputPadding?: Size;
  /** Input and output channels are split into this number of groups. Default 1. */
  groups?: number;
  /** Distance between the kernel's taps. Default 1. */
  dilation?: Size;
}

const CONV_TRANSPOSE = {
  stride: option(size(1), 1, 2),
  padding: option(size(0), 0, 1),
  outputPadding: option(size(0), 0, 1),
  groups: option(count, 1, 2),
  dilation: option(size(1), 1, 2),
} as const;

/** The options of a transposed convolution. */
export function convTransposeOptions(options: ConvTranspose2dOptions): ConvTransposeOptions {
  const action = "convTranspose2d";
  const { stride, padding, outputPadding, dilation, groups } = readOptions(options, CONV_TRANSPOSE, action);
  if (outputPadding.some((by, i) => by >= Math.max(stride[i]!, dilation[i]!))) {
    const than = `stride ${text(stride)} or dilation ${text(dilation)}`;
    throw new ShapeError(`${action}: outputPadding ${text(outputPadding)} must be less than ${than}`);
  }
  return { stride, padding, outputPadding, dilation, groups };
}

// --- pools -----------------------------------------------------------------------------------------------------------

/** How the window of a max-pool moves over its input. */
export interface MaxPool2dOptions {
  /** Default: the kernel's size. */
  stride?: Size;
  /** Elements added on each side that are never the maximum; at most half of the kernel. Default 0. */
  padding?: Size;
}

/** The options of a max-pool. */
export function poolOptions(kernel: Size, options: MaxPool2dOptions): PoolAttrs {
  const table = { stride: option(size(1), kernel, 2), padding: option(size(0), 0, 1) };
  const both = pair(kernel, 1, "maxPool2d: kernel");
  return { kernel: both, ...readOptions(options, table, "maxPool2d") };
}

/** How the window of an average pool moves over its input. */
export interface AvgPool2dOptions {
  /** Default: the kernel's size. */
  stride?: Size;
  /** Zeros added on each side, at most half of the kernel. Default 0. */
  padding?: Size;
  /** Whether a last window may reach over the edge, so that no element is left out. Default false. */
  ceilMode?: boolean;
  /** Whether the padding counts in the number that a sum is divided by. Default true. */
  countIncludePad?: boolean;
  /** The number that every sum is divided by instead, a whole number other than 0. Default: none. */
  divisorOverride?: number | null;
}

const DIVISOR = must<number>((n) => Number.isInteger(n) && n !== 0, "be a whole number other than 0");

/** The options of an average pool. */
export function avgPoolOptions(kernel: Size, options: AvgPool2dOptions): AvgPoolOptions {
  const table = {
    stride: option(size(1), kernel, 2),
    padding: option(size(0), 0, 1),
    ceilMode: option(checkFlag, false, true),
    countIncludePad: option(checkFlag, true, false),
    divisorOverride: option(nullable(DIVISOR), null, 3),
  };
  const both = pair(kernel, 1, "avgPool2d: kernel"), read = readOptions(options, table, "avgPool2d");
  return { kernel: both, ...read, divisorOverride: read.divisorOverride ?? 0 };
}

/** The size of an adaptive pool's output: one number for both dimensions, or [height, width]; null: the input's. */
export type AdaptiveSize = number | readonly [number | null, number | null];

/** The height and the width of an adaptive pool's output. */
export function adaptiveSize(size: AdaptiveSize): readonly [number | null, number | null] {
  const both = typeof size === "number" ? [size, size] : size;
  const fits = (one: unknown) => one === null || (Number.isInteger(one) && one as number > 0);
  if (Array.isArray(both) && both.length === 2 && both.every(fits)) return both as [number | null, number | null];
  const got = Array.isArray(size) ? JSON.stringify(size) : describe(size);
  throw new ShapeError(`adaptiveAvgPool2d: expected a size of 1 or more, or two of them (null: as it is), got ${got}`);
}

// --- sizes and padding -----------------------------------------------------------------------------------------------

/** How an image is resized: exactly one of `size` and `scaleFactor`. */
export interface InterpolateOptions {
  /** The new height and width. */
  size?: Size | null;
  /** The factors of height and width: any numbers above 0. The new extents are rounded down. */
  scaleFactor?: Size | null;
  /** Which element is selected. Default, and the only one so far: "nearest", PyTorch's, which rounds down. */
  mode?: "nearest";
}

const factors: Reader<Pair> = (value) => {
  const both = typeof value === "number" ? [value, value] : value;
  if (Array.isArray(both) && both.length === 2 && both.every((by) => Number.isFinite(by) && by > 0)) {
    return both as unknown as Pair;
  }
  const got = Array.isArray(value) ? text(value) : describe(value);
  throw new ShapeError(`interpolate: expected a scaleFactor above 0, or two of them, got ${got}`);
};

const INTERPOLATE = {
  size: option(nullable(size(1)), null, 8),
  scaleFactor: option(nullable(factors), null, 2),
  mode: option(must<"nearest">((mode) => mode === "nearest", 'be "nearest"'), "nearest"),
} as const;

/** The size, or the factors. */
export function interpolateOptions(options: InterpolateOptions): { size: Pair; scaled: boolean } {
  const { size, scaleFactor } = readOptions(options, INTERPOLATE, "interpolate");
  if (size !== null && scaleFactor === null) return { size, scaled: false };
  if (size === null && scaleFactor !== null) return { size: scaleFactor, scaled: true };
  const got = size === null ? "neither" : "both";
  throw new ShapeError(`interpolate: expected either size or scaleFactor, got ${got}`);
}

/** What is added around a tensor. */
export interface PadOptions {
  /**
   * "constant" (default): `value`; "reflect": the input mirrored at its edges, which are not repeated; "replicate": its
   * edges; "circular": the input again, from its other end.
   */
  mode?: PadMode;
  /** The value of "constant". Default 0. */
  value?: number;
}

const PAD = {
  mode: option(oneOf(...PAD_MODES), "constant", "reflect"),
  value: option(must<number>((value) => typeof value === "number", "be a number"), 0, 1),
} as const;

/** The mode and the value of a padding. */
export function padOptions(options: PadOptions): Required<PadOptions> {
  const { mode, value } = readOptions(options, PAD, "pad");
  if (value && mode !== "constant") throw new ShapeError(`pad: mode ${describe(mode)} takes no value, got ${value}`);
  return { mode, value };
}

/** The numbers of a padding, checked: an even number of integers. */
export function padsOf(pads: readonly number[], action: string): readonly number[] {
  if (Array.isArray(pads) && pads.length % 2 === 0 && pads.length > 0 && pads.every(Number.isInteger)) return pads;
  const got = Array.isArray(pads) ? text(pads) : describe(pads);
  throw new ShapeError(`${action}: expected [left, right] or [left, right, top, bottom] in integers, got ${got}`);
}

// --- losses ----------------------------------------------------------------------------------------------------------

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
