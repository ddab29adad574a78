/**
 * Testing weights, as `train` does at its end and `eval` does alone.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { DeviceData } from "../train/device_data.ts";
import { evaluateModel, type Evaluation } from "../train/evaluate.ts";
import { batchOptions } from "../train/trainer.ts";
import type { LoadedWeights } from "../run/weights.ts";
import type { Output } from "./output.ts";

/** Runs loaded weights over a split, and prints the accuracies as the tutorial does. */
export async function testWeights(
  gpu: Gpu,
  weights: LoadedWeights,
  dataset: Dataset,
  split: "train" | "test",
  output: Output,
): Promise<Evaluation> {
  const { classes, synthetic } = dataset;
  const data = await DeviceData.upload(gpu, dataset, dataset[split]);
  const evaluation = await evaluateModel(weights.module, data, classes.length, batchOptions(weights));
  const { accuracy, loss, perClass } = evaluation;
  const images = `${data.count}${synthetic ? " SYNTHETIC" : ""} ${split} images`;
  output.result(`Accuracy of the network on the ${images}: ${percent(accuracy)} (loss ${loss.toFixed(3)})`);
  const width = Math.max(...classes.map((name) => name.length));
  classes.forEach((name, label) => {
    // NaN where the split has no image of the class.
    const share = perClass[label]!;
    output.result(`Accuracy for class ${name.padEnd(width)}: ${Number.isNaN(share) ? "no images" : percent(share)}`);
  });
  return evaluation;
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
