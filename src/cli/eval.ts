/**
 * `wgrad eval`: tests saved weights.
 *
 * @module
 */
import { openDataset } from "../data/open_dataset.ts";
import { UsageError } from "../errors.ts";
import { SETTINGS } from "../config/settings.ts";
import { checkFits } from "../train/trainer.ts";
import { loadWeights } from "../run/weights.ts";
import { MODEL_FLAGS, WEIGHTS_FLAG } from "./convert.ts";
import { defineCommand, OUTPUT_FLAGS } from "./flags.ts";
import { openGpu } from "./gpu.ts";
import { Output } from "./output.ts";
import { testWeights } from "./test_weights.ts";

/** The settings of a run that `eval` shares. */
type Shared = Extract<typeof SETTINGS[number], { name: "data" | "offline" | "adapter" | "backend" }>;
const SHARED = SETTINGS.filter(({ name }) => ["data", "offline", "adapter", "backend"].includes(name)) as Shared[];

/** `wgrad eval`. */
export const command = defineCommand({
  name: "eval",
  summary: "Test saved weights: loss, accuracy, per-class accuracy",
  description: "Loads the weights into a fresh model and runs it over the test images.",
  flags: [
    WEIGHTS_FLAG,
    ...MODEL_FLAGS,
    { name: "split", kind: "choice", choices: ["test", "train"], default: "test", help: "Part of the data to test on" },
    ...SHARED,
    ...OUTPUT_FLAGS,
  ],
  examples: [
    ["wgrad eval --weights runs/lenet-1/model.safetensors", "Test a run's weights on the test images"],
    ["wgrad eval --weights cifar_net.pth", "Test what the PyTorch tutorial saves"],
  ],
  async run({ values: { weights, model, normalize, split, data, offline, adapter, backend, ...printing } }) {
    if (weights === undefined) throw new UsageError("eval needs --weights FILE; see wgrad eval --help");
    const output = new Output(printing);
    // Before the data, which may take a while to fetch.
    const loaded = await loadWeights(weights, { ...(model && { model }), ...(normalize && { normalize }) });
    const dataset = await openDataset(data, { offline, log: output.say, progress: output.progress, need: [split] });
    checkFits(loaded.model, dataset);
    const gpu = await openGpu({ adapter, backend }, output);
    const { accuracy, loss, perClass, confusion } = await testWeights(gpu, loaded, dataset, split, output);
    const named = Object.fromEntries(dataset.classes.map((name, label) => [name, perClass[label]]));
    output.json({ accuracy, loss, perClass: named, confusion });
    return 0;
  },
});
