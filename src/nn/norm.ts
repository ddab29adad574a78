/**
 * Normalisation layers: modules with the names, options, defaults and printed form of `torch.nn`.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Shape } from "../graph/node.ts";
import { checkFlag, f32, f32Amount, option, type Reader, readOptions } from "../ops/options.ts";
import { text } from "../ops/shape/shape.ts";
import { ones, zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import * as F from "./functional_norm.ts";
import { Module } from "./module.ts";
import { count } from "./options.ts";
import { pythonBool, pythonNumber } from "./python_text.ts";

const EPS = option(f32Amount, 1e-5), FLAG = option(checkFlag, true, false);
const momentumOrNull: Reader<number | null> = (value, what) => value === null ? null : f32(value, what);
const BATCH_NORM = { eps: EPS, momentum: option(momentumOrNull, 0.1), affine: FLAG, trackRunningStats: FLAG } as const;
const GROUP_NORM = { eps: EPS, affine: FLAG } as const;
const LAYER_NORM = { eps: EPS, elementwiseAffine: FLAG } as const;

/** Options of layers for batches. */
export interface BatchNormLayerOptions {
  /** Added to the variance, 0 or more. Default 1e-5. */
  eps?: number;
  /** The weight of a batch in the running statistics; null: all batches count the same. Default 0.1. */
  momentum?: number | null;
  /** Whether to learn a weight, which starts at 1, and a bias, which starts at 0. Default true. */
  affine?: boolean;
  /** Whether to keep running statistics. Without them, evaluation uses those of the batch too. Default true. */
  trackRunningStats?: boolean;
}

/** The base class of the layers that normalise batches. */
abstract class BatchNorm extends Module {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  /** In the state as "running_mean", "running_var" and "num_batches_tracked", which is u32 []: PyTorch's is int64. */
  readonly runningMean: Tensor | null = null;
  readonly runningVar: Tensor | null = null;
  readonly numBatchesTracked: Tensor | null = null;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(readonly numFeatures: number, options: BatchNormLayerOptions = {}) {
    super();
    const { name } = this.constructor;
    const { eps, momentum, affine, trackRunningStats } = readOptions(options, BATCH_NORM, name);
    count(numFeatures, `${name}: the number of channels`);
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? ones([numFeatures], { requiresGrad: true }) : null;
    this.bias = affine ? zeros([numFeatures], { requiresGrad: true }) : null;
    if (trackRunningStats) {
      this.runningMean = this.registerBuffer("running_mean", zeros([numFeatures]));
      this.runningVar = this.registerBuffer("running_var", ones([numFeatures]));
      this.numBatchesTracked = this.registerBuffer("num_batches_tracked", zeros([], { dtype: "u32" }));
    }
  }

  /** The numbers of dimensions that the input may have. */
  protected abstract readonly ranks: readonly number[];

  override forward(x: Tensor): Tensor {
    const { name } = this.constructor, { shape } = valueOf(x, name);
    if (!this.ranks.includes(shape.length) || shape[1] !== this.numFeatures) {
      const ranks = this.ranks.join(" or ");
      throw new ShapeError(
        `${name}: expected ${ranks} dimensions and ${this.numFeatures} channels, got ${text(shape)}`,
      );
    }
    const { runningMean, runningVar, numBatchesTracked, weight, bias, training, momentum, eps } = this;
    const running: F.Running | null = runningMean && [runningMean, runningVar!, numBatchesTracked!];
    return F.normalizeBatch(x, running, weight, bias, { training, momentum, eps });
  }

  override extraRepr(): string {
    const momentum = this.momentum === null ? "None" : pythonNumber(this.momentum);
    return `${this.numFeatures}, eps=${pythonNumber(this.eps)}, momentum=${momentum}, affine=${
      pythonBool(this.weight !== null)
    }, ` +
      `track_running_stats=${pythonBool(this.runningMean !== null)}`;
  }
}

/**
 * Normalises each channel of x [N, C] or [N, C, L]. See `F.batchNorm`.
 *
 * @throws {ShapeError} if an option does not fit; `forward` throws it if the input does not.
 */
export class BatchNorm1d extends BatchNorm {
  protected override readonly ranks = [2, 3];
}

/**
 * Normalises each channel of x [N, C, H, W]. See `F.batchNorm`.
 *
 * @throws {ShapeError} if an option does not fit; `forward` throws it if the input does not.
 */
export class BatchNorm2d extends BatchNorm {
  protected override readonly ranks = [4];
}

/** Options of a `GroupNorm`. */
export interface GroupNormOptions extends F.NormOptions {
  /** Whether to learn a weight, which starts at 1, and a bias, which starts at 0. Default true. */
  affine?: boolean;
}

/** Normalises each group of channels of each image of x [N, C, …]. See `F.groupNorm`. */
export class GroupNorm extends Module {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly eps: number;

  /** @throws {ShapeError} if the channels do not divide into the groups, or an option does not fit. */
  constructor(readonly numGroups: number, readonly numChannels: number, options: GroupNormOptions = {}) {
    super();
    const { eps, affine } = readOptions(options, GROUP_NORM, "GroupNorm");
    count(numChannels, "GroupNorm: the number of channels");
    F.checkGroups(numGroups, numChannels, "GroupNorm");
    this.eps = eps;
    this.weight = affine ? ones([numChannels], { requiresGrad: true }) : null;
    this.bias = affine ? zeros([numChannels], { requiresGrad: true }) : null;
  }

  override forward(x: Tensor): Tensor {
    const [, channels] = valueOf(x, "GroupNorm").shape;
    if (channels !== this.numChannels) {
      throw new ShapeError(`GroupNorm: expected ${this.numChannels} channels, got ${text(x.shape)}`);
    }
    return F.groupNorm(x, this.numGroups, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    const affine = pythonBool(this.weight !== null);
    return `${this.numGroups}, ${this.numChannels}, eps=${pythonNumber(this.eps)}, affine=${affine}`;
  }
}

/** Options of a `LayerNorm`. */
export interface LayerNormOptions extends F.NormOptions {
  /** Whether to learn a weight, which starts at 1, and a bias, which starts at 0, of the normalised shape. Default true. */
  elementwiseAffine?: boolean;
}

/** Normalises over the last dimensions. See `F.layerNorm`. */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly eps: number;

  /** @throws {ShapeError} if the shape is none, or an option does not fit. */
  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    const { eps, elementwiseAffine } = readOptions(options, LAYER_NORM, "LayerNorm");
    const shape = this.normalizedShape = F.normalizedOf(normalizedShape, "LayerNorm");
    this.eps = eps;
    this.weight = elementwiseAffine ? ones(shape, { requiresGrad: true }) : null;
    this.bias = elementwiseAffine ? zeros(shape, { requiresGrad: true }) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.layerNorm(x, this.normalizedShape, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    const shape = this.normalizedShape.length === 1
      ? `(${this.normalizedShape[0]},)`
      : `(${this.normalizedShape.join(", ")})`;
    return `${shape}, eps=${pythonNumber(this.eps)}, elementwise_affine=${pythonBool(this.weight !== null)}`;
  }
}
