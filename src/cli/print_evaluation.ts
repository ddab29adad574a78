/**
 * Prints the results of tests, as `train` does at its end and `eval` does alone.
 *
 * @module
 */
import { areNamed } from "../data/class_names.ts";
import type { Dataset } from "../data/dataset.ts";
import type { RunWeights, WeightsResult } from "../run/evaluation_file.ts";
import type { Evaluation } from "../train/evaluate.ts";
import type { Output } from "./output.ts";

/**
 * Prints the accuracies as the tutorial does.
 *
 * @param which the weights that were tested, if a validation selected them.
 */
export function printEvaluation(
  { accuracy, loss, perClass }: Evaluation,
  dataset: Dataset,
  split: "train" | "test",
  output: Output,
  which?: RunWeights,
): void {
  const { classes, synthetic } = dataset,
    images = `${dataset[split].count}${synthetic ? " SYNTHETIC" : ""} ${split} images`;
  const network = which?.validation ? `${which.weights} weights (epoch ${which.epoch}, step ${which.step})` : "network";
  output.result(`Accuracy of the ${network} on the ${images}: ${percent(accuracy)} (loss ${loss.toFixed(3)})`);
  const width = Math.max(...classes.map((name) => name.length)), noun = areNamed(classes) ? "class " : "";
  classes.forEach((name, label) => {
    // NaN for a class without images in the split.
    const share = perClass[label]!;
    output.result(`Accuracy for ${noun}${name.padEnd(width)}: ${Number.isNaN(share) ? "no images" : percent(share)}`);
  });
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;

/** Which weights of a run: `best: epoch 1, step 282, validation loss 0.646, accuracy 78.30 %`. */
export function whichWeights({ weights, epoch, step, averaged, validation }: RunWeights): string {
  const of = `${weights}${averaged ? ", averaged" : ""}: epoch ${epoch}, step ${step}`;
  if (!validation) return of;
  return `${of}, validation loss ${validation.loss.toFixed(3)}, accuracy ${percent(validation.accuracy)}`;
}

/** Prints which of a run's weights were tested on the same images, if it has the best and the last. */
export function printResults(results: readonly WeightsResult[], output: Output): void {
  const [saved, other] = results;
  if (!saved || !other) return;
  output.result(`The weights with the smallest validation loss and the last ones, on the same ${saved.images} images:`);
  for (const result of results) {
    const { accuracy, loss, saved } = result;
    const kept = saved ? "saved" : `--final ${result.weights} saves these`;
    output.result(`  ${percent(accuracy)} (loss ${loss.toFixed(3)}): ${whichWeights(result)}; ${kept}`);
  }
}
