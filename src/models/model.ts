/**
 * What every network of the registry takes, and the check of it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { checkOptions, describe } from "../ops/options.ts";

/** The shape of one image. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** What a network is made for. */
export interface ModelOptions {
  /** The shape of one image. */
  readonly input?: ImageShape;
  /** The number of classes: the network returns logits [N, classes]. */
  readonly classes?: number;
}

/**
 * The options of a network, checked, with its defaults for those that are missing.
 *
 * @param smallest the smallest height and width that the network takes, in pixels.
 * @param action the name of the network's function, for messages.
 * @throws {ShapeError} if an option is unknown or out of range.
 */
export function modelOptions(
  options: ModelOptions,
  defaults: Required<ModelOptions>,
  smallest: number,
  action: string,
): Required<ModelOptions> {
  checkOptions(options, { ...defaults }, action);
  const { input, classes } = { ...defaults, ...options }, least = [1, smallest, smallest];
  const fits = Array.isArray(input) && input.length === 3 &&
    input.every((n, i) => Number.isInteger(n) && n >= least[i]!);
  if (!fits) {
    const got = Array.isArray(input) ? `[${input.join(", ")}]` : describe(input);
    throw new ShapeError(
      `${action}: input must be [channels, height, width] of at least ${smallest} x ${smallest} pixels, got ${got}`,
    );
  }
  if (!Number.isSafeInteger(classes) || classes < 1) {
    throw new ShapeError(`${action}: classes must be a whole number of 1 or more, got ${describe(classes)}`);
  }
  return { input, classes };
}
