/**
 * What `backward()` and `grad()` share: the checks of their options, and the gradients that they start with.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { constant, type Value } from "../graph/node.ts";
import { withoutGradients } from "../graph/recorder.ts";
import { combine } from "../ops/elementwise/elementwise.ts";
import { checkFlag, checkOptions, isPlain } from "../ops/options.ts";
import { text } from "../ops/shape/shape.ts";
import type { Handle } from "./handle.ts";
import { valueOf } from "./value_of.ts";

/** Checks the options of `backward()` or `grad()`. @param more the options that only one of them has, with examples. */
export function checkBackward(options: { retainGraph?: boolean }, more: Record<string, unknown>, action: string): void {
  if (isPlain(options) && "createGraph" in options) {
    throw new ShapeError(`${action}: createGraph is not supported: there are no gradients of gradients`);
  }
  checkOptions(options, { retainGraph: true, ...more }, action);
  if (options.retainGraph !== undefined) checkFlag(options.retainGraph, `${action}: retainGraph`);
}

/** The value of `found`, which must be a tensor with the shape of the second argument. */
export function fitting(found: unknown, { shape }: Value, what: string): Value {
  const value = valueOf(found, what);
  if (text(value.shape) !== text(shape) || value.dtype !== "f32") {
    throw new ShapeError(`${what} is ${value.dtype} ${text(value.shape)}, not f32 ${text(shape)}`);
  }
  return value;
}

/** The gradients with which differentiation starts: those given for `outputs`, or 1 where none is given. */
export function seedsOf(
  outputs: readonly Handle[],
  gradients: readonly (Handle | null | undefined)[],
  action: string,
): Map<Value, Value> {
  const seeds = new Map<Value, Value>();
  outputs.forEach(({ value }, i) => {
    const given = gradients[i], { shape } = value;
    if (!given && value.size !== 1) {
      throw new ShapeError(`${action}: a tensor of shape ${text(shape)} needs a gradient of that shape`);
    }
    const seed = given ? fitting(given, value, `${action}: the gradient`) : constant(new Float32Array([1]), shape);
    const before = seeds.get(value);
    seeds.set(value, before ? withoutGradients(() => combine("add", before, seed)) : seed);
  });
  return seeds;
}
