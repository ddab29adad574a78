/**
 * A whole run, from its data to its tested weights. A new run starts with its settings; a run that was stopped goes on with
 * what `reopen()` found in its folder:
 *
 * ```ts
 * await trainRun(makeConfig({ epochs: 1 }), options);
 *
 * const found = await findRun("lenet-1", "runs"), resumed = await reopen(found, {}, false, console.warn);
 * await using _ = resumed.lock;
 * await trainRun(resumed.config, { ...options, resumed });
 * ```
 *
 * @module
 */
import { printable } from "../foreign_text.ts";
import { join } from "node:path";
import type { Backend } from "../backend/backend.ts";
import { defaultValSplit } from "../config/recipe.ts";
import type { RunConfig } from "../config/settings.ts";
import type { Dataset, Split } from "../data/dataset.ts";
import { openDataset } from "../data/open_dataset.ts";
import { holdOut } from "../data/holdout.ts";
import { OutOfMemoryError, UsageError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { type DataIdentity, DeviceData } from "../train/device_data.ts";
import { evaluateModel, type Evaluation } from "../train/evaluate.ts";
import { batchOptions, checkFits, type Trainer } from "../train/trainer.ts";
import { VERSION } from "../version.ts";
import { type Checkpoint, checkSameData } from "./checkpoint.ts";
import { sourceOf } from "./data_source.ts";
import { type Environment, environment } from "./environment.ts";
import { evaluationFile } from "./evaluation.ts";
import type { EvaluationFile, RunWeights, WeightsResult } from "./evaluation_file.ts";
import { type FinalWeights, finalWeights } from "./final_weights.ts";
import { claimRun, RunFolder } from "./folder.ts";
import { changesOf } from "./extend.ts";
import { makeTrainer } from "./make_trainer.ts";
import { explainOutOfMemory } from "./out_of_memory.ts";
import type { ReopenedRun } from "./resume.ts";
import { newRunFile, readRunFile, resumedRunFile, type RunFile } from "./run_file.ts";
import { type Ended, type Listener, type Opened, Session } from "./session.ts";
import { kernelsOf, restore, useKernels } from "./snapshot.ts";
import { loadWeights, saveWeights } from "./weights.ts";

/** What a run tells of, besides what its session does. */
export interface RunListener extends Listener {
  /** Something that takes a while, such as a download, has come so far; "" when it is over. */
  readonly status: (text: string) => void;
  /** The first step comes next. From now on the session can be stopped, paused and given another learning rate. */
  started(session: Session): Promise<void>;
  /** No steps are left to do, or the run was stopped; the weights are saved. A run that was not stopped is tested next. */
  trained(summary: TrainingSummary): void;
  /** The saved weights were tested on the test images; and the last or the best ones, if they are others. */
  tested(evaluation: Evaluation, results: readonly WeightsResult[], dataset: Dataset): void;
}

/** Where a run gets its device. */
export interface RunDevice {
  /** Opens the device that the settings ask for. Called again when the device was lost. */
  open(): Promise<Backend>;
  /**
   * Tunes the kernels of a new run, as the settings ask for.
   *
   * @param plan plans a step, which asks for its kernels.
   * @returns whether other kernels were selected than before.
   */
  tune(gpu: Backend, plan: () => Promise<void>): Promise<boolean>;
}

/** What `trainRun()` needs besides the settings. */
export interface RunOptions {
  readonly listener: RunListener;
  readonly device: RunDevice;
  /** The run to go on with, whose lock is held; without it a new run starts. */
  readonly resumed?: Omit<ReopenedRun, "lock">;
  /**
   * Holds out images for validation as `defaultValSplit()` says, whatever the settings say of it: `--val-split` was not
   * given. Default false.
   */
  readonly holdsOutByDefault?: boolean;
  /** The command that started the run, word by word, for `run.json`. */
  readonly command: readonly string[];
  /**
   * Writes a report into the run's folder. Called when the run was stopped, finished or failed, while the folder is
   * locked; a run counts as finished only after this.
   */
  writeReport(path: string): Promise<void>;
}

/** What the steps of this process did. */
export interface TrainingSummary extends Ended {
  /** The run's folder, and its file of weights. */
  readonly path: string;
  readonly weights: string;
  /** The name of the device's adapter. */
  readonly adapter: string;
  /** Whether the run was stopped before its last step, and is not tested. */
  readonly interrupted: boolean;
  /** The last step of the run; more than `steps` if it was stopped. */
  readonly totalSteps: number;
  /** Which weights of the run are in the file. */
  readonly saved: RunWeights;
}

/** A run that has ended. */
export interface RunResult extends TrainingSummary {
  /** The test of the weights; null if the run was stopped before its last step. */
  readonly evaluation: EvaluationFile | null;
}

/** A data set as a run uses it. */
interface RunData {
  /** Its `train` lacks the images that are held out. */
  readonly dataset: Dataset;
  /** The images that the run is tested on as it goes; null without such tests. */
  readonly tested: Split | null;
}

/**
 * Trains a new run, or goes on with one, to its end or until its session is stopped; saves the weights and tests them.
 *
 * @throws {UsageError} if the settings do not fit the data, or a folder with the run's name is there already.
 * @throws {DivergedError} if the loss is not finite, and the run does not go back, or went back often enough.
 * @throws {OutOfMemoryError} with a batch size that fits in memory, if one does.
 * @throws {DataError} if a file cannot be read or written.
 */
export async function trainRun(config: RunConfig, options: RunOptions): Promise<RunResult> {
  try {
    return await train(config, options);
  } catch (error) {
    throw error instanceof OutOfMemoryError ? explainOutOfMemory(error, config) : error;
  }
}

async function train(given: RunConfig, options: RunOptions): Promise<RunResult> {
  const { listener, device, resumed } = options, started = new Date(), checkpoint = resumed?.checkpoint ?? null;
  const { config, ...data } = await openData(given, options);
  // A checkpoint holds the weights that --init gave the run.
  const initial = checkpoint ? { ...config, init: undefined } : config;
  const opened = await openTrainer(initial, data, device, checkpoint, checkpoint?.state.kernels, listener.say);
  const { trainer } = opened;
  const kernels = checkpoint?.state.kernels ?? await tunedKernels(trainer, device);
  // Before anything is written: a run that is forced to go on may not fit.
  if (checkpoint && resumed) await goBackTo(checkpoint, trainer, data.dataset, resumed);

  const { path, lock } = resumed ? { path: resumed.path, lock: null } : await claimRun(config);
  await using _ = lock;
  const described = await describeRun(trainer, data.dataset, started, options.command), { step } = trainer.position;
  const before = resumed && await readRunFile(path);
  const runFile = resumed ? resumedRunFile(before, described, step) : newRunFile(described);
  const folder = await RunFolder.open(path, config, checkpoint, runFile, listener.warn);
  listener.say(`run: ${path} (${config.model}, ${data.dataset.train.count} images of ${data.dataset.name})`);
  if (resumed) {
    tellOfResume(folder, trainer, before, listener);
    for (const line of changesOf(trainer, resumed.before)) listener.say(line);
  }

  const open = () => openTrainer(initial, data, device, checkpoint, kernels, () => {});
  const { dataset } = data, changed = resumed?.changed ?? false;
  const session = new Session({ config, dataset, folder, open, changed, listener }, opened, checkpoint);
  await listener.started(session);
  const { summary, final } = await trainAndSave(session, dataset, described.adapter.name, options);
  if (summary.interrupted) {
    await options.writeReport(path);
    return { ...summary, evaluation: null };
  }
  const evaluation = await test(session, dataset, final, listener).catch((error) =>
    reportFailure(error, session, options)
  );
  await options.writeReport(path);
  // A run that was ended early can go on.
  if (summary.steps === summary.totalSteps) {
    await folder.write("run.json", { ...runFile, finished: new Date().toISOString() });
  }
  return { ...summary, evaluation };
}

/**
 * Opens the data set, and holds out the images to validate with.
 *
 * @returns the data, and the settings with the share of images that is held out.
 * @throws {UsageError} if the best weights are to be saved, and there is no validation.
 */
async function openData(
  given: RunConfig,
  { listener: { say, status }, holdsOutByDefault }: RunOptions,
): Promise<RunData & { readonly config: RunConfig }> {
  const { data, model, offline, evalEvery, seed } = given;
  const whole = await openDataset(data, { offline, log: say, progress: status });
  checkFits(model, whole);
  const valSplit = holdsOutByDefault ? defaultValSplit(given, whole.train.count) : given.valSplit;
  const config = { ...given, valSplit };
  if (valSplit === 0) {
    if (given.final === "best") throw new UsageError("--final best needs images to validate with: add --val-split 0.1");
    return { config, dataset: whole, tested: evalEvery === undefined ? null : whole.test };
  }
  const { train, validation } = holdOut(whole.train, valSplit, seed);
  if (holdsOutByDefault) {
    const percent = 100 * valSplit, { count } = validation;
    say(`holding out ${percent} % of the training images (${count}) for validation; --val-split 0 uses all`);
  }
  return { config, dataset: { ...whole, train }, tested: validation };
}

/** Makes the trainer in its first state. @param kernels the variants to use; without them those of the device. */
async function openTrainer(
  config: RunConfig,
  { dataset, tested }: RunData,
  device: RunDevice,
  checkpoint: Checkpoint | null,
  kernels: Readonly<Record<string, string>> | undefined,
  say: (line: string) => void,
): Promise<Opened> {
  const gpu = await device.open();
  if (kernels) useKernels(gpu, kernels);
  const trainer = await makeTrainer(gpu, config, dataset, say, checkpoint?.state);
  return { trainer, tests: tested && await DeviceData.upload(gpu, dataset, tested) };
}

/** Tunes the kernels of a new run. @returns the variants that the run uses from its first step to its last. */
async function tunedKernels(trainer: Trainer, device: RunDevice): Promise<Record<string, string>> {
  const { gpu } = trainer.data;
  if (await device.tune(gpu, () => trainer.plan())) await trainer.replan();
  return kernelsOf(gpu);
}

/** Gives the trainer the state of the checkpoint. */
async function goBackTo(
  checkpoint: Checkpoint,
  trainer: Trainer,
  { name }: Dataset,
  { path, force }: Pick<ReopenedRun, "path" | "force">,
): Promise<void> {
  if (!force) checkSameData(checkpoint.state.data, trainer.data.identity, name);
  await restore(trainer, checkpoint, path);
}

function describeRun(
  { config, data }: Trainer,
  { name }: Dataset,
  started: Date,
  command: readonly string[],
): Promise<Environment> {
  const { gpu, identity } = data;
  return environment({ adapter: gpu.adapter, data: { name, ...identity }, seed: config.seed, command, started });
}

/** Says from where a run goes on, and notes it in the metrics. */
function tellOfResume(
  { metrics }: RunFolder,
  { data: { gpu }, position: { step }, totalSteps }: Trainer,
  before: Partial<RunFile> | undefined,
  { say, warn }: RunListener,
): void {
  metrics.add({ step, event: "resume" });
  say(`resuming at step ${step} of ${totalSteps}`);
  const adapter = before?.adapter?.name;
  const other = adapter !== gpu.adapter.name ? adapter : before?.wgrad !== VERSION && `wgrad ${before?.wgrad}`;
  if (other) warn(`NOTE: this run began on ${printable(String(other), 100)}: the same bits are certain there alone`);
}

/**
 * Trains to the end, or until the session is stopped, and saves the best or the last weights: the averages, if the run has
 * any.
 */
async function trainAndSave(
  session: Session,
  dataset: Dataset,
  adapter: string,
  options: RunOptions,
): Promise<{ readonly summary: TrainingSummary; readonly final: Final }> {
  const { folder: { path, weights } } = session;
  const ended = await session.run().catch((error) => reportFailure(error, session, options));
  const final = await finalWeights(session, dataset.classes.length, options.listener.warn);
  await saveFinal(session, dataset, final);
  const { module: _, ...saved } = final.saved;
  const { totalSteps } = session.trainer, interrupted = ended.steps < totalSteps && !session.endsEarly;
  const summary = { ...ended, path, weights, adapter, saved, totalSteps, interrupted };
  options.listener.trained(summary);
  return { summary, final };
}

/** Writes why a run has failed into its folder, with a report, and throws the error again. */
async function reportFailure(error: Error, session: Session, { listener, writeReport }: RunOptions): Promise<never> {
  const { path } = session.folder;
  session.fail(error);
  // The disk may be what has failed.
  await writeReport(path).then(() => listener.say(`report: ${join(path, "report.html")}`), () => {});
  throw error;
}

/** The weights that are saved, and the others that the run has. */
type Final = Awaited<ReturnType<typeof finalWeights>>;

/** @param test the test images, once the weights are tested. */
async function saveFinal(
  { config, trainer, folder }: Session,
  dataset: Dataset,
  { saved }: Final,
  test?: DataIdentity,
) {
  const source = { ...sourceOf(config, dataset, trainer.data.identity), ...(test && { test }) };
  await saveWeights(saved.module, folder.weights, { ...config, classes: dataset.classes, source });
}

/** Loads the saved weights into a new model, tests it and the others, and writes the results. */
async function test(
  session: Session,
  dataset: Dataset,
  final: Final,
  listener: RunListener,
): Promise<EvaluationFile> {
  const { trainer: { data: { gpu } }, folder, config } = session;
  const data = await DeviceData.upload(gpu, dataset, dataset.test), saved = await loadWeights(folder.weights);
  const evaluate = (module: Module) => evaluateModel(module, data, dataset.classes.length, batchOptions(config));
  const result = ({ module: _, ...which }: FinalWeights, { loss, accuracy }: Evaluation, saved: boolean) => ({
    ...which,
    ...{ saved, data: dataset.name, split: "test", images: data.count, loss, accuracy },
  });
  const evaluation = await evaluate(saved.module), results = [result(final.saved, evaluation, true)];
  if (final.other) results.push(result(final.other, await evaluate(final.other.module), false));
  await saveFinal(session, dataset, final, data.identity);
  listener.tested(evaluation, results, dataset);
  const file = { ...await evaluationFile(evaluation, dataset, "test"), results };
  await session.finish(file);
  return file;
}
