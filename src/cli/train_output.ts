/**
 * What a run prints while it trains: the tutorial's lines, and the progress bar at the bottom of a terminal.
 *
 * @module
 */
import type { Interval } from "../run/intervals.ts";
import type { Progress, Trainer } from "../train/trainer.ts";
import { duration, type Output } from "./output.ts";

/** The tutorial's line for an interval: `[1,  2000] loss: 2.197`. */
export function intervalLine({ epoch, stepInEpoch, loss }: Pick<Interval, "epoch" | "stepInEpoch" | "loss">): string {
  return `[${epoch}, ${String(stepInEpoch).padStart(5)}] loss: ${loss.toFixed(3)}`;
}

/** Prints the intervals that have ended, and draws the progress bar of the epoch. */
export function printProgress(trainer: Trainer, progress: Progress, ended: readonly Interval[], output: Output): void {
  for (const interval of ended) output.say(intervalLine(interval));
  output.progress((columns) => bar(trainer, progress, columns));
}

/**
 * The progress bar of an epoch, at most `columns` - 1 wide: steps, loss, the training accuracy of the epoch so far, learning
 * rate, images/s and the remaining time of the run. In a narrow terminal parts are left out: first the rates, then the time,
 * the accuracy, the drawn bar, and the loss.
 */
export function bar(trainer: BarTrainer, progress: Progress, columns: number): string {
  const { epoch, step, stepInEpoch, losses, secondsPerStep, ofEpoch } = progress;
  const steps = Math.min(trainer.stepsPerEpoch, trainer.totalSteps - (step - stepInEpoch));
  const loss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const rate = Math.round(trainer.imagesPerStep / secondsPerStep);
  const left = duration(secondsPerStep * (trainer.totalSteps - step));
  // The most important parts first.
  const parts = [
    `${stepInEpoch}/${steps}`,
    `loss ${loss.toFixed(3)}`,
    `accuracy ${(100 * ofEpoch.correct / ofEpoch.images).toFixed(1)} %`,
    `${left} left`,
    `${rate} images/s`,
    `lr ${Number(trainer.rate(step - 1).toPrecision(3))}`,
  ];
  // --max-steps may end the run in an earlier epoch.
  const head = `epoch ${epoch}/${trainer.epochs}`, order = [0, 1, 2, 5, 4, 3];
  for (let count = parts.length; count > 0; count--) {
    const shown = order.filter((i) => i < count).map((i) => parts[i]).join("  ");
    const room = columns - 1 - head.length - shown.length - 4;
    // The loss is more important than the drawn bar.
    if (room < (count > 2 ? 5 : -3) && count > 1) continue;
    const width = Math.min(20, room), full = Math.floor(width * stepInEpoch / steps);
    const drawn = width < 5 ? "" : `[${"#".repeat(full)}${".".repeat(width - full)}] `;
    return `${head} ${drawn}${shown}`.slice(0, columns - 1);
  }
  return "";
}

/** The part of a trainer that the bar needs. */
export type BarTrainer = Pick<Trainer, "stepsPerEpoch" | "totalSteps" | "epochs" | "imagesPerStep" | "rate">;
