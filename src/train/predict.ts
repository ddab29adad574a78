/**
 * Predicts the classes of images.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Backend } from "../backend/backend.ts";
import type { Module } from "../nn/module.ts";
import { compile } from "../tensor/compile.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import { readAll } from "../tensor/realize.ts";
import { type BatchOptions, DeviceData } from "./device_data.ts";

/** Images of one size. They become inputs in the same way as the images that a model is tested on. */
export interface Images {
  /** Channels, height, width. */
  readonly shape: Dataset["shape"];
  /** The bytes of each image: the planes R, G and B, each with its rows from top to bottom. */
  readonly pixels: readonly Uint8Array<ArrayBuffer>[];
}

/**
 * Runs `model` in evaluation mode, and leaves it in that mode.
 *
 * @param batchSize the number of images per step.
 * @returns the probability of each class, for each image in order. NaN if the model has diverged.
 */
export async function predictModel(
  gpu: Backend,
  model: Module,
  { shape, pixels }: Images,
  batchSize: number,
  options: BatchOptions,
): Promise<Float64Array[]> {
  const split = {
    count: pixels.length,
    async *records() {
      for (const one of pixels) yield { count: 1, labels: new Uint8Array(1), pixels: one };
    },
  };
  const data = await DeviceData.upload(gpu, {
    name: "the images",
    classes: [],
    shape,
    synthetic: false,
    train: split,
    test: split,
  }, split);
  const oneStep = tensor(Uint32Array.of(1, 0)), found: Float64Array[] = [];
  model.eval();
  data.rewind();
  while (found.length < data.count) {
    // A smaller last batch is a separate program.
    const count = Math.min(batchSize, data.count - found.length);
    const program = compile(() =>
      noGrad(() => {
        const logits = model.forward(data.next(count, batchSize, options)[0]);
        data.counters.add_(oneStep);
        return logits;
      })
    );
    try {
      while (found.length + count <= data.count) {
        await program.run();
        const [logits] = await readAll([program.result]), classes = program.result.shape[1]!;
        for (let i = 0; i < count; i++) found.push(softmax(logits!.subarray(i * classes, (i + 1) * classes)));
      }
    } finally {
      await program.dispose();
    }
  }
  return found;
}

function softmax(logits: ArrayLike<number>): Float64Array {
  const most = Math.max(...Array.from(logits)), powers = Float64Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / sum);
}
