/**
 * The options of pooling by averages, resizing, padding and transposed convolution, and their checks: a function and
 * its layer take the same ones.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { AvgPoolOptions } from "../ops/pool/avg_pool.ts";
import type { ConvTransposeOptions } from "../ops/conv/transpose.ts";
import { checkFlag, checkOptions, describe, type Pair, pair } from "../ops/options.ts";
import { PAD_MODES, type PadMode } from "../ops/shape/pad.ts";
import { text } from "../ops/shape/shape.ts";
import type { Size } from "./options.ts";

/** How an average pool walks its input. */
export interface AvgPool2dOptions {
  /** Default: the kernel's size. */
  stride?: Size;
  /** Zeros added on each side, at most half of the kernel. Default 0. */
  padding?: Size;
  /** Whether a last window may reach over the edge, so that no element is left out. Default false. */
  ceilMode?: boolean;
  /** Whether the padding counts in what a sum is divided by. Default true. */
  countIncludePad?: boolean;
  /** What every sum is divided by instead, a whole number but 0. Default: none. */
  divisorOverride?: number | null;
}

/** What an average pool's kernel needs, from what a user gave. */
export function avgPoolOptions(kernel: Size, options: AvgPool2dOptions): AvgPoolOptions {
  const known = { stride: 2, padding: 1, ceilMode: true, countIncludePad: false, divisorOverride: 3 };
  checkOptions(options, known, "avgPool2d");
  const { stride = kernel, padding = 0, ceilMode = false, countIncludePad = true } = options;
  const divisor = options.divisorOverride ?? null;
  if (divisor !== null && (!Number.isInteger(divisor) || divisor === 0)) {
    throw new ShapeError(`avgPool2d: divisorOverride must be a whole number other than 0, got ${describe(divisor)}`);
  }
  return {
    kernel: pair(kernel, 1, "avgPool2d: kernel"),
    stride: pair(stride, 1, "avgPool2d: stride"),
    padding: pair(padding, 0, "avgPool2d: padding"),
    ceilMode: checkFlag(ceilMode, "avgPool2d: ceilMode"),
    countIncludePad: checkFlag(countIncludePad, "avgPool2d: countIncludePad"),
    divisorOverride: divisor ?? 0,
  };
}

/**
 * The size that an adaptive pool makes: one number for both dimensions, or [height, width]; null: that of the input.
 */
export type AdaptiveSize = number | readonly [number | null, number | null];

/** Both extents of an adaptive pool's output, from what a user gave. */
export function adaptiveSize(size: AdaptiveSize): readonly [number | null, number | null] {
  const both = typeof size === "number" ? [size, size] : size;
  if (
    !Array.isArray(both) || both.length !== 2 || both.some((one) => one !== null && !(Number.isInteger(one) && one > 0))
  ) {
    const got = Array.isArray(size) ? JSON.stringify(size) : describe(size);
    throw new ShapeError(
      `adaptiveAvgPool2d: expected a size of 1 or more, or two of them (null: as it is), got ${got}`,
    );
  }
  return both as [number | null, number | null];
}

/** How an image is resized: exactly one of `size` and `scaleFactor`. */
export interface InterpolateOptions {
  /** The new height and width. */
  size?: Size | null;
  /** By what height and width grow: any number above 0. The new extents are rounded down. */
  scaleFactor?: Size | null;
  /** Which element is taken. Default, and the only one so far: "nearest", PyTorch's, which rounds down. */
  mode?: "nearest";
}

