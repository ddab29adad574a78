/**
 * Tests a model on a split: mean loss, accuracy, and the confusion matrix.
 *
 * @module
 */
import { TrainingError } from "../errors.ts";
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import { compile } from "../tensor/compile.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import type { BatchOptions, DeviceData } from "./device_data.ts";

/** The number of images per step. It is large because the results of each step are read, which costs a wait. */
const BATCH = 1000;

/** The result of a test. */
export interface Evaluation {
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** The share of images whose class was predicted, 0 to 1. */
  readonly accuracy: number;
  /** The same for the images of each class, by label; NaN for a class without images. */
  readonly perClass: readonly number[];
  /** `confusion[label][predicted]`: the number of images. */
  readonly confusion: readonly (readonly number[])[];
  /** The most confident wrong predictions, at most three of each pair of classes; the most confident first. */
  readonly mistakes: readonly Prediction[];
}

/** The prediction of a model for an image. */
export interface Prediction {
  /** The index of the image in the split. */
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** The probability of the predicted class, 0 to 1. */
  readonly probability: number;
}

/** The most mistakes that are kept: of a pair of classes, and in all. With their pictures these are less than a megabyte. */
const MOST_OF_PAIR = 3, MOST_MISTAKES = 200;

/**
 * Runs `model` in evaluation mode over all of `data`. Afterwards each of its modules is in the mode that it was in, also
 * after an error.
 *
 * @param classes the number of classes.
 * @throws {TrainingError} if the loss is not finite.
 */
export async function evaluateModel(
  model: Module,
  data: DeviceData,
  classes: number,
  options: BatchOptions,
): Promise<Evaluation> {
  const modes = model.namedModules().map(([, module]) => ({ module, training: module.training }));
  const oneStep = tensor(Uint32Array.of(1, 0));
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let total = 0, mistakes: Prediction[] = [];
  model.eval();
  try {
    data.rewind();
    for (let done = 0; done < data.count;) {
      const count = Math.min(BATCH, data.count - done);
      const program = compile(() =>
        noGrad(() => {
          const [x, labels] = data.next(count, BATCH, options);
          const logits = model.forward(x);
          data.counters.add_(oneStep);
          const losses = crossEntropy(logits, labels, { reduction: "none" });
          return { losses, predictions: logits.argmax(1), labels, logits };
        })
      );
      try {
        while (done + count <= data.count) {
          await program.run();
          const { losses, predictions, labels, logits } = program.result;
          const bytes = await data.gpu.read([losses, predictions, labels, logits].map(({ value }) => value.storage!));
          const classesOf = new Uint32Array(bytes[1]!), rows = new Float32Array(bytes[3]!);
          for (const loss of new Float32Array(bytes[0]!)) total += loss;
          new Uint32Array(bytes[2]!).forEach((label, i) => {
            const predicted = classesOf[i]!;
            confusion[label]![predicted]!++;
            if (predicted === label) return;
            const probability = probabilityOf(predicted, rows.subarray(i * classes, (i + 1) * classes));
            mistakes.push({ index: done + i, label, predicted, probability });
          });
          mistakes = mostConfident(mistakes);
          done += count;
        }
      } finally {
        await program.dispose();
      }
    }
  } finally {
    for (const { module, training } of modes) module.training = training;
  }
  const loss = total / data.count, sum = (row: readonly number[]) => row.reduce((sum, count) => sum + count, 0);
  if (!Number.isFinite(loss)) throw new TrainingError(`the loss of the images is ${loss}: the weights have diverged`);
  return {
    loss,
    accuracy: sum(confusion.map((row, label) => row[label]!)) / data.count,
    perClass: confusion.map((row, label) => row[label]! / sum(row)),
    confusion,
    mistakes,
  };
}

/** The mistakes that are kept, the most confident first. */
function mostConfident(mistakes: readonly Prediction[]): Prediction[] {
  const counts = new Map<string, number>();
  return mistakes.toSorted((a, b) => b.probability - a.probability).filter(({ label, predicted }) => {
    const pair = `${label} ${predicted}`, count = (counts.get(pair) ?? 0) + 1;
    counts.set(pair, count);
    return count <= MOST_OF_PAIR;
  }).slice(0, MOST_MISTAKES);
}

/** The softmax of a row of logits, at one index. */
function probabilityOf(index: number, logits: Float32Array): number {
  return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - logits[index]!), 0);
}
