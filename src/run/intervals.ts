/**
 * The mean loss of intervals of steps: what the tutorial prints, and what `metrics.jsonl` holds.
 *
 * @module
 */
import type { Progress } from "../train/trainer.ts";

/** An interval of steps that has ended. */
export interface Interval {
  /** From 1. */
  readonly epoch: number;
  /** Steps done at its end, in this epoch and in all. */
  readonly stepInEpoch: number;
  readonly step: number;
  /** The mean loss of the steps. */
  readonly loss: number;
  /**
   * The share of their images that were classified correctly, 0 to 1: by the weights before each step, in training mode.
   */
  readonly accuracy: number;
  /** Seconds since training began. */
  readonly seconds: number;
}

/** The part of an interval that is done, as plain JSON. */
export interface PartOfInterval {
  /** The sum of the losses of its steps. */
  readonly sum: number;
  readonly steps: number;
  /** The images whose predictions were counted, and those of them that were classified correctly. */
  readonly images: number;
  readonly correct: number;
}

/** An interval that begins. */
export const NOTHING_YET: PartOfInterval = { sum: 0, steps: 0, images: 0, correct: 0 };

/** The part of a report of steps that intervals are made of. */
export type StepsDone = Omit<Progress, "ofEpoch" | "secondsPerStep">;

/** Splits steps into intervals. */
export class Intervals {
  /** The interval that has begun. */
  part = NOTHING_YET;

  /**
   * @param every the number of steps in an interval.
   * @param last the run's last step, which ends an interval too; intervals then continue from epoch to epoch. Without it,
   * each epoch begins a new interval and the steps left at its end are dropped, as in the tutorial.
   */
  constructor(readonly every: number, readonly last?: number) {}

  /** Adds the next steps. @returns the intervals that end among them. */
  add({ epoch, stepInEpoch, step, losses, correct, imagesPerStep, since, seconds }: StepsDone): Interval[] {
    const ended: Interval[] = [], count = losses.length;
    if (this.last === undefined && stepInEpoch === count) this.part = NOTHING_YET; // A new epoch.
    losses.forEach((loss, i) => {
      const left = count - 1 - i, { part } = this;
      this.part = {
        sum: part.sum + loss,
        steps: part.steps + 1,
        images: part.images + imagesPerStep,
        correct: part.correct + correct[i]!,
      };
      const index = this.last === undefined ? stepInEpoch - left : step - left;
      if (index % this.every !== 0 && index !== this.last) return;
      ended.push({
        epoch,
        stepInEpoch: stepInEpoch - left,
        step: step - left,
        loss: this.part.sum / this.part.steps,
        accuracy: this.part.correct / this.part.images,
        // Only the end of the last step was timed. All steps are taken to be equally long.
        seconds: seconds - (seconds - since) * left / count,
      });
      this.part = NOTHING_YET;
    });
    return ended;
  }
}
