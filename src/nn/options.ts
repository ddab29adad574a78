/**
 * The options of functions and layers, and their checks: a function and its layer take the same ones.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import type { ConvOptions } from "../ops/conv/geometry.ts";
import { checkOptions, describe, type Pair, pair } from "../ops/options.ts";
import type { PoolAttrs } from "../ops/pool/max_pool.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A number as Python prints one: "1e-05". */
export function pythonNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) return String(value);
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** A float as Python prints it: "1.0", "1e-05". */
export function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : pythonNumber(value);
}

/** One number for both dimensions, or [height, width]. */
export type Size = number | readonly [number, number];

/** How a convolution walks its input. */
export interface Conv2dOptions {
  /** Default 1. */
  stride?: Size;
  /**
   * Zeros added on each side; "valid" is 0, and "same" as many as keep height and width, which takes stride 1: the odd
   * one is added at the bottom or at the right. Default 0.
   */
  padding?: Size | "same" | "valid";
  /** Distance between the kernel's taps. Default 1. */
  dilation?: Size;
  /** Input and output channels are split into so many groups, each convolved apart. Default 1. */
  groups?: number;
}

/** How a max-pool walks its input. */
export interface MaxPool2dOptions {
  /** Default: the kernel's size. */
  stride?: Size;
  /** Places added on each side that are never the maximum; at most half of the kernel. Default 0. */
  padding?: Size;
}

/**
 * What a convolution with a `kernel` of this size needs, from what a user gave.
 *
 * @returns with `behind`: what "same" adds more at the bottom and at the right.
 */
export function convOptions(options: Conv2dOptions, kernel: Pair): ConvOptions & { readonly behind: Pair } {
  checkOptions(options, { stride: 2, padding: 1, dilation: 2, groups: 2 }, "conv2d");
  const { padding = 0, groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1) throw new ShapeError(`conv2d: groups must be 1 or more, got ${groups}`);
  const stride = pair(options.stride ?? 1, 1, "conv2d: stride");
  const dilation = pair(options.dilation ?? 1, 1, "conv2d: dilation");
  const own = { stride, dilation, groups, behind: [0, 0] as Pair };
  if (padding === "valid") return { ...own, padding: [0, 0] };
  if (padding !== "same") {
    if (typeof padding === "string") {
      throw new ShapeError(`conv2d: padding must be numbers, "same" or "valid", got ${describe(padding)}`);
    }
    return { ...own, padding: pair(padding, 0, "conv2d: padding") };
  }
  if (stride.some((by) => by !== 1)) {
    throw new ShapeError(`conv2d: padding "same" takes stride 1, got [${stride.join(", ")}]`);
  }
  const total = kernel.map((extent, i) => dilation[i]! * (extent - 1));
  const half = total.map((by) => Math.floor(by / 2)) as unknown as Pair;
  return { ...own, padding: half, behind: total.map((by) => by % 2) as unknown as Pair };
}

/** The value of a bias, which may be left out. Options in its place are what a caller may well write. */
export function biasOf(bias: Tensor | null | undefined, action: string, usage: string): Value | null {
  if (bias === undefined || bias === null) return null;
  if (bias instanceof Tensor) return bias.value;
  throw new ShapeError(`${action}: expected a bias (a Tensor or null), got ${describe(bias)}; write ${usage}`);
}

/** What a max-pool's kernel needs, from what a user gave. */
export function poolOptions(kernel: Size, options: MaxPool2dOptions): PoolAttrs {
  checkOptions(options, { stride: 2, padding: 1 }, "maxPool2d");
  return {
    kernel: pair(kernel, 1, "maxPool2d: kernel"),
    stride: pair(options.stride ?? kernel, 1, "maxPool2d: stride"),
    padding: pair(options.padding ?? 0, 0, "maxPool2d: padding"),
  };
}

/** Refuses what is no probability. */
export function checkProbability(p: number, action: string): void {
  if (typeof p === "number" && p >= 0 && p <= 1) return;
  throw new ShapeError(`${action}: p must be a probability, from 0 to 1, got ${describe(p)}`);
}
