/**
 * The learning rates of a run. What a schedule gives for the coming steps lies ready in GPU memory, where each step finds
 * its own: a new rate waits for nothing.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import { write } from "../backend/webgpu/memory.ts";
import { upload } from "../graph/leaves.ts";
import { selectForStep } from "../ops/batch.ts";
import { combine, scalar } from "../ops/elementwise/elementwise.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Schedule } from "../optim/schedules.ts";
import { zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

export class Rates {
  readonly #table: Tensor;
  readonly #bases: readonly number[];
  /** What all rates are multiplied by; 1 unless the run was told otherwise. */
  scale = 1;

  /**
   * @param schedule what the rates of the optimizer's groups are multiplied by at a step, counted from 0.
   * @param slots the steps that may be under way.
   */
  constructor(readonly optimizer: Optimizer, readonly schedule: Schedule, slots: number) {
    this.#table = zeros([slots]);
    this.#bases = optimizer.paramGroups.map(({ lr }) => lr);
  }

  /** The rate of the first group at a step, before it is scaled. */
  at(step: number): number {
    return this.#bases[0]! * this.schedule(step, 1);
  }

  /** Lays the rates of `count` steps ready, of which `first` is the first. */
  prepare(gpu: Gpu, first: number, count: number): void {
    const slots = this.#table.numel, place = upload(gpu, this.#table.value);
    for (let done = 0; done < count;) {
      const slot = (first + done) % slots, part = Math.min(count - done, slots - slot), from = first + done;
      write(
        gpu,
        place,
        Float32Array.from({ length: part }, (_, i) => this.schedule(from + i, 1) * this.scale),
        slot * 4,
      );
      done += part;
    }
  }

  /** Records that every group has the rate of this step. */
  apply(counters: Tensor): void {
    const factor = selectForStep(this.#table.value, counters.value);
    this.optimizer.paramGroups.forEach(({ rate }, i) => {
      rate.assign(combine("mul", factor, scalar(this.#bases[i]!)), "train");
    });
  }
}
