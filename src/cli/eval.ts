/**
 * `wgrad eval`: tests saved weights.
 *
 * @module
 */
import { openDataset } from "../data/dataset.ts";
import { UsageError } from "../errors.ts";
import { SETTINGS } from "../train/config.ts";
import { DeviceData, NORMALIZATIONS } from "../train/device_data.ts";
import { evaluateModel, type Evaluation } from "../train/evaluate.ts";
import { batchOptions, makeModel } from "../train/trainer.ts";
import { applyWeights, readWeights } from "../train/weights.ts";
import { MODELS } from "../nn/models.ts";
import { defineCommand, OUTPUT_FLAGS } from "./flags.ts";
import { Output } from "./output.ts";
import { openGpu } from "./train.ts";

const SHARED = ["data", "offline", "adapter", "backend"];

/** `wgrad eval`. */
export const command = defineCommand({
  name: "eval",
  summary: "Test saved weights: loss, accuracy, per-class accuracy",
  description: "Loads the weights into a fresh model and runs it over the test images.",
  flags: [
    {
      name: "weights",
      kind: "string",
      value: "FILE",
      help: "The weights, a .safetensors file that train wrote (required)",
    },
    {
      name: "model",
      kind: "choice",
      choices: ["lenet", "lenet-gray"],
      help: "Network that the weights are of (default: as the file says, else lenet)",
    },
    {
      name: "normalize",
      kind: "choice",
      choices: ["half", "cifar10"],
      help: "Scaling of pixels that the weights were trained with (default: as the file says, else half)",
    },
    { name: "split", kind: "choice", choices: ["test", "train"], default: "test", help: "Part of the data to test on" },
    ...SETTINGS.filter(({ name }) => SHARED.includes(name)) as unknown as Shared[],
    ...OUTPUT_FLAGS,
  ],
  examples: [["wgrad eval --weights runs/lenet-1/model.safetensors", "Test a run's weights on the test images"]],
  async run({ values }): Promise<number> {
    const { weights, json, quiet, progress, data, offline, split } = values;
    if (weights === undefined) throw new UsageError("eval needs --weights FILE; see wgrad eval --help");
    const output = new Output({ json, quiet, progress });
    const { tensors, metadata } = await readWeights(weights);
    const model = values.model ?? oneOf(metadata.model, MODELS) ?? "lenet";
    const normalize = values.normalize ?? oneOf(metadata.normalize, NORMALIZATIONS) ?? "half";
    const dataset = await openDataset(data, { offline, log: output.say, progress: output.progress, need: [split] });
    const net = makeModel({ model, seed: 0 }, dataset);
    applyWeights(net, tensors, weights);
    const gpu = await openGpu(values, output);
    if (dataset.synthetic) {
      output.warn("NOTE: the images are SYNTHETIC (drawn, not photographed): accuracies mean nothing");
    }
    const uploaded = await DeviceData.upload(gpu, dataset, dataset[split]);
    const evaluation = await evaluateModel(net, uploaded, dataset.classes.length, batchOptions({ model, normalize }));
    printEvaluation(evaluation, dataset.classes, uploaded.count, output);
    const { accuracy, loss, perClass, confusion } = evaluation;
    output.json({
      accuracy,
      loss,
      perClass: Object.fromEntries(dataset.classes.map((name, label) => [name, perClass[label]])),
      confusion,
    });
    return 0;
  },
});

type Shared = Extract<typeof SETTINGS[number], { name: "data" | "offline" | "adapter" | "backend" }>;

/** `value`, where it is a key of `table`. */
function oneOf<K extends string>(value: string | undefined, table: Readonly<Record<K, unknown>>): K | undefined {
  return value !== undefined && Object.hasOwn(table, value) ? value as K : undefined;
}

/** Prints an evaluation as the tutorial does. */
export function printEvaluation(
  { loss, accuracy, perClass }: Evaluation,
  classes: readonly string[],
  count: number,
  output: Output,
): void {
  output.result(`Accuracy of the network on ${count} images: ${percent(accuracy)} (loss ${loss.toFixed(3)})`);
  classes.forEach((name, label) => {
    if (!Number.isNaN(perClass[label]!)) {
      output.result(`Accuracy for class ${name.padEnd(10)}: ${percent(perClass[label]!)}`);
    }
  });
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
