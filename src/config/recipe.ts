/**
 * The tutorial's recipe, and what differs in other runs: they hold out images for validation.
 *
 * @module
 */
import { makeConfig } from "./config.ts";
import type { RunConfig } from "./settings.ts";

/** The settings that make a recipe. The tutorial's are the defaults. */
const RECIPE = [
  "model",
  "data",
  "normalize",
  "init",
  "freeze",
  "epochs",
  "batchSize",
  "accumulate",
  "labelSmoothing",
  "clipGrad",
  "ema",
  "optimizer",
  "lr",
  "momentum",
  "dampening",
  "weightDecay",
  "nesterov",
  "opt",
  "schedule",
  "warmup",
  "sched",
] as const satisfies readonly (keyof RunConfig)[];

/** The share of the training images that other runs hold out, and the fewest images that are worth it. */
const SHARE = 0.05, FEWEST = 100;

/** Whether a run is the tutorial's: LeNet on CIFAR-10, two epochs, batches of 4, SGD. Its seed and its output may differ. */
export function isTutorial(config: RunConfig): boolean {
  const tutorial = makeConfig();
  return RECIPE.every((key) => JSON.stringify(config[key]) === JSON.stringify(tutorial[key]));
}

/**
 * The share of the training images to hold out where nothing else is said: none in the tutorial's run, whose results are to
 * be the tutorial's, and none of so few images that a validation would say nothing.
 */
export function defaultValSplit(config: RunConfig, images: number): number {
  return isTutorial(config) || images * SHARE < FEWEST ? 0 : SHARE;
}
