/**
 * Makes the trainer of a run: its model with initial or loaded weights, and its images on the device.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import type { RunConfig } from "../config/settings.ts";
import type { Dataset } from "../data/dataset.ts";
import { MODELS } from "../models/registry.ts";
import { manualSeed } from "../tensor/random_state.ts";
import { DeviceData } from "../train/device_data.ts";
import { batchOptions, checkFits, Trainer } from "../train/trainer.ts";
import type { RunState } from "./checkpoint.ts";
import { fineTune } from "./fine_tune.ts";
import { shiftOf } from "./snapshot.ts";

/**
 * Makes the model of a run with weights from its seed or from a file, uploads the training images, and makes the trainer.
 *
 * @param say called with lines about weights that are loaded or frozen.
 * @param from the state that the trainer will be given by `restore()`; null for a new run.
 * @throws {UsageError} if the model does not fit the data set, or `--freeze` does not fit the model.
 * @throws {WeightsError} if the file of `--init` does not fit the model.
 */
export async function makeTrainer(
  gpu: Backend,
  config: RunConfig,
  dataset: Dataset,
  say: (line: string) => void = () => {},
  from: RunState | null = null,
): Promise<Trainer> {
  checkFits(config.model, dataset);
  manualSeed(config.seed);
  const model = MODELS[config.model].make({ classes: dataset.classes.length });
  await fineTune(model, config, say);
  const data = await DeviceData.upload(gpu, dataset, dataset.train);
  return new Trainer(config, model, data, batchOptions(config), from ? shiftOf(config, data.count, from) : 0);
}
