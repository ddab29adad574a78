/**
 * `wgrad train`: gets the data, trains, saves the weights, and tests them.
 *
 * @module
 */
import { join } from "node:path";
import type { Dataset } from "../data/dataset.ts";
import { openDataset } from "../data/open_dataset.ts";
import { holdOut } from "../data/holdout.ts";
import { OutOfMemoryError, UsageError } from "../errors.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { VERSION } from "../version.ts";
import { checkSameData } from "../run/checkpoint.ts";
import { makeConfig, readConfig } from "../config/config.ts";
import { DeviceData } from "../train/device_data.ts";
import { type Environment, environment } from "../run/environment.ts";
import { withFittingBatch } from "../run/fitting_batch.ts";
import { evaluationFile } from "../run/mistakes.ts";
import { findRun, readEnvironment, reopen, type ReopenedRun, type RunFile } from "../run/resume.ts";
import { claimRun, RunFolder } from "../run/folder.ts";
import { type Opened, Session } from "../run/session.ts";
import { kernelsOf, restore, useKernels } from "../run/snapshot.ts";
import { type RunConfig, SETTINGS } from "../config/settings.ts";
import { makeTrainer } from "../run/make_trainer.ts";
import { checkFits, type Trainer } from "../train/trainer.ts";
import { loadWeights, saveWeights } from "../run/weights.ts";
import { optionTables } from "../config/update.ts";
import { defineCommand, HOST_FLAG, OUTPUT_FLAGS } from "./flags.ts";
import { openGpu, tuneFor } from "./gpu.ts";
import { onInterrupt } from "./interrupt.ts";
import { Output } from "./output.ts";
import { testWeights } from "./test_weights.ts";
import { LiveRun, type Where } from "./train_live.ts";
import { printProgress } from "./train_output.ts";

/** `wgrad train`. */
export const command = defineCommand({
  name: "train",
  summary: "Train a network, save its weights and test it",
  description:
    "The defaults are the classic tutorial's run: LeNet on CIFAR-10, two epochs, batch 4, SGD with momentum. " +
    "A run's folder gets its settings, metrics, checkpoints and model.safetensors. Ctrl-C saves before it ends the run, " +
    "and a second one ends it at once; --resume goes on with it, to the same weights as if it had never ended.",
  flags: [
    {
      name: "config",
      kind: "string",
      value: "FILE",
      help: "Repeat the run of this config.json, but for its --name; flags go before it",
    },
    {
      name: "resume",
      kind: "string",
      value: "RUN",
      help: "Go on with a run: its folder, its name, or one of its checkpoints",
    },
    { name: "force", kind: "boolean", help: "Resume also where a changed setting makes it another run" },
    ...SETTINGS,
    {
      name: "dashboard",
      kind: "integer",
      optionalValue: true,
      min: 0,
      max: 65535,
      value: "PORT",
      help: "Serve a live page of the run on this port, or without one on 8484 or the next free one",
      group: "Output",
    },
    { ...HOST_FLAG, group: "Output" },
    ...OUTPUT_FLAGS,
  ],
  tables: optionTables(),
  examples: [
    ["wgrad train", "The tutorial's run"],
    ["wgrad train --data synthetic --epochs 1 --batch-size 32 --lr 0.01", "A first try that needs no download"],
    ["wgrad train --batch-size 64 --lr 0.01 --nesterov --normalize cifar10", "Larger batches"],
    [
      "wgrad train --optimizer adamw --opt betas=0.9,0.99 --schedule one-cycle --ema 0.999",
      "Another optimizer, a schedule, and averaged weights",
    ],
    ["wgrad train --epochs 20 --val-split 0.1 --save-every 5000", "Validate each epoch, and keep the best checkpoint"],
    ["wgrad train --resume lenet-1", "Go on with a run that was interrupted"],
    ["wgrad train --init cifar_net.pth --freeze 'conv*' --lr 0.0001", "Fine-tune the last layers of saved weights"],
    ["wgrad train --config runs/lenet-1/config.json --seed 1", "A run again, with another seed"],
  ],
  async run({ values: { json, quiet, progress, config: file, resume, force, dashboard, host, ...settings }, given }) {
    const own = Object.fromEntries(Object.entries(settings).filter(([name]) => given.has(name)));
    const output = new Output({ json, quiet, progress });
    if (given.has("host") && dashboard === undefined) throw new UsageError("--host goes with --dashboard");
    const page = dashboard === undefined ? null : { port: dashboard, host };
    if (force && resume === undefined) throw new UsageError("--force goes with --resume");
    if (resume !== undefined && file !== undefined) throw new UsageError("--resume and --config do not go together");
    if (resume === undefined) {
      return await trainOrExplain(
        makeConfig(file === undefined ? settings : await readConfig(file, own)),
        null,
        page,
        output,
      );
    }
    if (given.has("name")) throw new UsageError("--resume and --name do not go together: the run has its folder");
    const run = await reopen(await findRun(resume, settings.out), own, force, output.warn);
    await using _ = run.lock;
    if (run.finished) {
      output.say(`${run.path} has finished: its weights are in ${join(run.path, "model.safetensors")}`);
      output.json({ out: run.path, finished: true });
      return 0;
    }
    return await trainOrExplain(run.config, { ...run, force }, page, output);
  },
});

/** A run that goes on, whose lock is held. */
interface Resumed extends Omit<ReopenedRun, "lock"> {
  readonly force: boolean;
}

/** `train()`, with a better word where memory is short. */
async function trainOrExplain(...args: Parameters<typeof train>): Promise<number> {
  try {
    return await train(...args);
  } catch (error) {
    throw error instanceof OutOfMemoryError ? withFittingBatch(error, args[0]) : error;
  }
}

