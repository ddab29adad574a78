/**
 * `wgrad train`: gets the data, trains, saves the weights, and tests them.
 *
 * @module
 */
import { openDataset } from "../data/dataset.ts";
import { makeConfig, readConfig } from "../train/config.ts";
import { SETTINGS } from "../train/settings.ts";
import { Intervals } from "../train/intervals.ts";
import { makeRunFolder, type RunFolder } from "../train/run_folder.ts";
import { checkFits, makeTrainer, type Outcome, type Progress, type Trainer } from "../train/trainer.ts";
import { loadWeights, saveWeights } from "../train/weights.ts";
import { optionTables } from "../train/update_config.ts";
import { defineCommand, OUTPUT_FLAGS } from "./flags.ts";
import { openGpu, tuneFor } from "./gpu.ts";
import { duration, Output } from "./output.ts";
import { testWeights } from "./test_weights.ts";

/** `wgrad train`. */
export const command = defineCommand({
  name: "train",
  summary: "Train a network, save its weights and test it",
  description:
    "The defaults are the classic tutorial's run: LeNet on CIFAR-10, two epochs, batch 4, SGD with momentum. " +
    "A run's folder gets config.json, metrics.jsonl and model.safetensors. Ctrl-C saves before it ends the run.",
  flags: [
    {
      name: "config",
      kind: "string",
      value: "FILE",
      help: "Repeat the run of this config.json, but for its --name; flags go before it",
    },
    ...SETTINGS,
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
    ["wgrad train --config runs/lenet-1/config.json --seed 1", "A run again, with another seed"],
  ],
  async run({ values: { json, quiet, progress, config: file, ...settings }, given }) {
    const own = Object.fromEntries(Object.entries(settings).filter(([name]) => given.has(name)));
    const config = makeConfig(file === undefined ? settings : await readConfig(file, own));
    const output = new Output({ json, quiet, progress });
    const { data, offline, model } = config;
    const dataset = await openDataset(data, { offline, log: output.say, progress: output.progress });
    checkFits(model, dataset);
    const gpu = await openGpu(config, output);
    const trainer = await makeTrainer(gpu, config, dataset);
    const tuned = await tuneFor(gpu, config.tune, () => trainer.plan(), output);
    if (tuned.length > 0) await trainer.replan();
    const folder = await makeRunFolder(config), weights = folder.weights;
    output.say(`run: ${folder.path} (${model}, ${dataset.train.count} images of ${dataset.name})`);
    const { steps, images, seconds, interrupted } = await trainAndSave(trainer, folder, output);
    const what = interrupted ? "Interrupted" : "Finished training";
    output.say(`${what}: ${steps} step${steps === 1 ? "" : "s"} in ${seconds.toFixed(1)} s; weights in ${weights}`);
    if (interrupted) return 130;
    // The saved file is what is tested, in a model of its own.
    const { accuracy, loss } = await testWeights(gpu, await loadWeights(weights), dataset, "test", output);
    folder.log({ step: steps, testLoss: loss, testAccuracy: accuracy });
    output.json({
      accuracy,
      loss,
      trainSeconds: seconds,
      imagesPerSecond: images / seconds,
      steps,
      out: folder.path,
      adapter: gpu.adapter.name,
    });
    return 0;
  },
});

/** Trains and saves the weights, also where the user ends the run before its time. */
async function trainAndSave(
  trainer: Trainer,
  folder: RunFolder,
  output: Output,
): Promise<Outcome & { interrupted: boolean }> {
  let interrupted = false;
  using _ = onInterrupt(() => {
    interrupted = true;
    trainer.stop();
  });
  const outcome = await trainer.run(reporter(trainer, folder, output));
  output.progress("");
  trainer.ema?.swap(); // The averages are the result.
  await saveWeights(trainer.model, folder.weights, trainer.config);
  return { ...outcome, interrupted };
}

/** Calls `stop` where Ctrl-C or the system asks the process to end, until it is disposed of. */
function onInterrupt(stop: () => void): Disposable {
  const signals = ["SIGINT", Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
    },
  };
}

/** Prints the tutorial's lines, writes the metrics, and draws the bar. */
function reporter(trainer: Trainer, folder: RunFolder, output: Output): (progress: Progress) => void {
  const { totalSteps, config } = trainer, intervals = new Intervals(config.logEvery);
  return (progress) => {
    const ended = intervals.add(progress);
    for (const { epoch, stepInEpoch, loss } of ended) {
      output.say(`[${epoch}, ${String(stepInEpoch).padStart(5)}] loss: ${loss.toFixed(3)}`);
    }
    folder.log(...ended.map((interval) => ({
      ...interval,
      lr: trainer.rate(interval.step - 1),
      imagesPerSecond: trainer.images(interval.step) / interval.seconds,
    })));
    const { epoch, step, losses, secondsPerStep } = progress;
    const width = 20, full = Math.floor(width * step / totalSteps);
    const bar = "#".repeat(full) + ".".repeat(width - full);
    const loss = losses.reduce((sum, one) => sum + one, 0) / losses.length;
    const rate = Math.round(trainer.images(step) / step / secondsPerStep);
    const left = duration(secondsPerStep * (totalSteps - step));
    output.progress(
      `epoch ${epoch} [${bar}] ${step}/${totalSteps}  loss ${loss.toFixed(3)}  ${rate} images/s  ${left} left`,
    );
  };
}
