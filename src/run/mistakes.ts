/**
 * The result of a test as a file, with the images that the model was wrong about.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { enlarge, makeGrid, withCaption } from "../image/grid.ts";
import { imageOf } from "../data/records.ts";
import { decodeRgbPng, encodeRgbPng } from "../image/rgb_png.ts";
import type { Evaluation } from "../train/evaluate.ts";
import type { EvaluationFile } from "./evaluation_file.ts";

/** What `evaluation.json` says of the test of a split. Reads the split once more, for the images. */
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

/** Images of a split by their number, as data URIs. */
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

/** The mistakes side by side, the surest first, as a PNG file: under each what it was taken for, and what it is. */
export function gridOf({ mistakes, classes }: EvaluationFile): Uint8Array {
  const pictures = mistakes.map(({ png, label, predicted }) => {
    const image = decodeRgbPng(Uint8Array.fromBase64(png.slice(png.indexOf(",") + 1)), "a mistake");
    return withCaption(enlarge(image, 3), `${classes[predicted]!.slice(0, 7)}? ${classes[label]!.slice(0, 7)}`, 1);
  });
  return encodeRgbPng(makeGrid(pictures, { columns: 5 }));
}
