/**
 * The trainer: a step as a program, replayed in chunks. While the GPU works on one chunk, the losses of the one before it
 * are read; the CPU waits at no other place.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { DivergedError, TrainingError, UsageError } from "../errors.ts";
import { read } from "../backend/webgpu/memory.ts";
import { upload } from "../graph/leaves.ts";
import { MODELS } from "../models/registry.ts";
import type { Module } from "../nn/module.ts";
import { EMA } from "../optim/ema.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { RunPlateau } from "../optim/plateau.ts";
import type { Program } from "../tensor/compile.ts";
import { zeros } from "../tensor/create.ts";
import type { RunConfig } from "../config/settings.ts";
import type { BatchOptions, DeviceData } from "./device_data.ts";
import { Rates } from "./rates.ts";
import { gradientsOf, stepProgram } from "./step.ts";
import { makeOptimizer, makeSchedule } from "../config/update.ts";

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

/** How far a run has come. */
export interface Position {
  /** Steps done in all. */
  step: number;
  /** The epoch under way, from 1, and the steps done in it. */
  epoch: number;
  stepInEpoch: number;
  /** The sum of the losses of these. */
  lossOfEpoch: number;
  /** How long all steps took. */
  seconds: number;
}

/** Where a run stops for a moment. */
export interface RunStops {
  /** The first step after `step` that `reached` waits for. Default: none but the ends of epochs. */
  due?(step: number): number;
  /** All steps so far were reported, and none is under way. @param epochEnded an epoch, or the run, ends here. */
  reached?(epochEnded: boolean): Promise<void>;
}

/** A run that has ended, or was stopped. */
export interface Outcome {
  /** Steps done in all, also before it was resumed. */
  readonly steps: number;
  /** The images that the steps of this process took. */
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
  /** The rates of the optimizer's groups. */
  readonly #bases: readonly number[];
  readonly #at: Position = { step: 0, epoch: 1, stepInEpoch: 0, lossOfEpoch: 0, seconds: 0 };
  /** What the rates are multiplied by, from which step on: steps under way have the scale of before. */
  #scales = [{ from: 0, scale: 1 }];
  #stop = false;
  #pause: PromiseWithResolvers<void> | null = null;

