/**
 * Testing a model on a split: mean loss, accuracy, and the confusion matrix.
 *
 * @module
 */
import { TrainingError } from "../errors.ts";
import { read } from "../backend/webgpu/memory.ts";
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import { compile } from "../tensor/compile.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import type { BatchOptions, DeviceData } from "./device_data.ts";

/** Images a step. Large, since each step's results are read back, which costs a wait. */
const BATCH = 1000;

export interface Evaluation {
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** The share of images whose most likely class is their own, 0 to 1. */
  readonly accuracy: number;
  /** The same for the images of each class, by label; NaN for a class without images. */
  readonly perClass: readonly number[];
  /** confusion[label][predicted]: how many images. */
  readonly confusion: readonly (readonly number[])[];
  /** The images that the model was wrong about and surest of, the surest first. */
  readonly mistakes: readonly Guess[];
}

/** What a model took an image for. */
export interface Guess {
  /** Which image of the split. */
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  /** How sure the model was, 0 to 1. */
  readonly probability: number;
}

/** How many mistakes are kept. */
const MOST_MISTAKES = 25;

/**
 * Runs `model` in evaluation mode over all of `data`, from its first batch. Leaves the mode of each of its modules as it
 * was, also where it throws.
 *
 * @param classes how many there are.
 * @throws {TrainingError} where the loss is not finite.
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
  let total = 0, mistakes: Guess[] = [];
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
          return { losses, guesses: logits.argmax(1), labels, logits };
        })
      );
      try {
        while (done + count <= data.count) {
          await program.run();
          const { losses, guesses, labels, logits } = program.result;
          const bytes = await read(data.gpu, [losses, guesses, labels, logits].map(({ value }) => value.storage!));
          const guessed = new Uint32Array(bytes[1]!), rows = new Float32Array(bytes[3]!);
          for (const loss of new Float32Array(bytes[0]!)) total += loss;
          new Uint32Array(bytes[2]!).forEach((label, i) => {
            const predicted = guessed[i]!;
            confusion[label]![predicted]!++;
            if (predicted === label) return;
            const probability = probabilityOf(predicted, rows.subarray(i * classes, (i + 1) * classes));
            mistakes.push({ index: done + i, label, predicted, probability });
          });
          mistakes = mistakes.sort((a, b) => b.probability - a.probability).slice(0, MOST_MISTAKES);
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

/** The softmax of a row of logits, at one place. */
function probabilityOf(place: number, logits: Float32Array): number {
  return 1 / logits.reduce((sum, one) => sum + Math.exp(one - logits[place]!), 0);
}
