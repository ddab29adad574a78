/**
 * `grad()`: gradients as a result, and what `backward()` shares with it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { constant, type Value, withoutGradients } from "../graph/node.ts";
import { combine } from "../ops/elementwise/elementwise.ts";
import { checkFlag, checkOptions, isPlain } from "../ops/options.ts";
import { text } from "../ops/shape/shape.ts";
import { differentiate } from "./autograd.ts";
import { Tensor } from "./tensor.ts";
import { valueOf } from "./value_of.ts";

/** How `backward()` works. */
export interface BackwardOptions {
  /** The gradient of the tensor itself, of its shape. Default: 1, for a tensor of one element only. */
  gradient?: Tensor;
  /** Default false: the graph is freed, and cannot be differentiated a second time. */
  retainGraph?: boolean;
}

/** How `grad()` works. */
export interface GradOptions {
  /** The gradients of the outputs, each of its output's shape. Default: 1, for outputs of one element only. */
  gradOutputs?: Tensor | readonly (Tensor | null)[];
  /** Default false: the graph is freed, and cannot be differentiated a second time. */
  retainGraph?: boolean;
  /** Default false: an input that no output depends on is an error. If true, its gradient is null. */
  allowUnused?: boolean;
}

/**
 * The gradients of the sum of `outputs` with respect to each of `inputs`, leaves or not, as `torch.autograd.grad`. The
 * `grad` of the leaves is left alone. Hooks of what gradients go through are called, those of the inputs too.
 *
 * @throws {ShapeError} where an input requires no gradient or is not used, a gradient does not fit, or the graph was
 * freed.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options?: GradOptions & { allowUnused?: false },
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions,
): (Tensor | null)[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  checkBackward(options, { allowUnused: true, gradOutputs: [] }, "grad");
  const { gradOutputs = [], retainGraph, allowUnused = false } = options;
  checkFlag(allowUnused, "grad: allowUnused");
  const results = [outputs].flat(), wanted = [inputs].flat().map((input) => valueOf(input, "grad"));
  for (const value of [...results.map((output) => valueOf(output, "grad")), ...wanted]) {
    if (!value.needsGrad) throw new ShapeError(`grad: a tensor of shape ${text(value.shape)} requires no gradient`);
  }
  const given = [gradOutputs].flat();
  if (given.length > results.length) {
    throw new ShapeError(`grad: ${given.length} gradOutputs do not fit ${results.length} outputs`);
  }
  const grads = differentiate(seedsOf(results, given, "grad"), retainGraph, new Set(wanted));
  return wanted.map((value, i) => {
    const found = grads.get(value);
    if (!found && !allowUnused) {
      throw new ShapeError(`grad: no output depends on input ${i}; pass { allowUnused: true } to get null for it`);
    }
    return found ? new Tensor(found) : null;
  });
}

/** Checks what `backward()` and `grad()` are told. @param more the options that only one of them has, with examples. */
export function checkBackward(options: { retainGraph?: boolean }, more: Record<string, unknown>, action: string): void {
  if (isPlain(options) && "createGraph" in options) {
    throw new ShapeError(`${action}: createGraph is not supported: there are no gradients of gradients`);
  }
  checkOptions(options, { retainGraph: true, ...more }, action);
  if (options.retainGraph !== undefined) checkFlag(options.retainGraph, `${action}: retainGraph`);
}

/** `found`, a tensor of the shape of the gradient `grad`. */
export function fitting(found: unknown, { shape }: Value, what: string): Value {
  const value = valueOf(found, what);
  if (text(value.shape) !== text(shape) || value.dtype !== "f32") {
    throw new ShapeError(`${what} is ${value.dtype} ${text(value.shape)}, not f32 ${text(shape)}`);
  }
  return value;
}

/** The gradients with which differentiation starts, of results and what is given for them: 1 for nothing. */
export function seedsOf(
  outputs: readonly Tensor[],
  gradients: readonly (Tensor | null | undefined)[],
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
