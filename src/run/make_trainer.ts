/**
 * The trainer of a run: its model, initialised or loaded, and its images on the device.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import type { RunConfig } from "../config/settings.ts";
import type { Dataset } from "../data/dataset.ts";
import { MODELS } from "../models/registry.ts";
import { manualSeed } from "../tensor/random_state.ts";
import { DeviceData } from "../train/device_data.ts";
import { batchOptions, checkFits, Trainer } from "../train/trainer.ts";
import { fineTune } from "./fine_tune.ts";

/**
 * Makes the model of a run, initialised by its seed or from a file, uploads the training images, and makes the trainer.
 *
 * @param say is told what weights the model begins with, where they are not random.
 */
export async function makeTrainer(
  gpu: Gpu,
  config: RunConfig,
  dataset: Dataset,
  say: (line: string) => void = () => {},
): Promise<Trainer> {
  checkFits(config.model, dataset);
  manualSeed(config.seed);
  const model = MODELS[config.model].make();
  await fineTune(model, config, say);
  return new Trainer(config, model, await DeviceData.upload(gpu, dataset, dataset.train), batchOptions(config));
}
