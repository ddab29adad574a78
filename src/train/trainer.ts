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
import { upload } from "../graph/leaves.ts";
import { MODELS } from "../nn/models.ts";
import type { Module } from "../nn/module.ts";
import { EMA } from "../optim/ema.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Program } from "../tensor/compile.ts";
import { zeros } from "../tensor/create.ts";
import { manualSeed } from "../tensor/random_state.ts";
import type { RunConfig } from "./settings.ts";
import { type BatchOptions, DeviceData } from "./device_data.ts";
import { Rates } from "./rates.ts";
import { stepProgram } from "./step.ts";
import { makeOptimizer, makeSchedule } from "./update_config.ts";

/** The losses that the GPU keeps until they are read. Two chunks of steps may be under way. */
const SLOTS = 8192;
/** How long a chunk of steps should take: reading a chunk's losses costs some 10 ms, and a chunk cannot be interrupted. */
const CHUNK_SECONDS = 0.5;

/** Where a run is. */
export interface Progress {
  /** From 1. */
  readonly epoch: number;
  /** Steps done, in this epoch and in all. */
  readonly stepInEpoch: number;
  readonly step: number;
  /** The losses of the steps since the last report, all of this epoch. */
  readonly losses: Float32Array;
  /** Seconds since training began, at the last report and now. */
  readonly since: number;
  readonly seconds: number;
  /** How long a step takes, in seconds. The first steps, for which kernels are compiled, do not count if there are others. */
  readonly secondsPerStep: number;
}

/** A run that has ended. */
export interface Outcome {
  readonly steps: number;
  /** The images that the steps took. */
  readonly images: number;
  /** How long they took, with the compilation of their kernels. */
  readonly seconds: number;
}

export class Trainer {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly optimizer: Optimizer;
  /** The averaged weights, where the run keeps them. */
  readonly ema: EMA | null;
  readonly #rates: Rates | null;
  readonly #ring = zeros([SLOTS]);
  readonly #step: Program;
  /** The last step of an epoch whose images are no multiple of a step's. */
  readonly #tail: Program | null;
  #stop = false;

