/**
 * `grad()`: gradients as a result.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { checkFlag } from "../ops/options.ts";
import { text } from "../ops/shape/shape.ts";
import { differentiate } from "./autograd.ts";
import { checkBackward, seedsOf } from "./backward.ts";
import { valueOf } from "./value_of.ts";
import { Tensor } from "./tensor.ts";

/** Options of `grad()`. */
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
