/**
 * `nn.utils`: clipping of gradients, as `torch.nn.utils` has it. For between `backward()` and the optimizer's step;
 * within a compiled step too.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { clipGradients, gradNorm } from "../ops/optimizer.ts";
import { checkOptions, describe, f32Amount } from "../ops/options.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Gradients of the parameters that have one; of each once. */
function gradientsOf(parameters: Tensor | readonly Tensor[], action: string): readonly Tensor[] {
  const all: readonly unknown[] = Array.isArray(parameters) ? parameters : [parameters];
  const wrong = all.findIndex((one) => !(one instanceof Tensor));
  if (wrong >= 0) throw new ShapeError(`${action}: expected a Tensor or an array of them, got ${describe(all[wrong])}`);
  return [...new Set((all as readonly Tensor[]).flatMap(({ grad }) => grad ?? []))];
}

/**
 * Scales all gradients, where their norm, as of one vector, is more than `maxNorm`, so that it is that: by
 * maxNorm / (norm + 1e-6), as PyTorch.
 *
 * @param options `normType`: 2, the default, or Infinity, for the largest magnitude. PyTorch has others too.
 * @returns the norm before, a tensor of one element and no dimension. It is NaN or infinite where the gradients are;
 * PyTorch's `error_if_nonfinite`, which has to wait for it, there is not.
 * @throws {ShapeError} if an argument is of the wrong type or range.
 */
export function clipGradNorm_(
  parameters: Tensor | readonly Tensor[],
  maxNorm: number,
  options: { normType?: 2 | typeof Infinity } = {},
): Tensor {
  const gradients = gradientsOf(parameters, "clipGradNorm_");
  f32Amount(maxNorm, "clipGradNorm_: maxNorm");
  checkOptions(options, { normType: 2 }, "clipGradNorm_");
  const { normType = 2 } = options;
  if (normType !== 2 && normType !== Infinity) {
    throw new ShapeError(`clipGradNorm_: normType must be 2 or Infinity, got ${describe(normType)}`);
  }
  if (gradients.length === 0) return tensor(0);
  return noGrad(() => {
    const { norm, gradients: same } = gradNorm(gradients.map(({ value }) => value), normType === Infinity);
    const clipped = clipGradients(same, maxNorm, norm);
    gradients.forEach((one, i) => one.assign(clipped[i]!, "clipGradNorm_"));
    return new Tensor(norm);
  });
}

/**
 * Clamps every element of the gradients to ±`clipValue`.
 *
 * @throws {ShapeError} if an argument is of the wrong type or range.
 */
export function clipGradValue_(parameters: Tensor | readonly Tensor[], clipValue: number): void {
  const gradients = gradientsOf(parameters, "clipGradValue_");
  f32Amount(clipValue, "clipGradValue_: clipValue");
  if (gradients.length === 0) return;
  noGrad(() => {
    const clipped = clipGradients(gradients.map(({ value }) => value), clipValue, null);
    gradients.forEach((one, i) => one.assign(clipped[i]!, "clipGradValue_"));
  });
}