  constructor(
    readonly config: RunConfig,
    readonly model: Module,
    readonly data: DeviceData,
    readonly batch: BatchOptions,
  ) {
    const { epochs, maxSteps = Infinity, ema } = config, parameters = model.parameters();
    this.stepsPerEpoch = Math.ceil(data.count / this.#stepImages);
    this.totalSteps = Math.min(this.stepsPerEpoch * epochs, maxSteps);
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

  /** The images of a whole step. */
  get #stepImages(): number {
    return this.config.batchSize * this.config.accumulate;
  }

  /** The learning rate at a step, counted from 0. */
  rate(step: number): number {
    return this.baseRate(step) * this.#scales.findLast(({ from }) => from <= step)!.scale;
  }

  /** What the optimizer and the schedule give as the learning rate at a step, before it is scaled. */
  baseRate(step: number): number {
    return this.#rates?.at(step) ?? this.#bases[0]!;
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

  /**
   * The gradients of the first step of the epoch, by the names of their parameters. To be called at an epoch's end: the
   * batches begin anew.
   */
  gradients(): Promise<Map<string, Float32Array>> {
    const { data } = this;
    return gradientsOf(this, Math.min(this.#stepImages, data.count));
  }

  /** Ends the run after the steps that are under way. */
  stop(): void {
    this.#stop = true;
    this.resume();
  }

  /** Has the run wait, after the steps that are under way. */
  pause(): void {
    this.#pause ??= Promise.withResolvers<void>();
  }

  /** Lets a run that waits go on. */
  resume(): void {
    this.#pause?.resolve();
    this.#pause = null;
  }

  get paused(): boolean {
    return this.#pause !== null;
  }

  /** Where the run is. */
  get position(): Position {
    return { ...this.#at };
  }

  /** Has the run go on from there. What it trains must be as it was there; see `restore()` of `snapshot.ts`. */
  set position({ step, epoch, stepInEpoch, lossOfEpoch, seconds }: Position) {
    Object.assign(this.#at, { step, epoch, stepInEpoch, lossOfEpoch, seconds });
    this.#scales = [{ from: 0, scale: this.rateScale }];
  }

  /** What the rate that the optimizer and the schedule give is multiplied by. Takes effect with the steps submitted next. */
  get rateScale(): number {
    return this.#scales.at(-1)!.scale;
  }

  set rateScale(scale: number) {
    this.#scales.push({ from: this.#at.step, scale });
    if (this.#rates) this.#rates.scale = scale;
    else this.optimizer.paramGroups.forEach((group, i) => group.lr = this.#bases[i]! * scale);
  }

  /** The schedule's state, where it has one: the only one is a plateau's. */
  get schedule(): RunPlateau | null {
    return this.#rates?.schedule.plateau ?? null;
  }

  /**
   * Trains to the end, or until `stop()`, from where the run is.
   *
   * @param report is told of every step, in order, many at a time.
   * @throws {DivergedError} where a loss is not finite, after the report of the steps before it.
   */
  async run(
    report: (progress: Progress) => void,
    { due = () => Infinity, reached }: RunStops = {},
  ): Promise<Outcome> {
    const at = this.#at, begun = { ...at };
    let start = performance.now() - at.seconds * 1000, chunk = 1, first: { step: number; seconds: number } = begun;
    let pending: (() => Promise<void>) | null = null;
    const drain = async () => {
      await pending?.();
      pending = null;
    };
    /** Does what the run waits for, which is no time of its steps. */
    const wait = async (what: () => Promise<unknown> | undefined) => {
      await drain();
      const before = performance.now();
      await what();
      start += performance.now() - before;
    };
    while (at.step < this.totalSteps && !this.#stop) {
      const { epoch } = at, end = Math.min(this.stepsPerEpoch, at.stepInEpoch + this.totalSteps - at.step);
      await this.data.begin(this.config.seed, epoch - 1, at);
      while (at.stepInEpoch < end && !this.#stop) {
        if (this.#pause) {
          await wait(() => this.#pause?.promise);
          continue;
        }
        const { step, stepInEpoch } = at, tail = this.#tail !== null && stepInEpoch === this.stepsPerEpoch - 1;
        const whole = this.#tail === null ? end : Math.min(end, this.stepsPerEpoch - 1), next = due(step);
        const count = tail ? 1 : Math.min(chunk, whole - stepInEpoch, next - step);
        this.#rates?.prepare(this.data.gpu, step, count);
        // From here on another rate is for the steps after these.
        at.stepInEpoch += count;
        at.step += count;
        await (tail ? this.#tail! : this.#step).run(count).catch((error) => {
          throw error instanceof TrainingError ? inRun(error, step) : error;
        });
        const losses = this.#losses(step, count);
        losses.catch(() => {}); // Thrown where it is awaited.
        await pending?.();
        pending = async () => {
          const all = await losses, wrong = all.findIndex((loss) => !Number.isFinite(loss));
          const good = wrong < 0 ? count : wrong, since = at.seconds, seconds = (performance.now() - start) / 1000;
          // One by one, so that the sum does not depend on how many come at a time.
          at.lossOfEpoch = all.subarray(0, good).reduce((sum, loss) => sum + loss, at.lossOfEpoch);
          at.seconds = seconds;
          const now = { epoch, stepInEpoch: stepInEpoch + good, step: step + good };
          const secondsPerStep = (seconds - first.seconds) / (now.step - first.step);
          if (good > 0) report({ ...now, losses: all.subarray(0, good), since, seconds, secondsPerStep });
          if (good < count) {
            throw new DivergedError(
              `the loss is ${all[good]} at step ${now.step + 1}: training diverged; try a smaller --lr`,
            );
          }
          chunk = Math.max(1, Math.min(SLOTS / 2, Math.round(CHUNK_SECONDS / secondsPerStep), chunk * 4));
          if (first === begun) first = { step: now.step, seconds };
        };
        if (at.step === next && at.stepInEpoch < end) await wait(() => reached?.(false));
      }
      await drain();
      const ended = at.stepInEpoch === end;
      if (at.stepInEpoch === this.stepsPerEpoch) {
        this.#rates?.schedule.plateau?.endEpoch(at.lossOfEpoch / this.stepsPerEpoch);
        Object.assign(at, { epoch: epoch + 1, stepInEpoch: 0, lossOfEpoch: 0 });
      }
      if (ended) await wait(() => reached?.(true));
    }
    return {
      steps: at.step,
      images: this.images(at.step) - this.images(begun.step),
      seconds: at.seconds - begun.seconds,
    };
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
  const { input: [, height, width], classes: count } = MODELS[model];
  const images = [3, height, width].join(" x "); // A network of one channel gets images in colour made grey.
  if (shape.join(" x ") !== images || classes.length !== count) {
    throw new UsageError(
      `the model ${model} takes images of ${images} in ${count} classes, and ${name} has ${shape.join(" x ")} in ` +
        classes.length,
    );
  }
}

/** How batches are made for the model that `config` names. */
export function batchOptions({ model, normalize }: Pick<RunConfig, "model" | "normalize">): BatchOptions {
  return { normalize, channels: MODELS[model].input[0] };
}
