/**
 * The trainer: a step as a program, replayed in chunks. While the GPU works on one chunk, the losses of the one before it
 * are read; the CPU waits at no other place.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { TrainingError, UsageError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { read } from "../gpu/memory.ts";
import { upload } from "../graph/plan.ts";
import { crossEntropy } from "../nn/functional.ts";
import { MODELS } from "../nn/models.ts";
import type { Module } from "../nn/module.ts";
import { recordLoss } from "../ops/batch.ts";
import { SGD } from "../optim/sgd.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { manualSeed, zeros } from "../tensor/create.ts";
import type { RunConfig } from "./config.ts";
import { type BatchOptions, DeviceData } from "./device_data.ts";

/** The losses that the GPU keeps until they are read. Two chunks of steps may be under way. */
const SLOTS = 8192;
/** How long a chunk of steps should take: reading a chunk's losses costs some 10 ms. */
const CHUNK_SECONDS = 0.5;

/** Where a run is. */
export interface Progress {
  /** From 1. */
  readonly epoch: number;
  /** Steps done in this epoch, and in all. */
  readonly stepInEpoch: number;
  readonly step: number;
  readonly totalSteps: number;
  /** The losses of the steps since the last report. */
  readonly losses: Float32Array;
  /** Seconds since the first step was submitted. */
  readonly seconds: number;
}

export class Trainer {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly optimizer: SGD;
  readonly #ring = zeros([SLOTS]);
  readonly #step: Program;
  /** The last step of an epoch whose images are no multiple of the batch. */
  readonly #tail: Program | null;
  #stop = false;

  constructor(
    readonly config: RunConfig,
    readonly model: Module,
    readonly data: DeviceData,
    readonly batch: BatchOptions,
  ) {
    const { batchSize, epochs, maxSteps = Infinity, lr, momentum, dampening, weightDecay, nesterov } = config;
    this.stepsPerEpoch = Math.ceil(data.count / batchSize);
    this.totalSteps = Math.min(this.stepsPerEpoch * epochs, maxSteps);
    this.optimizer = new SGD(model.parameters(), { lr, momentum, dampening, weightDecay, nesterov });
    const rest = data.count % batchSize;
    this.#step = this.#program(Math.min(batchSize, data.count));
    this.#tail = rest > 0 && data.count > batchSize ? this.#program(rest) : null;
  }

  /** A training step over `count` images. */
  #program(count: number): Program {
    return compile(() => {
      const [x, labels] = this.data.next(count, this.config.batchSize, this.batch);
      const loss = crossEntropy(this.model.forward(x), labels);
      this.optimizer.zeroGrad();
      loss.backward();
      this.optimizer.step();
      const [ring, counters] = recordLoss(this.#ring.value, this.data.counters.value, loss.value);
      this.#ring.assign(ring!, "train");
      this.data.counters.assign(counters!, "train");
    });
  }

  /** Ends the run after the steps that are under way. */
  stop(): void {
    this.#stop = true;
  }

  /**
   * Trains to the end, or until `stop()`.
   *
   * @param report is told of every chunk of steps, in order; no chunk reaches over an epoch's end or a multiple of
   * `logEvery` within it.
   * @returns the steps done.
   * @throws {TrainingError} where a loss is not finite.
   */
  async run(report: (progress: Progress) => void): Promise<number> {
    const { logEvery, seed } = this.config, { gpu } = this.data;
    let chunk = 16, step = 0, start = performance.now(), last = start;
    let pending: (() => Promise<void>) | null = null;
    for (let epoch = 0; step < this.totalSteps && !this.#stop; epoch++) {
      await this.data.begin(seed, epoch);
      const end = Math.min(this.stepsPerEpoch, this.totalSteps - step);
      for (let inEpoch = 0; inEpoch < end && !this.#stop;) {
        const toLog = logEvery - inEpoch % logEvery;
        const tail = this.#tail !== null && inEpoch === this.stepsPerEpoch - 1;
        const whole = this.#tail === null ? end : Math.min(end, this.stepsPerEpoch - 1);
        const count = tail ? 1 : Math.min(chunk, toLog, whole - inEpoch, SLOTS / 2);
        await (tail ? this.#tail! : this.#step).run(count);
        inEpoch += count;
        step += count;
        const slots = Array.from({ length: count }, (_, i) => (step - count + i) % SLOTS);
        const reading = read(gpu, [upload(gpu, this.#ring.value)]);
        reading.catch(() => {}); // Thrown when it is awaited.
        await pending?.();
        const at = { epoch: epoch + 1, stepInEpoch: inEpoch, step, totalSteps: this.totalSteps };
        pending = async () => {
          const ring = new Float32Array((await reading)[0]!), losses = Float32Array.from(slots, (slot) => ring[slot]!);
          const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
          if (wrong >= 0) {
            throw new TrainingError(
              `the loss is ${losses[wrong]} at step ${
                at.step - count + wrong + 1
              }: training diverged; try a smaller --lr`,
            );
          }
          const now = performance.now(), perStep = (now - last) / count / 1000;
          chunk = Math.max(16, Math.min(SLOTS / 2, Math.round(CHUNK_SECONDS / perStep), chunk * 4));
          last = now;
          report({ ...at, losses, seconds: (now - start) / 1000 });
        };
      }
    }
    await pending?.();
    return step;
  }
}

/** The model that `config` names, initialised by its seed. Throws `UsageError` where it does not fit the data. */
export function makeModel(config: Pick<RunConfig, "model" | "seed">, { name, shape, classes }: Dataset): Module {
  if (shape[0] !== 3 || shape[1] !== 32 || shape[2] !== 32 || classes.length !== 10) {
    throw new UsageError(
      `the model ${config.model} takes images of 32 x 32 in 10 classes, and ${name} has ` +
        `${shape[1]} x ${shape[2]} in ${classes.length}`,
    );
  }
  manualSeed(config.seed);
  return MODELS[config.model].make();
}

/** How batches are made for the model that `config` names. */
export function batchOptions({ model, normalize }: Pick<RunConfig, "model" | "normalize">): BatchOptions {
  return { normalize, channels: MODELS[model].channels };
}

/** Uploads the training images and makes the trainer of a run. */
export async function makeTrainer(gpu: Gpu, config: RunConfig, dataset: Dataset): Promise<Trainer> {
  const model = makeModel(config, dataset);
  return new Trainer(config, model, await DeviceData.upload(gpu, dataset, dataset.train), batchOptions(config));
}
