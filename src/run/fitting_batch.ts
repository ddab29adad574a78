/**
 * Which batch would fit, where the GPU has not the memory for the one that was asked for.
 *
 * @module
 */
import { OutOfMemoryError } from "../errors.ts";
import { MODELS } from "../models/registry.ts";
import type { RunConfig } from "../config/settings.ts";
import { stepMemory } from "../measure/memory.ts";
import { makeOptimizer } from "../config/update.ts";

/** The error, with what a step asks for and the largest batch that would fit, by what is known of the memory. */
export function withFittingBatch(error: OutOfMemoryError, config: RunConfig): OutOfMemoryError {
  const { batchSize } = config, { of, asked, available } = error;
  const whole = memoryOf(config, batchSize), one = memoryOf(config, 1);
  // What a step takes is a fixed amount and one for each image; what a tensor takes is for the images alone.
  const share = of === "tensor"
    ? batchSize * available / asked
    : (available - one) / (whole - one) * (batchSize - 1) + 1;
  const fits = Math.min(batchSize - 1, Math.floor(share));
  const remedy = fits < 1
    ? "not even a batch of 1 would fit: use a GPU with more memory"
    : `--batch-size ${fits} would fit, with ${mebibytes(memoryOf(config, fits))} MiB; --accumulate makes up for it`;
  return new OutOfMemoryError(
    `${error.what}: a step of ${config.model} with --batch-size ${batchSize} takes ${mebibytes(whole)} MiB; ${remedy}`,
    of,
    asked,
    available,
  );
}

/** Bytes of a step. */
function memoryOf(config: RunConfig, batchSize: number): number {
  const { make, input } = MODELS[config.model], model = make();
  return stepMemory(model, makeOptimizer(config, model.parameters()), [batchSize, ...input]).total;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
