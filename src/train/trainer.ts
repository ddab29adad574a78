/**
 * The trainer: the training step is a program that is replayed in chunks of steps. While the device works on a chunk, the
 * losses of the chunk before are read; the CPU never waits for anything else.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { AnomalyError, DIVERGED_REMEDY, DivergedError, UsageError } from "../errors.ts";
import { upload } from "../graph/leaves.ts";
import { MODELS } from "../models/registry.ts";
import type { Module } from "../nn/module.ts";
import { isF32 } from "../ops/options.ts";
import { EMA } from "../optim/ema.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { RunPlateau } from "../optim/plateau.ts";
import type { Program } from "../tensor/compile.ts";
import { zeros } from "../tensor/create.ts";
import type { RunConfig } from "../config/settings.ts";
import type { BatchOptions, DeviceData } from "./device_data.ts";
import { Rates } from "./rates.ts";
import { gradientsOf, stepProgram } from "./step.ts";
import { StepClock, type StepTime } from "./step_clock.ts";
import { makeOptimizer, makeSchedule } from "../config/update.ts";

/** The number of losses that the device keeps until they are read. Two chunks of steps may be under way. */
const SLOTS = 8192;

/** A report of steps that were done. */
export interface Progress extends StepTime {
  /** From 1. */
  readonly epoch: number;
  /** Steps done so far, in this epoch and in all. */
  readonly stepInEpoch: number;
  readonly step: number;
  /** The losses of the steps since the last report. All these steps are of this epoch. */
  readonly losses: Float32Array;
  /** The images that each of these steps classified correctly before it changed the weights, and those that it took. */
  readonly correct: Float32Array;
  readonly imagesPerStep: number;
  /** The steps of this epoch so far. */
  readonly ofEpoch: Sums;
}

/** Sums over steps. */
export interface Sums {
  readonly steps: number;
  readonly loss: number;
  /** The images whose predictions were counted, and those of them that were classified correctly. */
  readonly images: number;
  readonly correct: number;
}

/** Sums over no steps. */
export const NO_SUMS: Sums = { steps: 0, loss: 0, images: 0, correct: 0 };

/** How far a run has come. */
export interface Position {
  /** Steps done in all. */
  step: number;
  /** The current epoch, from 1, and the steps done in it. */
  epoch: number;
  stepInEpoch: number;
  /** The steps of this epoch. It lacks those before a checkpoint of another batch size. */
  ofEpoch: Sums;
  /** How long all steps took, in seconds. */
  seconds: number;
}

/** What `Trainer.chunks()` yields. */
export type Chunk = { readonly kind: "steps"; readonly progress: Progress } | Stop;

/** All steps so far were reported, and none is under way. */
export interface Stop {
  readonly kind: "stop";
  /** Whether an epoch, or the run, ends here. */
  readonly epochEnded: boolean;
  /** The epoch of the steps before, and its steps so far. */
  readonly epoch: number;
  readonly ofEpoch: Sums;
}

/** Options of `Trainer.chunks()`. */
export interface ChunkOptions {
  /** The first step after `step` to stop at. Default: only at the ends of epochs. */
  nextStop?(step: number): number;
}

/** Steps that were submitted: `count` of them, after `stepInEpoch` of the epoch and `step` in all. */
interface Submitted {
  readonly epoch: number;
  readonly stepInEpoch: number;
  readonly step: number;
  readonly count: number;
  readonly imagesPerStep: number;
  readonly results: Promise<StepResults>;
}

/** What steps recorded, one element a step. */
interface StepResults {
  readonly losses: Float32Array;
  readonly correct: Float32Array;
}

