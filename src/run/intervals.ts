/**
 * The mean loss of every so many steps: what the tutorial prints, and what `metrics.jsonl` holds.
 *
 * @module
 */
import type { Progress } from "../train/trainer.ts";

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

/** An interval that is under way, as plain JSON. */
export interface PartOfInterval {
  /** The sum of its losses, and how many they are. */
  readonly sum: number;
  readonly steps: number;
}

/** Cuts steps into intervals. */
export class Intervals {
  /** The interval under way. */
  part: PartOfInterval = { sum: 0, steps: 0 };

  /**
   * @param every the steps in an interval.
   * @param last the run's last step, which ends an interval too; the intervals run on from epoch to epoch then. Without it
   * they are of one epoch each, and what is left at its end is dropped, as the tutorial does.
   */
  constructor(readonly every: number, readonly last?: number) {}

  /** Takes the next steps. @returns the intervals that end among them. */
  add({ epoch, stepInEpoch, step, losses, since, seconds }: Progress): Interval[] {
    const ended: Interval[] = [], count = losses.length;
    if (this.last === undefined && stepInEpoch === count) this.part = { sum: 0, steps: 0 }; // A new epoch.
    losses.forEach((loss, i) => {
      const left = count - 1 - i, { sum, steps } = this.part;
      this.part = { sum: sum + loss, steps: steps + 1 };
      const place = this.last === undefined ? stepInEpoch - left : step - left;
      if (place % this.every !== 0 && place !== this.last) return;
      ended.push({
        epoch,
        stepInEpoch: stepInEpoch - left,
        step: step - left,
        loss: this.part.sum / this.part.steps,
        // Only the end of the last step was timed. Those before it were as long as each other.
        seconds: seconds - (seconds - since) * left / count,
      });
      this.part = { sum: 0, steps: 0 };
    });
    return ended;
  }
}
