/**
 * The training of a run, from its first step or a checkpoint to its last step: it logs, validates and saves, and goes on
 * after a loss that is not finite and after a lost device.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { DeviceLostError, DivergedError, TrainingError, UsageError } from "../errors.ts";
import { readAll } from "../tensor/realize.ts";
import { startOver } from "../tensor/start_over.ts";
import { type BestSoFar, type Checkpoint, encodeCheckpoint, metricsIn } from "./checkpoint.ts";
import { configToJson } from "../config/config.ts";
import type { DeviceData } from "../train/device_data.ts";
import type { EvaluationFile } from "./evaluation_file.ts";
import { evaluateModel, type Evaluation } from "../train/evaluate.ts";
import { sourceOf } from "./data_source.ts";
import { type Interval, Intervals, NOTHING_YET } from "./intervals.ts";
import { gridOfMistakes } from "./evaluation.ts";
import type { RunFolder } from "./folder.ts";
import type { RunConfig } from "../config/settings.ts";
import { capture, kernelsOf, restore } from "./snapshot.ts";
import { Throughput } from "./throughput.ts";
import { batchOptions, type Progress, type Stop, type Trainer } from "../train/trainer.ts";
import { epochLine } from "./epoch_line.ts";

/** The number of times that a run goes back to a checkpoint after a loss that is not finite. */
const MOST_RESTORES = 3;
/** The least number of lines in the metrics of a run with that many steps, even if fewer lines are printed. */
const LEAST_LINES = 500;
/** The most histograms of a tensor in a run. */
const MOST_HISTOGRAMS = 100;

/** What a run uses on one device. */
export interface Opened {
  readonly trainer: Trainer;
  /** The images that it is tested on while it trains; null without such tests. */
  readonly tests: DeviceData | null;
}

/** Who is told what a run does. `say` and `warn` are called as plain functions, without `this`. */
export interface Listener {
  /** A line of news. */
  readonly say: (line: string) => void;
  /** A line about something that went wrong, and what is done about it. */
  readonly warn: (line: string) => void;
  /** Steps were done; `ended` are the intervals of `logEvery` steps that end among them. */
  progress(trainer: Trainer, progress: Progress, ended: readonly Interval[]): void;
}

/** What a session is made of. */
export interface SessionOptions {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly folder: RunFolder;
  /** Makes the trainer in its first state, on a new device. Called after the device was lost. */
  open(): Promise<Opened>;
  readonly listener: Listener;
  /** The run goes on with other settings, or from an older checkpoint: it saves a new checkpoint at once. */
  readonly changed?: boolean;
}

/** What a session did. */
export interface Ended {
  /** All steps of the run, with those before it was resumed. */
  readonly steps: number;
  /** The images that the steps of this session took, and their time in seconds. */
  readonly images: number;
  readonly seconds: number;
}

/** Trains a run. It can be paused, stopped and given another learning rate at any time. */
export class Session {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly #options: SessionOptions;
  /** The intervals that are printed. */
  readonly #printed: Intervals;
  /** The intervals that the metrics have. */
  readonly #noted: Intervals;
  #opened: Opened;
  #best: BestSoFar | null = null;
  #validated: BestSoFar | null = null;
  #restores = 0;
  /** The step of the last checkpoint; -1 if the state of that step has changed since. */
  #saved = -1;
  readonly #begun: { readonly step: number; readonly seconds: number };
  readonly #throughput = new Throughput();
  /** The checkpoint to go on from, until `run()` is called. */
  #from: Checkpoint | null = null;
  #deviceLost = false;
  #stopped = false;
  /** Whether the run was asked to end, and to be tested then. */
  endsEarly = false;

  /** @param opened a trainer in its first state, or in the state of `from`: see `restore()` of `snapshot.ts`. */
  constructor(options: SessionOptions, opened: Opened, from: Checkpoint | null) {
    this.#options = options;
    ({ config: this.config, folder: this.folder } = options);
    const { logEvery } = this.config, { totalSteps } = opened.trainer;
    this.#printed = new Intervals(logEvery);
    this.#noted = new Intervals(Math.min(logEvery, Math.ceil(totalSteps / LEAST_LINES)), totalSteps);
    this.#opened = opened;
    this.#from = from;
    if (from) this.#take(from);
    const { step, seconds } = opened.trainer.position;
    this.#begun = { step, seconds };
  }