/** Trains a model on the images of a device. It can be paused, stopped and given another learning rate at any time. */
export class Trainer {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly optimizer: Optimizer;
  /** The averaged weights; null if the run keeps none. */
  readonly ema: EMA | null;
  readonly #rates: Rates | null;
  readonly #ring = zeros([SLOTS, 2]);
  readonly #step: Program;
  /** The last step of an epoch, if it has fewer images than the others. */
  readonly #tail: Program | null;
  /** The learning rates of the optimizer's groups, before schedule and scale. */
  readonly #bases: readonly number[];
  readonly #at: Position = { step: 0, epoch: 1, stepInEpoch: 0, ofEpoch: NO_SUMS, seconds: 0 };
  /** The factors of the rates, and the steps from which they hold: steps that were submitted already keep theirs. */
  #scales = [{ from: 0, scale: 1 }];
  #stop = false;
  #pause: PromiseWithResolvers<void> | null = null;

  constructor(
    readonly config: RunConfig,
    readonly model: Module,
    readonly data: DeviceData,
    readonly batch: BatchOptions,
    /** The steps that the run took so far less those that the same images take: not 0 after another batch size. */
    readonly shift = 0,
  ) {
    const { epochs, maxSteps = Infinity, ema } = config, parameters = model.parameters();
    this.stepsPerEpoch = Math.ceil(data.count / this.#stepImages);
    this.totalSteps = Math.min(this.stepsPerEpoch * epochs + shift, maxSteps);
    this.optimizer = makeOptimizer(config, parameters.filter(({ requiresGrad }) => requiresGrad));
    this.#bases = this.optimizer.paramGroups.map(({ lr }) => lr);
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

  /** The number of images of a full step. */
  get #stepImages(): number {
    return this.config.batchSize * this.config.accumulate;
  }

  /** The learning rate at a step, counted from 0. */
  rate(step: number): number {
    return this.baseRate(step) * this.#scales.findLast(({ from }) => from <= step)!.scale;
  }

  /** The learning rate of the optimizer and the schedule at a step, without `rateScale`. */
  baseRate(step: number): number {
    return this.#rates?.at(step) ?? this.#bases[0]!;
  }

  /** The number of images in the first `steps` steps. */
  images(steps: number): number {
    const { count } = this.data, here = steps - this.shift, epochs = Math.floor(here / this.stepsPerEpoch);
    return epochs * count + Math.min((here - epochs * this.stepsPerEpoch) * this.#stepImages, count);
  }

  /** The number of epochs that the run takes, the last perhaps in part: `--max-steps` may end it early. */
  get epochs(): number {
    return this.epochAt(this.totalSteps);
  }

  /** The mean number of images of a step. */
  get imagesPerStep(): number {
    return this.data.count / this.stepsPerEpoch;
  }

  /** The epoch, from 1, whose last or latest step is the `step`-th of the run. */
  epochAt(step: number): number {
    return Math.ceil((step - this.shift) / this.stepsPerEpoch);
  }

  /** Plans the step, which selects its kernels. */
  async plan(): Promise<void> {
    await this.#step.dispatches();
  }

  /** Plans the step again when it runs next, after other kernels were selected. */
  async replan(): Promise<void> {
    await this.#step.replan();
    await this.#tail?.replan();
  }

  /**
   * Computes the gradients of the first step of the epoch, by the names of their parameters. To be called at the end of an
   * epoch, since it goes back to the first batch.
   */
  gradients(): Promise<Map<string, Float32Array>> {
    const { data } = this;
    return gradientsOf(this, Math.min(this.#stepImages, data.count));
  }

  /** Ends the run after the steps that were submitted already. */
  stop(): void {
    this.#stop = true;
    this.resume();
  }

  /** Makes the run wait after the steps that were submitted already. */
  pause(): void {
    this.#pause ??= Promise.withResolvers<void>();
  }

  /** Lets a paused run go on. */
  resume(): void {
    this.#pause?.resolve();
    this.#pause = null;
  }

  /** Whether the run is paused. */
  get paused(): boolean {
    return this.#pause !== null;
  }

  /** How far the run has come. */
  get position(): Position {
    return { ...this.#at };
  }

  /** Makes the run go on from there. Weights and optimizer must be as they were there; see `restore()` of `snapshot.ts`. */
  set position({ step, epoch, stepInEpoch, ofEpoch, seconds }: Position) {
    Object.assign(this.#at, { step, epoch, stepInEpoch, ofEpoch, seconds });
    this.#scales = [{ from: 0, scale: this.rateScale }];
  }

  /**
   * The factor of the learning rates of the optimizer and the schedule. It takes effect with the steps submitted next.
   *
   * @throws {UsageError} if f32 cannot hold the rate of a group then. No rate is changed in that case.
   */
  get rateScale(): number {
    return this.#scales.at(-1)!.scale;
  }

  set rateScale(scale: number) {
    const { step } = this.#at, factor = this.#rates?.schedule(step, 1) ?? 1;
    for (const rate of this.#bases.map((base) => base * factor * scale)) {
      if (!isF32(rate)) {
        throw new UsageError(`a group of parameters would get a learning rate of ${rate}, which f32 does not hold`);
      }
    }
    this.#scales.push({ from: step, scale });
    if (this.#rates) this.#rates.scale = scale;
    else this.optimizer.paramGroups.forEach((group, i) => group.lr = this.#bases[i]! * scale);
  }

  /** The part of the schedule that has a state, a plateau; null if it has none. */
  get schedule(): RunPlateau | null {
    return this.#rates?.schedule.plateau ?? null;
  }

  /**
   * Trains to the end, or until `stop()`, from where the run is. While the device works on a chunk of steps, the losses
   * of the chunk before are read and reported; that is the only time that the CPU waits for the device. At a stop all steps
   * so far were reported and none is under way; the time that the caller spends there does not count as time of the steps.
   *
   * @throws {DivergedError} if a loss is not finite, after the report of the steps before it.
   * @throws {AnomalyError} with `detectAnomaly`, naming the op that made NaN or an infinity.
   */
  async *chunks({ nextStop = () => Infinity }: ChunkOptions = {}): AsyncGenerator<Chunk, void> {
    const clock = new StepClock(this.#at.step, this.#at.seconds, SLOTS / 2);
    while (this.#at.step < this.totalSteps && !this.#stop) yield* this.#epoch(clock, nextStop);
  }

  /** The chunks of the rest of an epoch, and its end. */
  async *#epoch(clock: StepClock, nextStop: (step: number) => number): AsyncGenerator<Chunk, void> {
    const at = this.#at, end = Math.min(this.stepsPerEpoch, at.stepInEpoch + this.totalSteps - at.step);
    let running: Submitted | null = null;
    await this.data.begin(this.config.seed, at.epoch - 1, at);
    while (at.stepInEpoch < end && !this.#stop) {
      if (this.#pause) {
        if (running) yield* this.#finish(running, clock);
        running = null;
        const restart = clock.stop();
        await this.#pause?.promise; // It may have been resumed meanwhile.
        restart();
        continue;
      }
      const stop = nextStop(at.step), next = await this.#submit(Math.min(clock.chunk, stop - at.step), end);
      if (running) yield* this.#finish(running, clock);
      running = next;
      if (at.step === stop && at.stepInEpoch < end) {
        yield* this.#finish(running, clock);
        running = null;
        yield* stopped(clock, { kind: "stop", epochEnded: false, epoch: at.epoch, ofEpoch: at.ofEpoch });
      }
    }
    if (running) yield* this.#finish(running, clock);
    const ended = at.stepInEpoch === end, { epoch, ofEpoch } = at;
    if (at.stepInEpoch === this.stepsPerEpoch) {
      this.#rates?.schedule.plateau?.endEpoch(ofEpoch.loss / ofEpoch.steps);
      Object.assign(at, { epoch: epoch + 1, stepInEpoch: 0, ofEpoch: NO_SUMS });
    }
    if (ended) yield* stopped(clock, { kind: "stop", epochEnded: true, epoch, ofEpoch });
  }

  /** Submits at most `most` steps of the epoch, which has `end`. A last step with fewer images is a separate chunk. */
  async #submit(most: number, end: number): Promise<Submitted> {
    const at = this.#at, { epoch, stepInEpoch, step } = at, last = this.stepsPerEpoch - 1;
    const isTail = this.#tail !== null && stepInEpoch === last;
    const whole = this.#tail === null ? end : Math.min(end, last);
    const count = isTail ? 1 : Math.min(most, whole - stepInEpoch);
    this.#rates?.prepare(this.data.gpu, step, count);
    // A rate that is set from here on is for the steps after these.
    at.stepInEpoch += count;
    at.step += count;
    await (isTail ? this.#tail! : this.#step).run(count).catch((error) => {
      throw error instanceof AnomalyError ? new AnomalyError(error.finding, step + error.step!) : error;
    });
    const results = this.#results(step, count), { count: images } = this.data;
    results.catch(() => {}); // `#finish()` throws it.
    const imagesPerStep = Math.min(this.#stepImages, images - stepInEpoch * this.#stepImages);
    return { epoch, stepInEpoch, step, count, imagesPerStep, results };
  }

  /** Waits for the losses of a chunk, and reports them. */
  async *#finish(
    { epoch, stepInEpoch, step, count, imagesPerStep, results }: Submitted,
    clock: StepClock,
  ): AsyncGenerator<Chunk, void> {
    const at = this.#at, all = await results, wrong = all.losses.findIndex((loss) => !Number.isFinite(loss));
    const good = wrong < 0 ? count : wrong, done = step + good, time = clock.done(done);
    const losses = all.losses.subarray(0, good), correct = all.correct.subarray(0, good), { ofEpoch } = at;
    at.ofEpoch = {
      steps: ofEpoch.steps + good,
      // One by one, so that the sum does not depend on the size of the chunks.
      loss: losses.reduce((sum, loss) => sum + loss, ofEpoch.loss),
      images: ofEpoch.images + good * imagesPerStep,
      correct: correct.reduce((sum, count) => sum + count, ofEpoch.correct),
    };
    at.seconds = time.seconds;
    if (good > 0) {
      const place = { epoch, stepInEpoch: stepInEpoch + good, step: done, ofEpoch: at.ofEpoch };
      yield { kind: "steps", progress: { ...place, losses, correct, imagesPerStep, ...time } };
    }
    if (good < count) {
      throw new DivergedError(`the loss is ${all.losses[good]} at step ${done + 1}`, {
        remedy: DIVERGED_REMEDY,
        step: done + 1,
      });
    }
    clock.adapt(done, time);
  }

  /** Reads what `count` steps after the first `step` recorded. To be called before any later steps are submitted. */
  async #results(step: number, count: number): Promise<StepResults> {
    const { gpu } = this.data, [bytes] = await gpu.read([upload(gpu, this.#ring.value)]);
    const ring = new Float32Array(bytes!);
    const column = (which: 0 | 1) =>
      Float32Array.from({ length: count }, (_, i) => ring[(step + i) % SLOTS * 2 + which]!);
    return { losses: column(0), correct: column(1) };
  }
}

/** Yields a stop. The clock stands still until the caller goes on. */
function* stopped(clock: StepClock, stop: Stop): Generator<Chunk, void> {
  const restart = clock.stop();
  yield stop;
  restart();
}

/** Throws `UsageError` if a model cannot take the images of a data set. Models are made for any number of classes. */
export function checkFits(model: RunConfig["model"], { name, shape }: Dataset): void {
  const { input: [, height, width] } = MODELS[model];
  const images = [3, height, width].join(" x "); // A network of one channel gets images in colour made grey.
  if (shape.join(" x ") !== images) {
    throw new UsageError(`the model ${model} takes images of ${images}, and ${name} has ${shape.join(" x ")}`);
  }
}

/** The options of batches for the model that `config` names. */
export function batchOptions({ model, normalize }: Pick<RunConfig, "model" | "normalize">): BatchOptions {
  return { normalize, channels: MODELS[model].input[0] };
}
