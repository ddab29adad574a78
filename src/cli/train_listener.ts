/**
 * What `wgrad train` does while a run goes on: it prints, keeps the live page up to date, and stops the run at Ctrl-C.
 *
 * @module
 */
import { join, resolve } from "node:path";
import type { Dataset } from "../data/dataset.ts";
import type { WeightsResult } from "../run/evaluation_file.ts";
import type { Interval } from "../run/intervals.ts";
import type { Session } from "../run/session.ts";
import type { RunListener, TrainingSummary } from "../run/train_run.ts";
import type { Evaluation } from "../train/evaluate.ts";
import type { Progress, Trainer } from "../train/trainer.ts";
import { type Interruption, onInterrupt } from "./interrupt.ts";
import { layersOf } from "../measure/summary.ts";
import { MODELS } from "../models/registry.ts";
import type { Output } from "./output.ts";
import { printEvaluation, printResults, whichWeights } from "./print_evaluation.ts";
import { stepNotices } from "./step_notice.ts";
import type { LiveRun } from "./train_live.ts";
import { printProgress } from "./train_output.ts";

/** Prints what a run does. From its start until it is disposed of, it also listens for signals. */
export class TrainListener implements RunListener, Disposable {
  readonly say: RunListener["say"];
  readonly warn: RunListener["warn"];
  readonly status: RunListener["status"];
  readonly #output: Output;
  readonly #live: LiveRun | null;
  #interruption: Interruption | null = null;
  /** Whether the run has done all its steps, and saved its weights. */
  #trained = false;

  constructor(output: Output, live: LiveRun | null) {
    this.#output = output;
    this.#live = live;
    ({ say: this.say, warn: this.warn, progress: this.status } = output);
  }

  async started(session: Session): Promise<void> {
    this.#announceStep(session);
    await this.#live?.show(session);
    this.#interruption = onInterrupt(() => this.#interrupt(session));
  }

  progress(trainer: Trainer, progress: Progress, ended: readonly Interval[]): void {
    printProgress(trainer, progress, ended, this.#output);
    this.#live?.progress(progress);
  }

  trained({ interrupted, steps, totalSteps, seconds, weights, saved }: TrainingSummary): void {
    this.#output.progress("");
    const what = interrupted ? "Interrupted" : steps < totalSteps ? "Stopped early" : "Finished training";
    const count = `${steps} step${steps === 1 ? "" : "s"}`, which = saved.validation ? ` (${whichWeights(saved)})` : "";
    this.say(`${what}: ${count} in ${seconds.toFixed(1)} s; weights in ${resolve(weights)}${which}`);
    this.#trained = !interrupted;
    if (!interrupted) this.#live?.trained("testing");
  }

  tested(evaluation: Evaluation, results: readonly WeightsResult[], dataset: Dataset): void {
    printEvaluation(evaluation, dataset, "test", this.#output, results[0]);
    printResults(results, this.#output);
  }

  /** The exit code of a run that was stopped by a signal. */
  get exitCode(): number {
    return this.#interruption?.code ?? 130;
  }

  [Symbol.dispose](): void {
    this.#interruption?.[Symbol.dispose]();
  }

  /** Says what is unusual about the size of a step. */
  #announceStep({ config: { model: name, batchSize, accumulate }, trainer: { data, model } }: Session): void {
    const { kind } = data.gpu.adapter, layers = layersOf(model, [1, ...MODELS[name].input]);
    const multiplyAdds = layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0);
    for (const line of stepNotices({ batchSize, accumulate, images: data.count, multiplyAdds, kind })) this.warn(line);
  }

  #interrupt(session: Session): void {
    this.warn(this.#trained ? howToGoOn(session.folder.path) : "Stopping and saving… press Ctrl-C again to quit now");
    if (this.#trained) Deno.exit(this.exitCode); // Everything is saved.
    if (this.#live) this.#live.stop();
    else session.stop();
  }
}

/** The line that tells how to go on with a run. */
export function howToGoOn(path: string): string {
  return `Resume with: wgrad train --resume ${shellWord(path)}`;
}

/** What can be done with a run that has finished, in lines. */
export function nextLines(path: string): string[] {
  const weights = shellWord(join(path, "model.safetensors"));
  return [
    `Next: open ${resolve(path, "report.html")} in a browser`,
    `Next: wgrad predict --weights ${weights} IMAGE`,
    `Next: wgrad export --weights ${weights} --to model.onnx`,
  ];
}

/** A text as one word of a command, in quotes if it needs them. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
