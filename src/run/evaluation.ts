/**
 * Testing saved weights, and the result: as `evaluation.json`, and as a picture of the images that the model got wrong.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import type { Dataset } from "../data/dataset.ts";
import { enlarge, makeGrid, withCaption } from "../image/grid.ts";
import { imageOf } from "../data/records.ts";
import { decodeRgbPng, encodeRgbPng } from "../image/rgb_png.ts";
import { type DataIdentity, DeviceData } from "../train/device_data.ts";
import { evaluateModel, type Evaluation } from "../train/evaluate.ts";
import { batchOptions } from "../train/trainer.ts";
import type { EvaluationFile } from "./evaluation_file.ts";
import type { LoadedWeights } from "./weights.ts";

/**
 * Runs loaded weights over a split of a data set.
 *
 * @returns the result, and what identifies the images.
 * @throws {TrainingError} if the loss is not finite.
 */
export async function evaluateWeights(
  gpu: Backend,
  weights: LoadedWeights,
  dataset: Dataset,
  split: "train" | "test",
): Promise<{ readonly evaluation: Evaluation; readonly identity: DataIdentity }> {
  const data = await DeviceData.upload(gpu, dataset, dataset[split]), { classes: { length } } = dataset;
  return {
    evaluation: await evaluateModel(weights.module, data, length, batchOptions(weights)),
    identity: data.identity,
  };
}

/** The content of `evaluation.json` for the test of a split. Reads the split once more, for the images of the mistakes. */
export async function evaluationFile(
  { loss, accuracy, perClass, confusion, mistakes }: Evaluation,
  dataset: Dataset,
  split: "train" | "test",
): Promise<EvaluationFile> {
  const pictures = await picturesOf(dataset, split, new Set(mistakes.map(({ index }) => index)));
  return {
    split,
    images: dataset[split].count,
    loss,
    accuracy,
    classes: dataset.classes,
    perClass: perClass.map((share) => Number.isNaN(share) ? null : share),
    confusion,
    mistakes: mistakes.map((guess) => ({ ...guess, png: pictures.get(guess.index)! })),
  };
}

/** Images of a split by their indices, as data URIs of PNG files. */
async function picturesOf(
  dataset: Dataset,
  split: "train" | "test",
  wanted: ReadonlySet<number>,
): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  let start = 0;
  for await (const batch of dataset[split].records()) {
    for (let i = 0; i < batch.count; i++) {
      if (!wanted.has(start + i)) continue;
      found.set(start + i, `data:image/png;base64,${encodeRgbPng(imageOf(batch, i, dataset.shape)).toBase64()}`);
    }
    start += batch.count;
    if (found.size === wanted.size) break;
  }
  return found;
}

/** The most mistakes in a picture. */
const MOST_IN_GRID = 25;

/** The first mistakes as a PNG file, the most confident first: under each image the predicted class and its label. */
export function gridOfMistakes({ mistakes, classes }: EvaluationFile): Uint8Array {
  const pictures = mistakes.slice(0, MOST_IN_GRID).map(({ png, label, predicted }) => {
    const image = decodeRgbPng(Uint8Array.fromBase64(png.slice(png.indexOf(",") + 1)), "a mistake");
    return withCaption(enlarge(image, 3), `${classes[predicted]!.slice(0, 7)}? ${classes[label]!.slice(0, 7)}`, 1);
  });
  return encodeRgbPng(makeGrid(pictures, { columns: 5 }));
}
