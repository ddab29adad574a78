/**
 * How a run goes on that is resumed with other settings: for more steps than it was started with, or with other batches.
 *
 * @module
 */
import type { RunConfig } from "../config/settings.ts";
import { makeSchedule } from "../config/update.ts";
import type { Trainer } from "../train/trainer.ts";

/** The number of steps of a run at which two schedules are compared. */
const COMPARED = 64;

/**
 * What a resumed run does otherwise than before, in lines: how its learning rate goes on, and how its steps are counted.
 *
 * @param trainer the trainer at the step from which the run goes on.
 * @param before the settings of the run until then.
 */
export function changesOf(trainer: Trainer, before: RunConfig): string[] {
  const lines: string[] = [], { config, totalSteps, position: { step } } = trainer;
  const imagesOf = ({ batchSize, accumulate }: RunConfig) => batchSize * accumulate;
  if (imagesOf(config) !== imagesOf(before)) {
    lines.push(
      `each step now takes ${imagesOf(config)} images, and took ${imagesOf(before)}: the ${step} steps so far keep ` +
        "their count, and the epoch goes on after the images that they took",
    );
  }
  const old = totalBefore(trainer, before);
  if (old !== totalSteps) {
    lines.push(`the run now has ${totalSteps} steps (before: ${old}); ${rateLine(trainer, before, old)}`);
  }
  return lines;
}

/** The steps that the run would have had with its settings until now. */
function totalBefore({ stepsPerEpoch, shift }: Trainer, { epochs, maxSteps = Infinity }: RunConfig): number {
  return Math.min(stepsPerEpoch * epochs + shift, maxSteps);
}

/** How the learning rate goes on. @param old the steps that the run had. */
function rateLine(trainer: Trainer, before: RunConfig, old: number): string {
  const { config, totalSteps, stepsPerEpoch, position: { step }, rateScale } = trainer, { schedule } = config;
  const then = makeSchedule(before, old, stepsPerEpoch), now = makeSchedule(config, totalSteps, stepsPerEpoch);
  if (!then || !now) return `the learning rate stays ${trainer.rate(step)}`;
  const name = schedule === "none" ? "the warm-up" : `--schedule ${schedule}`;
  const steps = Array.from({ length: COMPARED }, (_, i) => Math.round(i / (COMPARED - 1) * old));
  if (steps.every((at) => then(at, 1) === now(at, 1))) return `${name} goes on as it was`;
  const rate = (schedule: typeof then) => Number((config.lr * rateScale * schedule(step, 1)).toPrecision(4));
  return `${name} is recomputed for all of them: the learning rate goes on at ${rate(now)} (before: ${rate(then)})`;
}
