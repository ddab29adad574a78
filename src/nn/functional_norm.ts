/**
 * The normalisations of `F`, as `torch.nn.functional` has them.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Shape, Value } from "../graph/node.ts";
import type { Layout } from "../ops/norm/layout.ts";
import { normalize } from "../ops/norm/norm.ts";
import { updateRunning } from "../ops/norm/statistics.ts";
import { checkFlag, describe, f32, f32Amount, option, readOptions } from "../ops/options.ts";
import { requireType, text } from "../ops/shape/shape.ts";
import { view } from "../ops/shape/view.ts";
import { noGrad } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";

/** The options of all normalisations. */
export interface NormOptions {
  /** Added to the variance, 0 or more. Default 1e-5. */
  eps?: number;
}

/** The options of the normalisation of a batch. */
export interface BatchNormOptions extends NormOptions {
  /** Uses the statistics of the batch, which update the running ones, instead of the running ones. Default false. */
  training?: boolean;
  /** The weight of a batch in the running statistics. Default 0.1. */
  momentum?: number;
}

/** The running mean, the running variance and, if it is counted, the number of batches so far. */
export type Running = readonly [Tensor, Tensor, Tensor?];

const EPS = { eps: option(f32Amount, 1e-5) } as const;
const BATCH = { training: option(checkFlag, false, true), momentum: option(f32, 0.1), ...EPS } as const;

/** A weight or bias of `shape`, as [size]; null for none. */
function affineOf(given: Tensor | null, shape: Shape, what: string): Value | null {
  if (given === null) return null;
  const value = valueOf(given, what);
  requireType(value, "f32", what);
  if (text(value.shape) !== text(shape)) {
    throw new ShapeError(`${what}: expected ${text(shape)}, got ${text(value.shape)}`);
  }
  return view(value, [value.size]);
}

function inputOf(x: Tensor, leastRank: number, action: string): Value {
  const value = valueOf(x, action);
  requireType(value, "f32", action);
  if (value.shape.length >= leastRank) return value;
  throw new ShapeError(`${action}: expected an input of ${leastRank} dimensions or more, got ${text(value.shape)}`);
}

/** PyTorch refuses single values too: each is its mean, so that the result would be 0. */
function checkCount(count: number, shape: Shape, action: string): void {
  if (count > 1) return;
  throw new ShapeError(`${action}: expected more than 1 value per channel when training, got input ${text(shape)}`);
}

/**
 * `batchNorm` with checked options, in training if `training` is true or `running` is null. A `momentum` of null
 * is one over the number of batches, which must be counted then.
 */
export function normalizeBatch(
  x: Tensor,
  running: Running | null,
  weight: Tensor | null,
  bias: Tensor | null,
  { training, momentum, eps }: { training: boolean; momentum: number | null; eps: number },
): Tensor {
  const action = "batchNorm", value = inputOf(x, 2, action), [n, channels] = value.shape as [number, number];
  const plane = value.size / n / channels, layout: Layout = { outer: n, sets: channels, inner: plane, channels, plane };
  const affine = {
    weight: affineOf(weight, [channels], `${action}: weight`),
    bias: affineOf(bias, [channels], `${action}: bias`),
  };
  const names = ["runningMean", "runningVar"];
  const stats = names.map((name, i) => running && affineOf(running[i]!, [channels], `${action}: ${name}`)!);
  const wrong = stats.findIndex((one) => one?.needsGrad);
  if (wrong >= 0) throw new ShapeError(`${action}: ${names[wrong]} must not require a gradient`);
  if (!training && running) {
    return new Tensor(normalize("batch", value, { ...affine, given: stats as [Value, Value] }, layout, eps)[0]!);
  }
  checkCount(n * plane, value.shape, action);
  const [y, mean, variance] = normalize("batch", value, affine, layout, eps);
  if (running) {
    noGrad(() => {
      const statistics = running.flatMap((one) => one ?? []), attrs = { count: n * plane, momentum };
      const next = updateRunning(statistics.map((one) => one.value), mean!, variance!, attrs);
      statistics.forEach((one, i) => one.assign(next[i]!, action));
    });
  }
  return new Tensor(y!);
}