  get trainer(): Trainer {
    return this.#opened.trainer;
  }

  /** The best validation so far: that with the smallest loss. Null if there was none. */
  get best(): BestSoFar | null {
    return this.#best;
  }

  /** The latest validation since the run started or went on; null if there was none. */
  get validated(): BestSoFar | null {
    return this.#validated;
  }

  /** The number of images to validate with. */
  get validationImages(): number {
    return this.#opened.tests?.count ?? 0;
  }

  /** Ends the run after the steps that were submitted already. @param test whether to test it then, as at its last step. */
  stop({ test = false } = {}): void {
    this.endsEarly ||= test;
    this.#stopped = true;
    this.trainer.stop();
  }

  /** Whether the run was asked to end. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Makes the run wait after the steps that were submitted already. */
  pause(): void {
    this.trainer.pause();
  }

  /** Lets a paused run go on. */
  resume(): void {
    this.trainer.resume();
  }

  /**
   * Changes the learning rate of the steps to come. A schedule is scaled in proportion.
   *
   * @throws {UsageError} if `lr` is no rate, f32 cannot hold it, or the schedule's rate is 0 now. Nothing is changed then.
   */
  setLr(lr: number): void {
    const { trainer } = this, { step } = trainer.position, from = trainer.rate(step), base = trainer.baseRate(step);
    if (!(Number.isFinite(lr) && lr >= 0)) throw new UsageError(`the learning rate must be a number from 0, got ${lr}`);
    if (!(base > 0)) throw new UsageError("the schedule has the learning rate at 0 now: it cannot be scaled");
    trainer.rateScale = lr / base;
    this.#saved = -1;
    this.folder.metrics.add({ step, event: "lr", from, to: lr });
    this.#options.listener.say(`learning rate: ${from} to ${lr} from step ${step + 1} on`);
  }

