/**
 * `wgrad predict`: names what images show.
 *
 * @module
 */
import { decodeImage } from "../image/decode.ts";
import { findImages, readImageFile, STDIN } from "../image/image_files.ts";
import { fitImage, type FitMode } from "../image/resize.ts";
import { printable } from "../foreign_text.ts";
import { UsageError, WeightsError, WgradError } from "../errors.ts";
import { predictModel } from "../train/predict.ts";
import { SETTINGS } from "../config/settings.ts";
import { batchOptions } from "../train/trainer.ts";
import { MODELS } from "../models/registry.ts";
import { loadWeights } from "../run/weights.ts";
import { CLASSES_FLAG, givenOf, MODEL_FLAGS, WEIGHTS_FLAG } from "./convert.ts";
import { defineCommand, OUTPUT_FLAGS } from "./flags.ts";
import { openGpu } from "./gpu.ts";
import { Output } from "./output.ts";

/** The settings of a run that `predict` shares. */
type Shared = Extract<typeof SETTINGS[number], { name: "adapter" | "backend" }>;
const SHARED = SETTINGS.filter(({ name }) => ["adapter", "backend"].includes(name)) as Shared[];

/** The length of a bar of 100 %, in characters. */
const BAR = 30;

/** An image that could not be read, and why. */
interface Failed {
  readonly file: string;
  readonly error: string;
}

/** `wgrad predict`. */
export const command = defineCommand({
  name: "predict",
  summary: "Name what images show: classes and probabilities",
  description: "Runs PNG, JPEG, WebP and BMP images of any size through a trained network, and prints the likeliest " +
    "classes of each. EXIF's orientation is applied, transparent pixels are laid on white, of 16 bits the upper 8 count, " +
    "and the size is made the network's (such as 32 x 32) as torchvision does it. An image that cannot be read is named, and the exit code " +
    "is 1 at the end.",
  positional: [{
    name: "IMAGE",
    rest: true,
    help: "A file, a folder with all images in it, or - for the standard input",
  }],
  flags: [
    WEIGHTS_FLAG,
    ...MODEL_FLAGS,
    CLASSES_FLAG,
    { name: "topk", kind: "integer", min: 1, default: 3, help: "Classes to print of each image" },
    {
      name: "fit",
      kind: "choice",
      choices: ["crop", "stretch"],
      default: "crop",
      help: "How the image becomes square",
      meanings: [["crop", "Cut out its middle"], ["stretch", "Change its proportions"]],
    },
    { name: "batch-size", kind: "integer", min: 1, max: 4096, default: 256, help: "Images a step on the GPU" },
    ...SHARED,
    ...OUTPUT_FLAGS,
  ],
  examples: [
    ["wgrad predict --weights runs/lenet-1/model.safetensors cat.jpg", "The three likeliest classes of an image"],
    ["wgrad predict --weights cifar_net.pth --topk 1 --json photos", "All images of a folder, as JSON"],
    ["curl URL | wgrad predict --weights cifar_net.pth -", "An image from a pipe"],
  ],
  async run({ values, positional }) {
    const { weights, model, normalize, classes: namesFile, topk, fit, batchSize, adapter, backend, ...printing } =
      values;
    if (weights === undefined) throw new UsageError("predict needs --weights FILE; see wgrad predict --help");
    const output = new Output(printing);
    const loaded = await loadWeights(weights, await givenOf({ model, normalize, classes: namesFile }));
    const { input: [, height, width] } = MODELS[loaded.model], { classes: names } = loaded;
    const { files, pixels, failed, skipped } = await readImages(positional, height, fit, output);
    if (skipped.length > 0) {
      const others = skipped.map((path) => printable(path)).join(", ");
      output.warn(`skipped, because wgrad reads PNG, JPEG, WebP and BMP only: ${others}; convert them to PNG or JPEG`);
    }
    if (files.length + failed.length === 0) {
      throw new UsageError(
        `no image in ${
          positional.map((path) => printable(path)).join(", ")
        }; give files that end in .png, .jpg, .webp or .bmp`,
      );
    }
    const images = [];
    if (files.length > 0) {
      const gpu = await openGpu({ adapter, backend }, output);
      const found = await predictModel(
        gpu,
        loaded.module,
        { shape: [3, height, width], pixels },
        batchSize,
        batchOptions(loaded),
      );
      for (const [i, probabilities] of found.entries()) {
        if (probabilities.some(Number.isNaN)) throw new WeightsError(`${weights}: gives no numbers: it has diverged`);
        const classes = Array.from(probabilities, (probability, label) => ({ name: names[label]!, probability }))
          .sort((a, b) => b.probability - a.probability).slice(0, topk);
        images.push({ file: files[i]!, classes });
        print(files[i]!, classes, output);
      }
    }
    output.json({ images, failed, skipped });
    return failed.length > 0 ? 1 : 0;
  },
});

/**
 * Decodes all images to `side` x `side` pixels in planes of red, green and blue. Names those that cannot be read; those in
 * formats that are not read at all are in `skipped`.
 */
async function readImages(paths: readonly string[], side: number, fit: FitMode, output: Output) {
  const files: string[] = [], skipped: string[] = [], pixels: Uint8Array<ArrayBuffer>[] = [], failed: Failed[] = [];
  for (const path of paths) {
    for await (const { file, error, skipped: other } of findImages(path)) {
      if (other) {
        skipped.push(file);
        continue;
      }
      try {
        if (error) throw error;
        output.progress(`reading image ${files.length + failed.length + 1}`);
        const image = await decodeImage(await readImageFile(file), file);
        pixels.push(planes(fitImage(image, side, fit).data));
        files.push(file);
      } catch (error) {
        if (!(error instanceof WgradError)) throw error;
        failed.push({ file, error: error.message });
        output.error(`error: ${printable(error.message, 1000)}`);
      }
    }
  }
  output.progress("");
  return { files, pixels, failed, skipped };
}

/** Pixels R G B R G B … as planes: all reds, all greens, all blues. */
function planes(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const plane = data.length / 3;
  return Uint8Array.from(data, (_, i) => data[i % plane * 3 + Math.floor(i / plane)]!);
}

function print(
  file: string,
  classes: readonly { readonly name: string; readonly probability: number }[],
  output: Output,
): void {
  const width = Math.max(...classes.map(({ name }) => name.length));
  output.result(file === STDIN ? "standard input" : printable(file));
  for (const { name, probability } of classes) {
    const bar = "█".repeat(Math.round(probability * BAR)).padEnd(BAR, "░");
    output.result(`  ${printable(name).padEnd(width)}  ${bar}  ${(100 * probability).toFixed(2).padStart(6)} %`);
  }
}
