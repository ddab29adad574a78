/**
 * `wgrad eval`: tests saved weights.
 *
 * @module
 */
import { areNamed } from "../data/class_names.ts";
import { openDataset } from "../data/open_dataset.ts";
import { UsageError } from "../errors.ts";
import { SETTINGS } from "../config/settings.ts";
import { checkFits } from "../train/trainer.ts";
import { checkSameClasses, differenceOfImages } from "../run/data_source.ts";
import { evaluateWeights } from "../run/evaluation.ts";
import { type LoadedWeights, loadWeights } from "../run/weights.ts";
import { CLASSES_FLAG, givenOf, MODEL_FLAGS, WEIGHTS_FLAG } from "./convert.ts";
import { defineCommand, OUTPUT_FLAGS } from "./flags.ts";
import { openGpu } from "./gpu.ts";
import { Output } from "./output.ts";
import { printEvaluation } from "./print_evaluation.ts";

/** The settings of a run that `eval` shares. */
type Shared = Extract<typeof SETTINGS[number], { name: "offline" | "adapter" | "backend" }>;
const SHARED = SETTINGS.filter(({ name }) => ["offline", "adapter", "backend"].includes(name)) as Shared[];

/** `wgrad eval`. */
export const command = defineCommand({
  name: "eval",
  summary: "Test saved weights: loss, accuracy, per-class accuracy",
  description:
    "Loads the weights into a fresh model and runs it over the test images of the data that the file names, which " +
    "train writes into model.safetensors; --data selects other data of the same classes.",
  flags: [
    WEIGHTS_FLAG,
    ...MODEL_FLAGS,
    { name: "split", kind: "choice", choices: ["test", "train"], default: "test", help: "Part of the data to test on" },
    CLASSES_FLAG,
    {
      name: "data",
      kind: "string",
      value: "DATA",
      help: "cifar10, synthetic, a folder of .bin files, a .tar.gz, or one .bin file (default: the data that the " +
        "weights were trained on, else cifar10)",
    },
    ...SHARED,
    ...OUTPUT_FLAGS,
  ],
  examples: [
    ["wgrad eval --weights runs/lenet-1/model.safetensors", "Test a run's weights on the test images"],
    ["wgrad eval --weights cifar_net.pth", "Test what the PyTorch tutorial saves"],
  ],
  async run({ values: { weights, model, normalize, classes, split, data, offline, adapter, backend, ...printing } }) {
    if (weights === undefined) throw new UsageError("eval needs --weights FILE; see wgrad eval --help");
    const output = new Output(printing);
    // Before the data, which may take a while to fetch.
    const loaded = await loadWeights(weights, await givenOf({ model, normalize, classes }));
    const place = data ?? loaded.source?.place ?? "cifar10";
    if (data === undefined) output.say(whichData(loaded, place));
    const dataset = await openDataset(place, { offline, log: output.say, progress: output.progress, need: [split] });
    checkFits(loaded.model, dataset);
    checkSameClasses(loaded, dataset);
    // The names are known from one of the two.
    const named = areNamed(dataset.classes) ? dataset : { ...dataset, classes: loaded.classes };
    const gpu = await openGpu({ adapter, backend }, output);
    const { evaluation, identity } = await evaluateWeights(gpu, loaded, named, split);
    const difference = differenceOfImages(loaded.source, split, named, identity);
    if (difference) output.warn(difference);
    printEvaluation(evaluation, named, split, output);
    const { accuracy, loss, perClass, confusion } = evaluation;
    const byName = Object.fromEntries(named.classes.map((name, label) => [name, perClass[label]]));
    output.json({ accuracy, loss, perClass: byName, confusion, data: dataset.name, split, images: identity.images });
    return 0;
  },
});

/** The line about the data that weights are tested on when none is given. */
function whichData({ source, file }: LoadedWeights, place: string): string {
  if (source) return `data: ${place}, which ${file} was trained on`;
  return `data: ${place}, since ${file} does not name the data that it was trained on; --data selects other data`;
}
