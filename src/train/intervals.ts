/**
 * The mean loss of every so many steps: what the tutorial prints, and what `metrics.jsonl` holds.
 *
 * @module
 */
import type { Progress } from "./trainer.ts";

/** A whole interval of steps. */
export interface Interval {
  /** From 1. */
  readonly epoch: number;
  /** Steps done when it ended, in this epoch and in all. */
  readonly stepInEpoch: number;
  readonly step: number;
  /** The mean loss of its steps. */
  readonly loss: number;
  /** Seconds since training began. */
  readonly seconds: number;
}

/** Cuts the steps of each epoch into intervals. What is left at an epoch's end is dropped, as the tutorial does. */
export class Intervals {
  /** The sum of the losses of the interval under way. */
  sum = 0;

  /** @param every the steps in an interval. */
  constructor(readonly every: number) {}

  /** Takes the next steps. @returns the intervals that end among them. */
  add({ epoch, stepInEpoch, step, losses, since, seconds }: Progress): Interval[] {
    const ended: Interval[] = [], count = losses.length;
    if (stepInEpoch === count) this.sum = 0; // A new epoch.
    losses.forEach((loss, i) => {
      this.sum += loss;
      const left = count - 1 - i;
      if ((stepInEpoch - left) % this.every !== 0) return;
      ended.push({
        epoch,
        stepInEpoch: stepInEpoch - left,
        step: step - left,
        loss: this.sum / this.every,
        // Only the end of the last step was timed. Those before it were as long as each other.
        seconds: seconds - (seconds - since) * left / count,
      });
      this.sum = 0;
    });
    return ended;
  }
}
