/**
 * Testing a model on a split: mean loss, accuracy, and the confusion matrix.
 *
 * @module
 */
import { read } from "../gpu/memory.ts";
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import { compile } from "../tensor/compile.ts";
import { noGrad } from "../tensor/create.ts";
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
}

/** Runs `model` in evaluation mode over all of `data`, in its order. Leaves the model's mode as it was. */
export async function evaluateModel(
  model: Module,
  data: DeviceData,
  classes: number,
  options: BatchOptions,
): Promise<Evaluation> {
  const training = model.training;
  model.eval();
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let total = 0;
  for (let done = 0; done < data.count;) {
    const left = data.count - done, tail = left < BATCH, count = tail ? left : BATCH;
    const program = compile(() =>
      noGrad(() => {
        const [x, labels] = data.next(count, BATCH, options);
        const logits = model.forward(x);
        // The counter of batches moves on with each run.
        data.counters.add_(1);
        return { losses: crossEntropy(logits, labels, { reduction: "none" }), predicted: logits.argmax(1) };
      })
    );
    for (let runs = tail ? 1 : Math.floor(left / BATCH); runs > 0; runs--) {
      await program.run();
      const { losses, predicted } = program.result;
      const [lossBytes, classBytes] = await read(data.gpu, [losses.value.storage!, predicted.value.storage!]);
      new Float32Array(lossBytes!).forEach((loss) => total += loss);
      new Uint32Array(classBytes!).forEach((guess, i) => confusion[data.classes[done + i]!]![guess]!++);
      done += count;
    }
    await program.dispose();
  }
  model.train(training);
  const right = confusion.reduce((sum, row, label) => sum + row[label]!, 0);
  return {
    loss: total / data.count,
    accuracy: right / data.count,
    perClass: confusion.map((row, label) => row[label]! / row.reduce((sum, count) => sum + count, 0)),
    confusion,
  };
}
