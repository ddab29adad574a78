/**
 * `wgrad train`: gets the data, trains, saves the weights, and tests them.
 *
 * @module
 */
import { join } from "node:path";
import { openDataset } from "../data/dataset.ts";
import { fileError, writeAtomically } from "../data/files.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { configToJson, makeConfig, type RunConfig, SETTINGS } from "../train/config.ts";
import { DeviceData } from "../train/device_data.ts";
import { evaluateModel } from "../train/evaluate.ts";
import { makeRunFolder } from "../train/run_folder.ts";
import { batchOptions, makeModel, makeTrainer, type Progress, type Trainer } from "../train/trainer.ts";
import { loadWeights, saveWeights } from "../train/weights.ts";
import { VERSION } from "../version.ts";
import { printEvaluation } from "./eval.ts";
import { defineCommand, OUTPUT_FLAGS } from "./flags.ts";
import { duration, Output } from "./output.ts";

/** `wgrad train`. */
export const command = defineCommand({
  name: "train",
  summary: "Train a network, save its weights and test it",
  description:
    "The defaults are the classic tutorial's run: LeNet on CIFAR-10, two epochs, batch 4, SGD with momentum. " +
    "A run's folder gets config.json, metrics.jsonl and model.safetensors. Ctrl-C saves before it ends the run.",
  flags: [...SETTINGS, ...OUTPUT_FLAGS],
  examples: [
    ["wgrad train", "The tutorial's run"],
    ["wgrad train --data synthetic --epochs 1 --batch-size 32 --lr 0.01", "A first try that needs no download"],
    ["wgrad train --batch-size 64 --lr 0.01 --nesterov --normalize cifar10", "Larger batches"],
  ],
  async run({ values: { json, quiet, progress, ...settings } }): Promise<number> {
    const config = makeConfig(settings), output = new Output({ json, quiet, progress });
    const dataset = await openDataset(config.data, {
      offline: config.offline,
      log: output.say,
      progress: output.progress,
    });
    // Before the folder is made: a model that does not fit the data leaves nothing behind.
    makeModel(config, dataset);
    const gpu = await openGpu(config, output);
    if (dataset.synthetic) {
      output.warn("NOTE: the images are SYNTHETIC (drawn, not photographed): accuracies mean nothing");
    }
    const folder = await makeRunFolder(config);
    await writeAtomically(join(folder.path, "config.json"), new TextEncoder().encode(configToJson(config)));
    const metrics = await Metrics.open(join(folder.path, "metrics.jsonl"));
    output.say(`run: ${folder.path} (${config.model}, ${dataset.train.count} images of ${dataset.name})`);
    const trainer = await makeTrainer(gpu, config, dataset);
    const weights = join(folder.path, "model.safetensors");
    const save = () =>
      saveWeights(trainer.model, weights, {
        format: "pt",
        model: config.model,
        normalize: config.normalize,
        wgrad: VERSION,
      });
    const started = performance.now();
    const { steps, interrupted } = await train(trainer, config, output, metrics);
    const trainSeconds = (performance.now() - started) / 1000;
    await save();
    output.say(
      `${interrupted ? "Interrupted" : "Finished training"}: ${steps} steps in ${
        trainSeconds.toFixed(1)
      } s; weights in ${weights}`,
    );
    if (interrupted) {
      await metrics.close();
      return 130;
    }
    // The saved file is what is tested, in a model of its own.
    const model = makeModel(config, dataset), options = batchOptions(config);
    await loadWeights(model, weights);
    const test = await DeviceData.upload(gpu, dataset, dataset.test);
    const evaluation = await evaluateModel(model, test, dataset.classes.length, options);
    const { accuracy, loss } = evaluation;
    await metrics.add({ step: steps, testLoss: loss, testAccuracy: accuracy });
    await metrics.close();
    printEvaluation(evaluation, dataset.classes, test.count, output);
    const images = Math.min(steps * config.batchSize, dataset.train.count * config.epochs);
    const imagesPerSecond = images / trainSeconds;
    output.json({ accuracy, loss, trainSeconds, imagesPerSecond, steps, out: folder.path, adapter: gpu.adapter.name });
    return 0;
  },
});

/** Opens the GPU that `config` asks for and says which it is; loudly, where it is none. */
export async function openGpu(config: Pick<RunConfig, "adapter" | "backend">, output: Output): Promise<Gpu> {
  const { adapter, backend } = config;
  const gpu = await requestGpu({ ...(adapter ? { adapter } : {}), ...(backend ? { backend } : {}) });
  if (gpu.adapter.cpu) output.warn(`NOTE: no GPU is used: ${gpu.adapter.name} is a SOFTWARE driver on the processor`);
  else output.say(`adapter: ${gpu.adapter.name}`);
  return gpu;
}

/** Runs the trainer: prints the tutorial's lines, draws the bar, writes the metrics, and minds Ctrl-C. */
async function train(
  trainer: Trainer,
  config: RunConfig,
  output: Output,
  metrics: Metrics,
): Promise<{ steps: number; interrupted: boolean }> {
  let interrupted = false, sum = 0, count = 0;
  const interrupt = () => {
    if (interrupted) return; // A task runner may pass the signal on a second time.
    interrupted = true;
    trainer.stop();
  };
  const report = ({ epoch, stepInEpoch, step, totalSteps, losses, seconds }: Progress) => {
    for (const loss of losses) sum += loss;
    count += losses.length;
    const rate = step * config.batchSize / seconds;
    if (stepInEpoch % config.logEvery === 0) {
      output.say(`[${epoch}, ${String(stepInEpoch).padStart(5)}] loss: ${(sum / count).toFixed(3)}`);
      metrics.add({
        epoch,
        stepInEpoch,
        step,
        loss: sum / count,
        lr: trainer.optimizer.lr,
        seconds,
        imagesPerSecond: rate,
      });
      sum = count = 0;
    } else if (stepInEpoch === trainer.stepsPerEpoch || step === totalSteps) {
      sum = count = 0; // The tutorial prints whole intervals only.
    }
    const bar = 20, full = Math.floor(bar * step / totalSteps);
    const recent = losses.reduce((total, loss) => total + loss, 0) / losses.length;
    const left = duration(seconds / step * (totalSteps - step));
    output.progress(
      `epoch ${epoch} [${"#".repeat(full)}${".".repeat(bar - full)}] ${step}/${totalSteps}  loss ${
        recent.toFixed(3)
      }  ${Math.round(rate)} images/s  ${left} left`,
    );
  };
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    const steps = await trainer.run(report);
    output.progress("");
    return { steps, interrupted: interrupted && steps < trainer.totalSteps };
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
  }
}

/** `metrics.jsonl`: a JSON object a line, appended as the run goes on. */
class Metrics {
  #written: Promise<unknown> = Promise.resolve();
  private constructor(readonly path: string, readonly file: Deno.FsFile) {}

  static async open(path: string): Promise<Metrics> {
    try {
      return new Metrics(path, await Deno.open(path, { append: true, create: true }));
    } catch (error) {
      throw fileError("write", path, error);
    }
  }

  /** Appends a line, behind those before it. A failure is thrown by `close()`. */
  add(line: object): Promise<unknown> {
    const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
    return this.#written = this.#written.then(async () => {
      for (let done = 0; done < bytes.length;) done += await this.file.write(bytes.subarray(done));
    }).catch((error) => {
      throw fileError("write", this.path, error);
    });
  }

  async close(): Promise<void> {
    try {
      await this.#written;
    } finally {
      this.file.close();
    }
  }
}
