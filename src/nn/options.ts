/**
 * The options of functions and layers, and their checks: a function and its layer take the same ones.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { ConvOptions } from "../ops/conv.ts";
import { checkOptions, pair } from "../ops/options.ts";
import type { PoolAttrs } from "../ops/pool.ts";

/** One number for both dimensions, or [height, width]. */
export type Size = number | readonly [number, number];

/** How a convolution walks its input. */
export interface Conv2dOptions {
  /** Default 1. */
  stride?: Size;
  /** Zeros added on each side. Default 0. */
  padding?: Size;
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

/** What a convolution's kernel needs, from what a user gave. */
export function convOptions(options: Conv2dOptions): ConvOptions {
  checkOptions(options, { stride: 2, padding: 1, dilation: 2, groups: 2 }, "conv2d");
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1) throw new ShapeError(`conv2d: groups must be 1 or more, got ${groups}`);
  return {
    stride: pair(stride, 1, "conv2d: stride"),
    padding: pair(padding, 0, "conv2d: padding"),
    dilation: pair(dilation, 1, "conv2d: dilation"),
    groups,
  };
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
