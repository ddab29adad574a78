/**
 * `nn.utils`: clipping of gradients, as in `torch.nn.utils`. Call it between `backward()` and the optimizer's
 * step; it works within a compiled step too.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { clipGradients, gradNorm } from "../ops/optimizer.ts";
import { checkOptions, describe, f32Amount } from "../ops/options.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";

/** The gradients of the parameters that have one, each once. */
function gradientsOf(parameters: Tensor | readonly Tensor[], action: string): readonly Tensor[] {
  const all: readonly unknown[] = Array.isArray(parameters) ? parameters : [parameters];
  const wrong = all.findIndex((one) => !(one instanceof Tensor));
  if (wrong >= 0) throw new ShapeError(`${action}: expected a Tensor or an array of them, got ${describe(all[wrong])}`);
  return [...new Set((all as readonly Tensor[]).flatMap(({ grad }) => grad ?? []))];
}

/**
 * Scales all gradients by maxNorm / (norm + 1e-6), as PyTorch does, if their common norm, as of one vector, is more than
 * `maxNorm`.
 *
 * @param options `normType`: 2, the default, or Infinity, for the largest magnitude. PyTorch has other norms too.
 * @returns the norm before scaling, a tensor []. It is NaN or infinite if the gradients are; there is no
 * `error_if_nonfinite` as in PyTorch, since it would have to wait for the GPU.
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