/** The size, or the factors, from what a user gave. */
export function interpolateOptions(options: InterpolateOptions): { size: Pair; scaled: boolean } {
  checkOptions(options, { size: 8, scaleFactor: 2, mode: "nearest" }, "interpolate");
  const size = options.size ?? null, factor = options.scaleFactor ?? null, { mode = "nearest" } = options;
  if (mode !== "nearest") throw new ShapeError(`interpolate: mode must be "nearest", got ${describe(mode)}`);
  if ((size === null) === (factor === null)) {
    const got = size === null ? "neither" : "both";
    throw new ShapeError(`interpolate: expected either size or scaleFactor, got ${got}`);
  }
  if (size !== null) return { size: pair(size, 1, "interpolate: size"), scaled: false };
  const factors = typeof factor === "number" ? [factor, factor] : factor;
  if (!Array.isArray(factors) || factors.length !== 2 || factors.some((by) => !(Number.isFinite(by) && by > 0))) {
    const got = Array.isArray(factor) ? text(factor) : describe(factor);
    throw new ShapeError(`interpolate: expected a scaleFactor above 0, or two of them, got ${got}`);
  }
  return { size: factors as unknown as Pair, scaled: true };
}

/** What is padded with. */
export interface PadOptions {
  /**
   * "constant" (default): `value`; "reflect": the input mirrored at its edges, which are not repeated; "replicate": its
   * edges; "circular": the input again, from its other end.
   */
  mode?: PadMode;
  /** What "constant" pads with. Default 0. */
  value?: number;
}

/** Padding in numbers, checked: an even number of integers. */
export function padsOf(pads: readonly number[], action: string): readonly number[] {
  if (!Array.isArray(pads) || pads.length % 2 !== 0 || pads.length === 0 || !pads.every(Number.isInteger)) {
    const got = Array.isArray(pads) ? text(pads) : describe(pads);
    throw new ShapeError(`${action}: expected [left, right] or [left, right, top, bottom] in integers, got ${got}`);
  }
  return pads;
}

/** Mode and value of a padding, from what a user gave. */
export function padOptions(options: PadOptions): Required<PadOptions> {
  checkOptions(options, { mode: "reflect", value: 1 }, "pad");
  const { mode = "constant", value } = options;
  if (!PAD_MODES.includes(mode)) {
    throw new ShapeError(`pad: mode must be one of ${PAD_MODES.join(", ")}, got ${describe(mode)}`);
  }
  if (value !== undefined && typeof value !== "number") {
    throw new ShapeError(`pad: value must be a number, got ${describe(value)}`);
  }
  if (value && mode !== "constant") throw new ShapeError(`pad: mode ${describe(mode)} takes no value, got ${value}`);
  return { mode, value: value ?? 0 };
}

/** How a transposed convolution walks its output. */
export interface ConvTranspose2dOptions {
  /** The distance in the output of neighbours in the input. Default 1. */
  stride?: Size;
  /** Rows and columns of the output that are left out on each side. Default 0. */
  padding?: Size;
  /** Rows and columns added at the bottom and at the right; less than `stride` or `dilation`. Default 0. */
  outputPadding?: Size;
  /** Input and output channels are split into so many groups. Default 1. */
  groups?: number;
  /** Distance between the kernel's taps. Default 1. */
  dilation?: Size;
}

/** What a transposed convolution's kernels need, from what a user gave. */
export function convTransposeOptions(options: ConvTranspose2dOptions): ConvTransposeOptions {
  const action = "convTranspose2d";
  checkOptions(options, { stride: 2, padding: 1, outputPadding: 1, groups: 2, dilation: 2 }, action);
  const { groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1) {
    throw new ShapeError(`${action}: groups must be 1 or more, got ${describe(groups)}`);
  }
  const stride = pair(options.stride ?? 1, 1, `${action}: stride`);
  const dilation = pair(options.dilation ?? 1, 1, `${action}: dilation`);
  const outputPadding = pair(options.outputPadding ?? 0, 0, `${action}: outputPadding`);
  if (outputPadding.some((by, i) => by >= Math.max(stride[i]!, dilation[i]!))) {
    const than = `stride ${text(stride)} or dilation ${text(dilation)}`;
    throw new ShapeError(`${action}: outputPadding ${text(outputPadding)} must be less than ${than}`);
  }
  return { stride, padding: pair(options.padding ?? 0, 0, `${action}: padding`), outputPadding, dilation, groups };
}