/** Trains a new run, or goes on with one, and tests what it made. @returns the exit code. */
async function train(
  config: RunConfig,
  resumed: Resumed | null,
  page: Where | null,
  output: Output,
): Promise<number> {
  const { offline, valSplit } = config, started = new Date();
  await using live = page && await LiveRun.open(page, output);
  const whole = await openDataset(config.data, { offline, log: output.say, progress: output.progress });
  checkFits(config.model, whole);
  const held = valSplit > 0 ? holdOut(whole.train, valSplit, config.seed) : null;
  const dataset = held ? { ...whole, train: held.train } : whole;
  const tested = held?.validation ?? (config.evalEvery === undefined ? null : dataset.test);
  const checkpoint = resumed?.checkpoint ?? null;
  // The weights of --init are in the checkpoint by now.
  const initial = checkpoint ? { ...config, init: undefined } : config;
  let kernels = checkpoint?.state.kernels;
  const open = async (say: (line: string) => void): Promise<Opened> => {
    const gpu = await openGpu(config, output);
    if (kernels) useKernels(gpu, kernels);
    const trainer = await makeTrainer(gpu, initial, dataset, say);
    return { trainer, tests: tested && await DeviceData.upload(gpu, dataset, tested) };
  };

  const opened = await open(output.say), { trainer } = opened, { gpu } = trainer.data;
  if (!kernels) {
    const tuned = await tuneFor(gpu, config.tune, () => trainer.plan(), output);
    if (tuned.length > 0) await trainer.replan();
    kernels = kernelsOf(gpu);
  }
  if (checkpoint && !resumed?.force) checkSameData(checkpoint.state.data, trainer.data.identity, dataset.name);
  // Before anything is written: with --force it may not fit.
  if (checkpoint) await restore(trainer, checkpoint, resumed!.path);

  const { path, lock } = resumed ? { ...resumed, lock: null } : await claimRun(config);
  await using _ = lock;
  const environment = await describeRun(gpu, trainer, dataset, started),
    before = resumed && await readEnvironment(path);
  const from = trainer.position.step, { finished: _ended, ...begun } = before ?? {};
  const runFile: Omit<RunFile, "finished"> = {
    ...environment,
    ...begun,
    resumed: resumed ? [...begun.resumed ?? [], { ...environment, step: from }] : [],
  };
  const folder = await RunFolder.open(path, config, checkpoint, runFile);
  output.say(`run: ${path} (${config.model}, ${dataset.train.count} images of ${dataset.name})`);
  if (resumed) {
    folder.metrics.add({ step: from, event: "resume" });
    output.say(`resuming at step ${from} of ${trainer.totalSteps}`);
    const other = before?.adapter?.name !== gpu.adapter.name
      ? before?.adapter?.name
      : before.wgrad !== VERSION && `wgrad ${before.wgrad}`;
    if (other) output.warn(`NOTE: this run began on ${other}: the same bits are certain there alone`);
  }
  const session: Session = Session.open(
    {
      config,
      dataset,
      folder,
      open: () => open(() => {}),
      changed: resumed?.changed ?? false,
      listener: {
        say: output.say,
        warn: output.warn,
        progress(progress, ended) {
          printProgress(session.trainer, progress, ended, output);
          live?.progress(progress);
        },
      },
    },
    opened,
    checkpoint,
  );
  await live?.show(session);
  let trained = false;
  using interruption = onInterrupt(() => {
    output.warn(
      trained ? `to go on: wgrad train --resume ${path}` : "stopping after the steps under way; again: at once",
    );
    if (trained) Deno.exit(interruption.code!); // All is saved.
    if (live) live.stop();
    else session.stop();
  });
  const { steps, images, seconds } = await session.run().catch(async (error) => {
    session.fail(error);
    await report(path).catch(() => {}); // The disk may be what has failed.
    throw error;
  });
  output.progress("");
  session.trainer.ema?.swap(); // The averages are the result.
  await saveWeights(session.trainer.model, folder.weights, { ...config, classes: dataset.classes });
  const interrupted = steps < trainer.totalSteps, what = interrupted ? "Interrupted" : "Finished training";
  output.say(`${what}: ${count(steps, "step")} in ${seconds.toFixed(1)} s; weights in ${folder.weights}`);
  const done = {
    trainSeconds: seconds,
    imagesPerSecond: images / seconds,
    steps,
    out: path,
    adapter: gpu.adapter.name,
  };
  if (interrupted) {
    await report(path);
    output.say(`to go on: wgrad train --resume ${path}`);
    live?.trained("stopped");
    output.json({ interrupted: true, ...done });
    return interruption.code ?? 130; // The page may have stopped it too.
  }
  trained = true;
  live?.trained("testing");
  // The saved file is what is tested, in a model of its own.
  const device = session.trainer.data.gpu;
  const evaluation = await testWeights(device, await loadWeights(folder.weights), dataset, "test", output);
  const { accuracy, loss } = evaluation, file = await evaluationFile(evaluation, dataset, "test");
  await session.finish(file);
  live?.evaluation(file);
  await report(path);
  await folder.write("run.json", { ...runFile, finished: new Date().toISOString() });
  output.say(`report: ${join(path, "report.html")}`);
  live?.trained("finished");
  output.json({ accuracy, loss, ...done });
  return 0;
}

/** Writes `report.html`. The page is loaded only now, so that training begins sooner. */
async function report(path: string): Promise<void> {
  const { writeReport } = await import("../report/report_file.ts");
  await writeReport(path);
}

function describeRun(gpu: Gpu, trainer: Trainer, { name }: Dataset, started: Date): Promise<Environment> {
  return environment({
    adapter: gpu.adapter,
    data: { name, ...trainer.data.identity },
    seed: trainer.config.seed,
    command: ["wgrad", ...Deno.args],
    started,
  });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