  /**
   * Trains to the end, or until `stop()`, and saves a checkpoint there.
   *
   * @throws {DivergedError} if a loss is not finite, and the run does not go back or went back often enough.
   */
  async run(): Promise<Ended> {
    for (;;) {
      try {
        await this.#begin();
        for await (const chunk of this.trainer.chunks({ nextStop: (step) => this.#nextStop(step) })) {
          if (chunk.kind === "steps") this.#report(chunk.progress);
          else await this.#atStop(chunk);
        }
        if (this.trainer.position.step !== this.#saved) await this.save();
        break;
      } catch (error) {
        if (error instanceof DivergedError) await this.#goBack(error);
        else if (error instanceof DeviceLostError) await this.#reopen(error);
        else throw error;
      }
    }
    const { trainer } = this, { step, seconds } = trainer.position, { step: first, seconds: before } = this.#begun;
    return { steps: step, images: trainer.images(step) - trainer.images(first), seconds: seconds - before };
  }

  /** Saves the checkpoints that the run needs before its first step. */
  async #begin(): Promise<void> {
    const from = this.#from;
    this.#from = null;
    if (!from) {
      if (this.config.onNan === "restore" && this.#saved < 0) await this.save();
      return;
    }
    const { state: { best, step } } = from, { hasBest } = this.folder, isBest = !hasBest && best?.step === step;
    if (!hasBest && !isBest) this.#best = null; // Its file is gone.
    if (!hasBest || this.#options.changed) await this.save(isBest);
  }

  /**
   * Writes a checkpoint. To be called when no steps are under way.
   *
   * @param isBest whether the state is the best validation so far.
   * @throws {DataError} if it cannot be written.
   */
  async save(isBest = false): Promise<void> {
    // The rate may be changed while the state is read. The metrics are read at the same moment as the rate.
    const { config, folder, trainer } = this, { dataset } = this.#options, metrics = folder.metrics.saved();
    const { state, tensors } = await capture(trainer);
    const bytes = encodeCheckpoint({
      state: {
        ...state,
        printed: this.#printed.part,
        noted: this.#noted.part,
        restores: this.#restores,
        best: this.#best,
        config: JSON.parse(configToJson(config)),
        data: trainer.data.identity,
        kernels: kernelsOf(trainer.data.gpu),
        metrics,
      },
      tensors,
    }, { ...config, classes: dataset.classes, source: sourceOf(config, dataset, trainer.data.identity) });
    await folder.checkpoints.save(bytes, state.step, isBest);
    this.#saved = state.rateScale === trainer.rateScale ? state.step : -1; // It may have been changed meanwhile.
  }

  /** Adds to the metrics why the run has failed, if its folder can still be written. */
  fail(error: Error): void {
    const diverged = error instanceof TrainingError; // The position counts steps that were submitted, and are lost.
    const step = diverged && error.step !== undefined ? error.step - 1 : this.trainer.position.step;
    try {
      this.folder.metrics.add({ step, event: "failed", why: error.message, ...(diverged && { diverged }) });
    } catch {
      // The caller reports the error that made the run fail.
    }
  }

  /**
   * Writes the result of the test at the run's end to the metrics, to `evaluation.json` and to TensorBoard's file.
   *
   * @throws {DataError} if a file cannot be written.
   */
  async finish(evaluation: EvaluationFile): Promise<void> {
    const { folder: { metrics }, trainer } = this, { step, seconds } = trainer.position, { totalSteps } = trainer;
    if (step < totalSteps) metrics.add({ step, event: "stop", totalSteps });
    const { loss: testLoss, accuracy: testAccuracy, results: [saved] = [] } = evaluation;
    const best = saved?.weights === "best" ? { weights: saved.weights, weightsStep: saved.step } : {};
    metrics.add({ step, epoch: trainer.epochAt(step), seconds, testLoss, testAccuracy, ...best });
    await this.folder.write("evaluation.json", evaluation);
    if (evaluation.mistakes.length > 0) metrics.events.image(step, "mistakes", gridOfMistakes(evaluation));
  }

  async #load(checkpoint: Checkpoint): Promise<void> {
    await restore(this.trainer, checkpoint, this.folder.path);
    this.#take(checkpoint);
  }

  /** Takes what the trainer does not know from a checkpoint. */
  #take({ state }: Checkpoint): void {
    this.#restartThroughput();
    this.#printed.part = state.printed;
    this.#noted.part = state.noted;
    this.#restores = Math.max(this.#restores, state.restores);
    this.#best = state.best;
    this.#saved = state.step;
  }

  #report(progress: Progress): void {
    const { trainer, folder } = this;
    folder.metrics.add(
      ...this.#noted.add(progress).map((interval) => ({
        ...interval,
        lr: trainer.rate(interval.step - 1),
        imagesPerSecond: this.#throughput.at({ images: trainer.images(interval.step), seconds: interval.seconds }),
      })),
    );
    this.#options.listener.progress(trainer, progress, this.#printed.add(progress));
  }

  /** The trainer is at another step than before, or is another one. */
  #restartThroughput(): void {
    const { trainer } = this, { step, seconds } = trainer.position;
    this.#throughput.restart({ images: trainer.images(step), seconds });
  }

  /** The first step after `step` that the run saves or tests at. */
  #nextStop(step: number): number {
    const { saveEvery = Infinity, evalEvery = Infinity } = this.config;
    const next = (every: number) => every === Infinity ? Infinity : (Math.floor(step / every) + 1) * every;
    return Math.min(next(saveEvery), next(evalEvery));
  }

  async #atStop({ epochEnded, epoch, ofEpoch }: Stop): Promise<void> {
    const { saveEvery, evalEvery, valSplit } = this.config, { step } = this.trainer.position;
    if (epochEnded) this.#options.listener.say(epochLine(this.trainer, epoch, ofEpoch));
    const due = (every: number | undefined) => epochEnded || (every !== undefined && step % every === 0);
    let isBest = false;
    // At the run's end the saved weights are tested instead.
    const last = valSplit === 0 && step === this.trainer.totalSteps;
    if (this.#opened.tests && due(evalEvery) && !last) isBest = await this.#test(this.#opened.tests);
    if (due(saveEvery) || isBest) await this.save(isBest);
    if (epochEnded) await this.#drawHistograms();
  }

  /** Adds histograms of the weights and gradients to TensorBoard's file, at most `MOST_HISTOGRAMS` times in a run. */
  async #drawHistograms(): Promise<void> {
    const { trainer, folder: { metrics: { events } }, config: { epochs } } = this, { step, epoch } = trainer.position;
    const last = step === trainer.totalSteps;
    if (!last && (epoch - 1) % Math.ceil(epochs / MOST_HISTOGRAMS) !== 0) return;
    const named = trainer.model.namedParameters(), gradients = await trainer.gradients();
    const values = await readAll(named.map(([, parameter]) => parameter));
    events.histograms(step, new Map(named.map(([name], i) => [name, values[i] as Float32Array])), gradients);
  }

  /** Tests the current weights. @returns whether this is the best validation so far. */
  async #test(data: DeviceData): Promise<boolean> {
    const { trainer, folder, config } = this, { step, seconds } = trainer.position;
    // At the end of an epoch the trainer is at the next one already.
    const epoch = trainer.epochAt(step);
    const { loss, accuracy } = await this.#evaluate(data).catch((error) => {
      throw error instanceof TrainingError ? new DivergedError(error.what, error) : error;
    });
    const validates = config.valSplit > 0, what = validates ? "validation" : "test";
    folder.metrics.add({
      step,
      epoch,
      seconds,
      ...(validates ? { valLoss: loss, valAccuracy: accuracy } : { testLoss: loss, testAccuracy: accuracy }),
    });
    const percent = (100 * accuracy).toFixed(2);
    this.#options.listener.say(`[${epoch}, step ${step}] ${what} loss: ${loss.toFixed(3)}, accuracy: ${percent} %`);
    if (!validates) return false;
    this.#validated = { step, loss, accuracy };
    if (this.#best && this.#best.loss <= loss) return false;
    this.#best = this.#validated;
    return true;
  }

  async #evaluate(data: DeviceData): Promise<Evaluation> {
    const { model, ema } = this.trainer, { classes } = this.#options.dataset;
    ema?.swap();
    try {
      return await evaluateModel(model, data, classes.length, batchOptions(this.config));
    } finally {
      ema?.swap();
    }
  }

  /** Goes back to the newest checkpoint, with half the learning rate, after a loss that is not finite. */
  async #goBack(error: DivergedError): Promise<void> {
    const { folder, config } = this, { listener } = this.#options, lost = this.trainer.position.step;
    if (config.onNan !== "restore") throw error;
    if (this.#restores >= MOST_RESTORES) {
      throw new DivergedError(`${error.message}; went back ${MOST_RESTORES} times already`, { step: error.step });
    }
    const checkpoint = await folder.checkpoints.newest(listener.warn);
    if (!checkpoint) throw error;
    const scale = Math.min(this.trainer.rateScale, checkpoint.state.rateScale) / 2;
    await this.#load(checkpoint);
    await folder.metrics.restore(metricsIn(checkpoint), listener.warn);
    this.#restores++;
    this.trainer.rateScale = scale;
    const { step } = checkpoint.state, lr = this.trainer.rate(step);
    folder.metrics.add({ step, event: "restore", from: lost, lr });
    listener.warn(
      `${error.message}: going back to step ${step}, with half the learning rate, ${lr} ` +
        `(${this.#restores} of ${MOST_RESTORES} times)`,
    );
    await this.save(); // A run that is resumed needs the rate and the count too.
  }

  /** Goes on from the newest checkpoint on a new device. A device that is lost a second time ends the run. */
  async #reopen(error: DeviceLostError): Promise<void> {
    const { folder } = this, { listener } = this.#options;
    if (this.#deviceLost) throw new DeviceLostError(`${error.message}; it was lost before`);
    this.#deviceLost = true;
    const checkpoint = await folder.checkpoints.newest(listener.warn), step = checkpoint?.state.step ?? 0;
    listener.warn(`WARNING: ${error.what}: going on from step ${step} on a new one`);
    startOver();
    const opened = await this.#options.open(), { paused, rateScale } = this.trainer;
    this.#opened = opened;
    if (checkpoint) await this.#load(checkpoint);
    else {
      this.#printed.part = this.#noted.part = NOTHING_YET;
      this.#restartThroughput();
    }
    await folder.metrics.restore(checkpoint && metricsIn(checkpoint), listener.warn);
    // The rate that was set, a pause and a stop still hold.
    const { trainer } = this, changed = rateScale !== trainer.rateScale;
    trainer.rateScale = rateScale;
    folder.metrics.add({ step, event: "device-lost", ...(changed && { lr: trainer.rate(step) }) });
    if (paused) trainer.pause();
    if (this.#stopped) trainer.stop();
  }
}