  constructor(
    readonly config: RunConfig,
    readonly model: Module,
    readonly data: DeviceData,
    readonly batch: BatchOptions,
  ) {
    const { epochs, maxSteps = Infinity, ema } = config, parameters = model.parameters();
    this.stepsPerEpoch = Math.ceil(data.count / this.#stepImages);
    this.totalSteps = Math.min(this.stepsPerEpoch * epochs, maxSteps);
    this.optimizer = makeOptimizer(config, parameters);
    this.ema = ema === undefined ? null : new EMA(parameters, { decay: ema });
    const schedule = makeSchedule(config, this.totalSteps, this.stepsPerEpoch);
    this.#rates = schedule && new Rates(this.optimizer, schedule, SLOTS);
    const whole = Math.floor(data.count / this.#stepImages), rest = data.count % this.#stepImages;
    const work = {
      config,
      model,
      data,
      batch,
      optimizer: this.optimizer,
      ema: this.ema,
      rates: this.#rates,
      ring: this.#ring,
    };
    this.#step = stepProgram(work, whole > 0 ? this.#stepImages : rest);
    this.#tail = whole > 0 && rest > 0 ? stepProgram(work, rest) : null;
  }

  /** The images of a whole step. */
  get #stepImages(): number {
    return this.config.batchSize * this.config.accumulate;
  }

  /** The learning rate at a step, counted from 0. */
  rate(step: number): number {
    return this.#rates?.at(step) ?? this.optimizer.lr;
  }

  /** The images that the first `steps` steps take. */
  images(steps: number): number {
    const { count } = this.data, epochs = Math.floor(steps / this.stepsPerEpoch);
    return epochs * count + Math.min(steps % this.stepsPerEpoch * this.#stepImages, count);
  }

  /** Plans the step, which chooses its kernels. */
  async plan(): Promise<void> {
    await this.#step.dispatches();
  }

  /** Plans the step anew when it runs next: other kernels were chosen. */
  async replan(): Promise<void> {
    await this.#step.replan();
    await this.#tail?.replan();
  }

  /** Ends the run after the steps that are under way. */
  stop(): void {
    this.#stop = true;
  }

  /**
   * Trains to the end, or until `stop()`.
   *
   * @param report is told of every step, in order, many at a time.
   * @throws {TrainingError} where a loss is not finite, after the report of the steps before it.
   */
  async run(report: (progress: Progress) => void): Promise<Outcome> {
    const start = performance.now();
    let chunk = 1, step = 0, since = 0, first = { step: 0, seconds: 0 };
    let pending: (() => Promise<void>) | null = null;
    for (let epoch = 1; step < this.totalSteps && !this.#stop; epoch++) {
      await this.data.begin(this.config.seed, epoch - 1);
      const end = Math.min(this.stepsPerEpoch, this.totalSteps - step);
      let lossOfEpoch = 0;
      for (let inEpoch = 0; inEpoch < end && !this.#stop;) {
        const tail = this.#tail !== null && inEpoch === this.stepsPerEpoch - 1;
        const whole = this.#tail === null ? end : Math.min(end, this.stepsPerEpoch - 1);
        const count = tail ? 1 : Math.min(chunk, whole - inEpoch);
        this.#rates?.prepare(this.data.gpu, step, count);
        await (tail ? this.#tail! : this.#step).run(count).catch((error) => {
          throw error instanceof TrainingError ? inRun(error, step) : error;
        });
        const losses = this.#losses(step, count), before = { inEpoch, step };
        losses.catch(() => {}); // Thrown where it is awaited.
        inEpoch += count;
        step += count;
        await pending?.();
        pending = async () => {
          const all = await losses, wrong = all.findIndex((loss) => !Number.isFinite(loss));
          const good = wrong < 0 ? count : wrong, seconds = (performance.now() - start) / 1000;
          lossOfEpoch += all.subarray(0, good).reduce((sum, loss) => sum + loss, 0);
          const at = { epoch, stepInEpoch: before.inEpoch + good, step: before.step + good };
          const secondsPerStep = (seconds - first.seconds) / (at.step - first.step);
          if (good > 0) report({ ...at, losses: all.subarray(0, good), since, seconds, secondsPerStep });
          if (good < count) {
            throw new TrainingError(
              `the loss is ${all[good]} at step ${at.step + 1}: training diverged; try a smaller --lr`,
            );
          }
          chunk = Math.max(1, Math.min(SLOTS / 2, Math.round(CHUNK_SECONDS / secondsPerStep), chunk * 4));
          if (first.step === 0) first = { step: at.step, seconds };
          since = seconds;
        };
      }
      if (this.#rates?.schedule.plateau) {
        await pending?.();
        pending = null;
        this.#rates.schedule.plateau.endEpoch(lossOfEpoch / end);
      }
    }
    await pending?.();
    return { steps: step, images: this.images(step), seconds: (performance.now() - start) / 1000 };
  }

  /** The losses of `count` steps after the first `step`. To be asked for when they are submitted, and no others after. */
  async #losses(step: number, count: number): Promise<Float32Array> {
    const { gpu } = this.data, [bytes] = await read(gpu, [upload(gpu, this.#ring.value)]);
    const ring = new Float32Array(bytes!);
    return Float32Array.from({ length: count }, (_, i) => ring[(step + i) % SLOTS]!);
  }
}

/** An anomaly in a step of a submission, of which `done` steps of the run came before, by the number of the run's step. */
function inRun({ message }: TrainingError, done: number): TrainingError {
  return new TrainingError(message.replace(/in step (\d+) of run\(\d+\)/, (_, i) => `in step ${done + Number(i)}`));
}

/** Throws `UsageError` where a model cannot be trained or tested on a data set. */
export function checkFits(model: RunConfig["model"], { name, shape, classes }: Dataset): void {
  if (shape[0] !== 3 || shape[1] !== 32 || shape[2] !== 32 || classes.length !== 10) {
    throw new UsageError(
      `the model ${model} takes images of 3 x 32 x 32 in 10 classes, and ${name} has ${shape.join(" x ")} in ` +
        classes.length,
    );
  }
}

/** How batches are made for the model that `config` names. */
export function batchOptions({ model, normalize }: Pick<RunConfig, "model" | "normalize">): BatchOptions {
  return { normalize, channels: MODELS[model].channels };
}

/** Makes the model of a run, initialised by its seed, uploads the training images, and makes the trainer. */
export async function makeTrainer(gpu: Gpu, config: RunConfig, dataset: Dataset): Promise<Trainer> {
  checkFits(config.model, dataset);
  manualSeed(config.seed);
  const model = MODELS[config.model].make();
  return new Trainer(config, model, await DeviceData.upload(gpu, dataset, dataset.train), batchOptions(config));
}