/**
 * Normalises each channel of x [N, C, …]: (x − mean) / √(variance + eps) weight + bias, with weight and bias [C] or
 * null. In training, mean and variance (biased) are those of the batch, over all dimensions but the channels; running
 * ones [C], if given, become (1 − momentum) running + momentum batch, in place, with the unbiased variance. As
 * `torch.nn.functional.batch_norm`.
 *
 * @throws {ShapeError} if shapes or options do not fit, only one of the running statistics is given or, outside of
 * training, none, one requires a gradient, or a channel has one value only in training.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: BatchNormOptions = {},
): Tensor {
  const action = "batchNorm";
  const read = readOptions(options, BATCH, action), { training } = read;
  if ((runningMean === null) !== (runningVar === null) || (!training && runningMean === null)) {
    const got = runningMean ? "only runningMean" : runningVar ? "only runningVar" : "none";
    throw new ShapeError(
      `${action}: expected runningMean and runningVar${training ? ", or null twice" : ""}; got ${got}`,
    );
  }
  const running: Running | null = runningMean && runningVar && [runningMean, runningVar];
  return normalizeBatch(x, running, weight, bias, read);
}

/** `batchNorm` of images x [N, C, H, W]. */
export const batchNorm2d = batchNorm;

/** Refuses a number of groups that does not divide the channels. */
export function checkGroups(groups: number, channels: number, action: string): void {
  if (Number.isInteger(groups) && groups >= 1 && channels % groups === 0) return;
  throw new ShapeError(`${action}: ${channels} channels do not divide into ${describe(groups)} groups`);
}

/**
 * Normalises each group of channels of each image of x [N, C, …] by its own mean and variance, then weight and bias
 * [C], or null, of the channel. As `torch.nn.functional.group_norm`.
 *
 * @throws {ShapeError} if shapes or options do not fit, or N C / groups … is 1.
 */
export function groupNorm(
  x: Tensor,
  groups: number,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: NormOptions = {},
): Tensor {
  const action = "groupNorm", value = inputOf(x, 2, action), [n, channels] = value.shape as [number, number];
  const { eps } = readOptions(options, EPS, action);
  checkGroups(groups, channels, action);
  checkCount(value.size / groups, value.shape, action);
  const sets = n * groups, plane = value.size / n / channels;
  const affine = {
    weight: affineOf(weight, [channels], `${action}: weight`),
    bias: affineOf(bias, [channels], `${action}: bias`),
  };
  const layout = { outer: 1, sets, inner: value.size / sets, channels, plane };
  return new Tensor(normalize("group", value, affine, layout, eps)[0]!);
}

/** A shape as a list: a number is the extent of one dimension. */
export function normalizedOf(shape: number | Shape, action: string): Shape {
  const list = typeof shape === "number" ? [shape] : shape;
  if (Array.isArray(list) && list.length > 0 && list.every((one) => Number.isInteger(one) && one >= 1)) {
    return [...list];
  }
  throw new ShapeError(
    `${action}: expected the extents of the last dimensions, such as 8 or [4, 4], got ${describe(shape)}`,
  );
}

/**
 * Normalises x over its last dimensions, whose extents are `normalizedShape`, by the mean and variance of each such
 * slice, then weight and bias of that shape, or null. As `torch.nn.functional.layer_norm`.
 *
 * @throws {ShapeError} if shapes or options do not fit.
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: number | Shape,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: NormOptions = {},
): Tensor {
  const action = "layerNorm", shape = normalizedOf(normalizedShape, action), value = inputOf(x, shape.length, action);
  const { eps } = readOptions(options, EPS, action);
  if (text(value.shape.slice(-shape.length)) !== text(shape)) {
    throw new ShapeError(`${action}: the input ${text(value.shape)} does not end with ${text(shape)}`);
  }
  const channels = shape.reduce((size, extent) => size * extent, 1), sets = value.size / channels;
  const affine = {
    weight: affineOf(weight, shape, `${action}: weight`),
    bias: affineOf(bias, shape, `${action}: bias`),
  };
  const layout = { outer: 1, sets, inner: channels, channels, plane: 1 };
  return new Tensor(normalize("layer", value, affine, layout, eps)[0]!);
}
