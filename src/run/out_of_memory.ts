/**
 * What to do when the GPU runs out of memory.
 *
 * @module
 */
import { OutOfMemoryError } from "../errors.ts";
import { MODELS } from "../models/registry.ts";
import type { RunConfig } from "../config/settings.ts";
import { stepMemory } from "../measure/memory.ts";
import { makeOptimizer } from "../config/update.ts";

/** The error with the memory of a step, and the largest batch that fits in memory as far as that is known. */
export function explainOutOfMemory(error: OutOfMemoryError, config: RunConfig): OutOfMemoryError {
  const { batchSize } = config, { of, asked, available } = error;
  const whole = memoryOf(config, batchSize), one = memoryOf(config, 1);
  // The memory of a step is a fixed amount and one for each image; that of a tensor is for the images alone.
  const images = of === "tensor"
    ? batchSize * available / asked
    : (available - one) / (whole - one) * (batchSize - 1) + 1;
  const fits = Math.min(batchSize - 1, Math.floor(images));
  const remedy = fits < 1
    ? "not even a batch of 1 would fit: use a GPU with more memory"
    : `--batch-size ${fits} would fit, with ${mebibytes(memoryOf(config, fits))} MiB; --accumulate makes up for it`;
  const step = `a step of ${config.model} with --batch-size ${batchSize} takes ${mebibytes(whole)} MiB`;
  return new OutOfMemoryError(error.what, of, asked, available, { remedy: `${step}; ${remedy}` });
}

/** Bytes of a step. */
function memoryOf(config: RunConfig, batchSize: number): number {
  const { make, input } = MODELS[config.model], model = make();
  return stepMemory(model, makeOptimizer(config, model.parameters()), [batchSize, ...input]).total;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
