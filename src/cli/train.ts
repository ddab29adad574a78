/**
 * `wgrad train`: gets the data, trains, saves the weights, and tests them.
 *
 * @module
 */
import { join } from "node:path";
import type { Backend } from "../backend/backend.ts";
import { makeConfig, readConfig } from "../config/config.ts";
import { type RunConfig, SETTINGS } from "../config/settings.ts";
import { optionTables } from "../config/update.ts";
import { UsageError } from "../errors.ts";
import { findRun, reopen } from "../run/resume.ts";
import { type RunOptions, trainRun } from "../run/train_run.ts";
import { defineCommand, HOST_FLAG, OUTPUT_FLAGS } from "./flags.ts";
import { openGpu, tuneFor } from "./gpu.ts";
import { Output } from "./output.ts";
import { LiveRun, type PageAddress } from "./train_live.ts";
import { howToGoOn, nextLines, TrainListener } from "./train_listener.ts";

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
    const givenSettings = Object.fromEntries(Object.entries(settings).filter(([name]) => given.has(name)));
    const output = new Output({ json, quiet, progress, goesOn: true });
    if (given.has("host") && dashboard === undefined) throw new UsageError("--host goes with --dashboard");
    const page = dashboard === undefined ? null : { port: dashboard, host };
    if (force && resume === undefined) throw new UsageError("--force goes with --resume");
    if (resume !== undefined && file !== undefined) throw new UsageError("--resume and --config do not go together");
    if (resume === undefined) {
      const config = makeConfig(file === undefined ? settings : await readConfig(file, givenSettings));
      return await train(config, { holdsOutByDefault: file === undefined && !given.has("valSplit") }, page, output);
    }
    if (given.has("name")) throw new UsageError("--resume and --name do not go together: the run has its folder");
    const run = await reopen(await findRun(resume, settings.out), givenSettings, force, output.warn);
    await using _ = run.lock;
    if (run.finished) {
      output.say(`${run.path} has finished: its weights are in ${join(run.path, "model.safetensors")}`);
      output.json({ out: run.path, finished: true });
      return 0;
    }
    return await train(run.config, { resumed: run }, page, output);
  },
});

/** Trains a run, and prints what it says. @returns the exit code. */
async function train(
  config: RunConfig,
  how: Pick<RunOptions, "resumed" | "holdsOutByDefault">,
  page: PageAddress | null,
  output: Output,
): Promise<number> {
  await using live = page && await LiveRun.open(page, output);
  using listener = new TrainListener(output, live);
  const device = {
    open: () => openGpu(config, output),
    tune: async (gpu: Backend, plan: () => Promise<void>) => (await tuneFor(gpu, config.tune, plan, output)).length > 0,
  };
  const command = ["wgrad", ...Deno.args];
  const result = await trainRun(config, { listener, device, command, writeReport, ...how });
  const { path, evaluation, seconds, images, steps, adapter } = result;
  const done = { trainSeconds: seconds, imagesPerSecond: images / seconds, steps, out: path, adapter };
  if (!evaluation) {
    output.say(howToGoOn(path));
    live?.trained("stopped");
    output.json({ interrupted: true, ...done, weights: result.saved });
    return listener.exitCode;
  }
  live?.evaluation(evaluation);
  if (steps < result.totalSteps) output.say(howToGoOn(path));
  output.say(`report: ${join(path, "report.html")}`);
  live?.trained(steps < result.totalSteps ? "ended-early" : "finished");
  for (const line of nextLines(path)) output.say(line);
  const { accuracy, loss, results } = evaluation;
  output.json({ accuracy, loss, ...done, results });
  return 0;
}

/** Writes `report.html`. The page is loaded only now, so that training begins sooner. */
async function writeReport(path: string): Promise<void> {
  const report = await import("../report/report_file.ts");
  await report.writeReport(path);
}
