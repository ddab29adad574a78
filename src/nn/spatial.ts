/**
 * Layers about height and width: pooling by averages, resizing, padding and the transposed convolution, with the names,
 * options, defaults and printed form of `torch.nn`; and `Residual`, which PyTorch does not have.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { checkFlag, checkOptions, type Pair, pair } from "../ops/options.ts";
import type { PadMode } from "../ops/shape/pad.ts";
import { text } from "../ops/shape/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import { Sequential } from "./layers.ts";
import { Module } from "./module.ts";
import {
  adaptiveSize,
  avgPoolOptions,
  type ConvTranspose2dOptions,
  convTransposeOptions,
  count,
  interpolateOptions,
  padsOf,
} from "./options.ts";
import { defaultParameter } from "./parameter.ts";
import { either, pythonFloat, tuple } from "./python_text.ts";

/** The mean of each window. See `F.avgPool2d`. */
export class AvgPool2d extends Module {
  constructor(readonly kernelSize: F.Size, readonly options: F.AvgPool2dOptions = {}) {
    super();
    avgPoolOptions(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { stride = this.kernelSize, padding = 0 } = this.options;
    return `kernel_size=${either(this.kernelSize)}, stride=${either(stride)}, padding=${either(padding)}`;
  }
}

/** The means over windows that divide the input evenly. See `F.adaptiveAvgPool2d`. */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly outputSize: F.AdaptiveSize) {
    super();
    adaptiveSize(outputSize);
  }

  override forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }

  override extraRepr(): string {
    const size = this.outputSize;
    return `output_size=${typeof size === "number" ? size : `(${size.map((one) => one ?? "None").join(", ")})`}`;
  }
}

/** Resizes by the nearest elements. See `F.interpolate`. */
export class Upsample extends Module {
  constructor(readonly options: F.InterpolateOptions) {
    super();
    interpolateOptions(options);
  }

  override forward(x: Tensor): Tensor {
    return F.interpolate(x, this.options);
  }

  override extraRepr(): string {
    const { size, scaleFactor, mode = "nearest" } = this.options;
    const factor = typeof scaleFactor === "number"
      ? pythonFloat(scaleFactor)
      : `(${(scaleFactor ?? []).map(pythonFloat).join(", ")})`;
    return `${size ? `size=${either(size)}` : `scale_factor=${factor}`}, mode=${mode}`;
  }
}

/** The number of elements to add: one number for all sides, or [left, right, top, bottom]. */
type Sides = number | readonly [number, number, number, number];

/** The padding layers, by mode. */
class Pad2d extends Module {
  /** [left, right, top, bottom]. */
  readonly padding: readonly number[];

  constructor(padding: Sides, readonly mode: PadMode) {
    super();
    const sides = typeof padding === "number" ? [padding, padding, padding, padding] : padding;
    if (padsOf(sides, new.target.name).length !== 4) {
      throw new ShapeError(`${new.target.name}: expected a number or [left, right, top, bottom], got ${text(sides)}`);
    }
    this.padding = sides;
  }

  override forward(x: Tensor): Tensor {
    return F.pad(x, this.padding, { mode: this.mode });
  }

  override extraRepr(): string {
    return `(${this.padding.join(", ")})`;
  }
}

/** Zeros around height and width; negative numbers cut off. See `F.pad`. */
export class ZeroPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, "constant");
  }
}

/** The input mirrored around height and width. See `F.pad`. */
export class ReflectionPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, "reflect");
  }
}

/** The edges repeated around height and width. See `F.pad`. */
export class ReplicationPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, "replicate");
  }
}

export interface ConvTranspose2dLayerOptions extends ConvTranspose2dOptions {
  /** Whether the layer adds a bias. Default true. */
  bias?: boolean;
}

/** A transposed 2-D convolution with its weight [in, out/groups, kh, kw] and bias [out]. See `F.convTranspose2d`. */
export class ConvTranspose2d extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly #kernel: Pair;
  readonly #options: ConvTranspose2dOptions;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernel: F.Size,
    options: ConvTranspose2dLayerOptions = {},
  ) {
    super();
    const known = { stride: 2, padding: 1, outputPadding: 1, groups: 2, bias: false, dilation: 2 };
    checkOptions(options, known, "ConvTranspose2d");
    const { bias = true, ...rest } = options;
    count(inChannels, "ConvTranspose2d: the number of input channels");
    count(outChannels, "ConvTranspose2d: the number of output channels");
    const { groups } = convTransposeOptions(rest), [kh, kw] = this.#kernel = pair(kernel, 1, "ConvTranspose2d: kernel");
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      const channels = `${inChannels} and ${outChannels} channels`;
      throw new ShapeError(`ConvTranspose2d: ${channels} do not divide into ${groups} groups`);
    }
    this.#options = rest;
    // PyTorch uses the weight's second dimension, which is that of the outputs here.
    const fanIn = outChannels / groups * kh * kw;
    this.weight = defaultParameter([inChannels, outChannels / groups, kh, kw], fanIn);
    this.bias = checkFlag(bias, "ConvTranspose2d: bias") ? defaultParameter([outChannels], fanIn) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.convTranspose2d(x, this.weight, this.bias, this.#options);
  }

  override extraRepr(): string {
    const { stride, padding, dilation, outputPadding, groups } = convTransposeOptions(this.#options);
    const fields = [
      `${this.inChannels}, ${this.outChannels}`,
      `kernel_size=${tuple(this.#kernel)}`,
      `stride=${tuple(stride)}`,
    ];
    if (padding.some((by) => by !== 0)) fields.push(`padding=${tuple(padding)}`);
    if (dilation.some((by) => by !== 1)) fields.push(`dilation=${tuple(dilation)}`);
    if (outputPadding.some((by) => by !== 0)) fields.push(`output_padding=${tuple(outputPadding)}`);
    if (groups !== 1) fields.push(`groups=${groups}`);
    if (!this.bias) fields.push("bias=False");
    return fields.join(", ");
  }
}

/**
 * x + modules(x), with the modules one after the other, named "0", "1", … PyTorch has no such module.
 *
 * @throws {ShapeError} from `forward`, if the modules change the shape.
 */
export class Residual extends Sequential {
  override forward(x: Tensor): Tensor {
    const y = super.forward(x);
    if (text(y.shape) === text(x.shape)) return x.add(y);
    throw new ShapeError(
      `Residual: the modules make ${text(y.shape)} of ${text(x.shape)}, which cannot be added to it`,
    );
  }
}
