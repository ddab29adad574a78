/**
 * The flags that `wgrad export` and `wgrad import` share, and the writing of weights to a file.
 *
 * @module
 */
import { fileError } from "../files/file_error.ts";
import { writeAtomically } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import { encodeWeights, FORMATS } from "../io/formats.ts";
import { DEFAULT_MODEL, MODEL_NAMES, MODELS } from "../models/registry.ts";
import { NORMALIZATIONS } from "../train/device_data.ts";
import { labelsOf } from "../run/checkpoint.ts";
import { storedState } from "../nn/files.ts";
import type { LoadedWeights } from "../run/weights.ts";
import { classNames } from "./class_names.ts";
import type { Flag } from "./flags.ts";
import type { Output } from "./output.ts";

/** The flag of commands that use weights. */
export const WEIGHTS_FLAG = {
  name: "weights",
  kind: "string",
  value: "FILE",
  help: "The weights: .safetensors as train writes, PyTorch's .pth, NumPy's .npz (required)",
} as const satisfies Flag;

/** The flags of both commands, and of `eval` and `predict`, about the model that the weights belong to. */
export const MODEL_FLAGS = [
  {
    name: "model",
    kind: "choice",
    choices: MODEL_NAMES,
    help: `Network that the weights are of (default: as the file says, else ${DEFAULT_MODEL})`,
  },
  {
    name: "normalize",
    kind: "choice",
    choices: ["half", "cifar10"],
    help: "Scaling of pixels that the weights were trained with (default: as the file says, else half)",
  },
] as const satisfies readonly Flag[];

/** The flags of both commands about what is printed and overwritten. */
export const WRITE_FLAGS = [
  { name: "force", kind: "boolean", help: "Replace the file if there is one" },
  { name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr", group: "Output" },
] as const satisfies readonly Flag[];

/**
 * Throws `UsageError` if something exists at `path` already: only a file may be replaced, and only with `--force`. A device
 * or a link is never replaced.
 */
export async function checkNew(path: string, force: boolean): Promise<void> {
  let there: Deno.FileInfo;
  try {
    there = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError("write", path, error);
  }
  if (!there.isFile) throw new UsageError(`${path} exists, and is no plain file: give another name`);
  if (!force) throw new UsageError(`${path} exists already; --force replaces it`);
}

/** The formats that weights are written in. ONNX has the network too, and is not read. */
export const WRITTEN = [...FORMATS, "onnx"] as const;

/** Writes weights, and says so. */
export async function writeWeights(
  loaded: LoadedWeights,
  path: string,
  format: typeof WRITTEN[number],
  output: Output,
): Promise<void> {
  const { module, model, normalize, metadata: { classes } } = loaded, tensors = await storedState(module.stateDict());
  const metadata = { ...labelsOf(loaded), ...(classes !== undefined && { classes }) };
  const bytes = format === "onnx" ? await onnxOf(loaded) : await encodeWeights(format, { tensors, metadata });
  await writeAtomically(path, bytes);
  output.say(`${tensors.size} tensors of ${model} in ${path} (${format}, ${bytes.length} bytes)`);
  output.json({ path, format, model, normalize, tensors: tensors.size, bytes: bytes.length });
}

/** The ONNX file of a network with its weights. */
async function onnxOf({ module, model, normalize, metadata }: LoadedWeights): Promise<Uint8Array> {
  const { exportOnnx } = await import("../onnx/export.ts");
  const { input, classes } = MODELS[model], { mean, deviation, greyMean, greyDeviation } = NORMALIZATIONS[normalize];
  return await exportOnnx(module, {
    name: model,
    shape: input,
    normalization: input[0] === 1 ? { mean: [greyMean], deviation: [greyDeviation] } : { mean, deviation },
    classes: classNames(metadata.classes, classes, "the weights"),
  });
}
