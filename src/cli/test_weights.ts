/**
 * Testing weights, as `train` does at its end and `eval` does alone.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Backend } from "../backend/backend.ts";
import { evaluateWeights } from "../run/evaluation.ts";
import type { LoadedWeights } from "../run/weights.ts";
import type { Evaluation } from "../train/evaluate.ts";
import type { Output } from "./output.ts";

/** Runs loaded weights over a split, and prints the accuracies. */
export async function testWeights(
  gpu: Backend,
  weights: LoadedWeights,
  dataset: Dataset,
  split: "train" | "test",
  output: Output,
): Promise<Evaluation> {
  const evaluation = await evaluateWeights(gpu, weights, dataset, split);
  printEvaluation(evaluation, dataset, split, output);
  return evaluation;
}

/** Prints the accuracies as the tutorial does. */
export function printEvaluation(
  { accuracy, loss, perClass }: Evaluation,
  dataset: Dataset,
  split: "train" | "test",
  output: Output,
): void {
  const { classes, synthetic } = dataset,
    images = `${dataset[split].count}${synthetic ? " SYNTHETIC" : ""} ${split} images`;
  output.result(`Accuracy of the network on the ${images}: ${percent(accuracy)} (loss ${loss.toFixed(3)})`);
  const width = Math.max(...classes.map((name) => name.length));
  classes.forEach((name, label) => {
    // NaN for a class without images in the split.
    const share = perClass[label]!;
    output.result(`Accuracy for class ${name.padEnd(width)}: ${Number.isNaN(share) ? "no images" : percent(share)}`);
  });
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
