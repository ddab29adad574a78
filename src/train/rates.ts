/**
 * The learning rates of a run with a schedule. The factors of the next steps are written to device memory before the steps
 * are submitted, and each step reads the factor there, so that a new rate needs no wait.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import { upload } from "../graph/leaves.ts";
import { selectForStep } from "../ops/batch.ts";
import { combine, scalar } from "../ops/elementwise/elementwise.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Schedule } from "../optim/schedules.ts";
import { zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Gives each step the rates of the schedule. */
export class Rates {
  readonly #table: Tensor;
  readonly #bases: readonly number[];
  /** A further factor of all rates. */
  scale = 1;

  /**
   * @param schedule the factor of the rates of the optimizer's groups at a step, counted from 0.
   * @param slots the most steps that may be under way.
   */
  constructor(readonly optimizer: Optimizer, readonly schedule: Schedule, slots: number) {
    this.#table = zeros([slots]);
    this.#bases = optimizer.paramGroups.map(({ lr }) => lr);
  }

  /** The rate of the first group at a step, before it is scaled. */
  at(step: number): number {
    return this.#bases[0]! * this.schedule(step, 1);
  }

  /** Writes the factors of `count` steps, from step `first` on, to device memory. */
  prepare(gpu: Backend, first: number, count: number): void {
    const slots = this.#table.numel, table = upload(gpu, this.#table.value);
    for (let done = 0; done < count;) {
      const slot = (first + done) % slots, part = Math.min(count - done, slots - slot), from = first + done;
      gpu.write(
        table,
        Float32Array.from({ length: part }, (_, i) => this.schedule(from + i, 1) * this.scale),
        slot * 4,
      );
      done += part;
    }
  }

  /** Records that every group gets the rate of the current step. */
  apply(counters: Tensor): void {
    const factor = selectForStep(this.#table.value, counters.value);
    this.optimizer.paramGroups.forEach(({ rate }, i) => {
      rate.assign(combine("mul", factor, scalar(this.#bases[i]!)), "train");
    });
  }
}
