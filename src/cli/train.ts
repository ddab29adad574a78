/**
 * `wgrad train`: gets the data, trains, saves the weights, and tests them.
 *
 * @module
 */
import { join } from "node:path";
import { type Dataset, openDataset } from "../data/dataset.ts";
import { holdOut } from "../data/holdout.ts";
import { OutOfMemoryError, UsageError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Checkpoint, checkSameData } from "../train/checkpoint.ts";
import { makeConfig, readConfig } from "../train/config.ts";
import { DeviceData } from "../train/device_data.ts";
import { type Environment, environment } from "../train/environment.ts";
import { withFittingBatch } from "../train/fitting.ts";
import { evaluationFile } from "../train/mistakes.ts";
import { findRun, type FoundRun, readEnvironment, reopen, resumedConfig, type RunFile } from "../train/resume.ts";
import { claimRun, RunFolder } from "../train/run_folder.ts";
import { type Opened, Session } from "../train/session.ts";
import { type RunConfig, SETTINGS } from "../train/settings.ts";
import { checkFits, makeTrainer, type Trainer } from "../train/trainer.ts";
import { loadWeights, saveWeights } from "../train/weights.ts";
import { optionTables } from "../train/update_config.ts";
import { writeReport } from "../report/report.ts";
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
    const found = await findRun(resume, settings.out), config = makeConfig(resumedConfig(found.config, own, force));
    if (await hasFinished(found, config)) {
      output.say(`${found.folder} has finished: its weights are in ${join(found.folder, "model.safetensors")}`);
      output.json({ out: found.folder, finished: true });
      return 0;
    }
    const { lock, path, checkpoint } = await reopen(found, config, output.warn);
    await using _ = lock;
    return await trainOrExplain(config, { path, checkpoint, force }, page, output);
  },
});

/** A run that goes on. */
interface Reopened {
  readonly path: string;
  /** Null where it came to none. */
  readonly checkpoint: Checkpoint | null;
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
  resumed: Reopened | null,
  page: Where | null,
  output: Output,
): Promise<number> {
  const { offline, valSplit } = config, started = new Date();
  const whole = await openDataset(config.data, { offline, log: output.say, progress: output.progress });
  checkFits(config.model, whole);
  const held = valSplit > 0 ? holdOut(whole.train, valSplit, config.seed) : null;
  const dataset = held ? { ...whole, train: held.train } : whole;
  const tested = held?.validation ?? (config.evalEvery === undefined ? null : dataset.test);
  const openOn = async (gpu: Gpu, say: (line: string) => void): Promise<Opened> => ({
    trainer: await makeTrainer(gpu, config, dataset, say),
    tests: tested && await DeviceData.upload(gpu, dataset, tested),
  });

  const gpu = await openGpu(config, output), opened = await openOn(gpu, output.say), { trainer } = opened;
  const tuned = await tuneFor(gpu, config.tune, () => trainer.plan(), output);
  if (tuned.length > 0) await trainer.replan();
  const checkpoint = resumed?.checkpoint ?? null;
  if (checkpoint && !resumed?.force) checkSameData(checkpoint.state.data, trainer.data.identity, dataset.name);

  const { path, lock } = resumed ? { ...resumed, lock: null } : await claimRun(config);
  await using _ = lock;
  const folder = await RunFolder.open(path, config, checkpoint);
  const from = checkpoint?.state.step ?? 0;
  const environment = describeRun(gpu, trainer, dataset, started), before = resumed && await readEnvironment(path);
  const runFile: Omit<RunFile, "finished"> = before
    ? { ...environment, ...before, resumed: [...before.resumed ?? [], { ...environment, step: from }] }
    : { ...environment, resumed: [] };
  await folder.write("run.json", { ...runFile, finished: undefined });
  output.say(`run: ${path} (${config.model}, ${dataset.train.count} images of ${dataset.name})`);
  if (resumed) {
    folder.metrics.add({ step: from, event: "resume" });
    output.say(`resuming at step ${from} of ${trainer.totalSteps}`);
    if (before?.adapter && before.adapter.name !== gpu.adapter.name) {
      output.warn(`NOTE: this run began on ${before.adapter.name}: the same bits are certain there alone`);
    }
  }
  let live: LiveRun | null = null;
  const session: Session = await Session.open(
    {
      config,
      dataset,
      folder,
      open: async () => await openOn(await openGpu(config, output), () => {}),
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
  live = page && await LiveRun.open(page, session, output);
  let finished = false;
  try {
    using interruption = onInterrupt(() => session.stop());
    const { steps, images, seconds } = await session.run();
    output.progress("");
    session.trainer.ema?.swap(); // The averages are the result.
    await saveWeights(session.trainer.model, folder.weights, { ...config, classes: dataset.classes });
    const interrupted = steps < trainer.totalSteps, what = interrupted ? "Interrupted" : "Finished training";
    output.say(`${what}: ${count(steps, "step")} in ${seconds.toFixed(1)} s; weights in ${folder.weights}`);
    if (interrupted) {
      await writeReport(path);
      output.say(`to go on: wgrad train --resume ${path}`);
      finished = true;
      return interruption.code ?? 130; // The page may have stopped it too.
    }
    // The saved file is what is tested, in a model of its own.
    const device = session.trainer.data.gpu;
    const evaluation = await testWeights(device, await loadWeights(folder.weights), dataset, "test", output);
    const { accuracy, loss } = evaluation, file = await evaluationFile(evaluation, dataset, "test");
    await session.finish(file);
    live?.evaluation(file);
    await folder.write("run.json", { ...runFile, finished: new Date().toISOString() });
    await writeReport(path);
    output.say(`report: ${join(path, "report.html")}`);
    finished = true;
    output.json({
      accuracy,
      loss,
      trainSeconds: seconds,
      imagesPerSecond: images / seconds,
      steps,
      out: path,
      adapter: gpu.adapter.name,
    });
    return 0;
  } finally {
    await live?.close(finished ? "finished" : "failed");
  }
}

/** Whether a run has come to the end that `config` names, and nothing is asked of it beyond that. */
async function hasFinished({ folder, file, config: before }: FoundRun, config: RunConfig): Promise<boolean> {
  const longer = config.epochs !== before.epochs || config.maxSteps !== before.maxSteps;
  return file === null && !longer && (await readEnvironment(folder))?.finished !== undefined;
}

function describeRun(gpu: Gpu, trainer: Trainer, { name }: Dataset, started: Date): Environment {
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
