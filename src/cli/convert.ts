/**
 * The flags that `wgrad export` and `wgrad import` share, and the writing of weights to a file.
 *
 * @module
 */
import { resolve } from "node:path";
import { areNamed, namesFileOf, readClassNames } from "../data/class_names.ts";
import { fileError } from "../files/file_error.ts";
import { removeQuietly, writeAtomically } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import { encodeWeights, FORMATS } from "../io/formats.ts";
import { DEFAULT_MODEL, MODEL_NAMES, MODELS } from "../models/registry.ts";
import { NORMALIZATIONS } from "../train/device_data.ts";
import { labelsOf, type WeightsConfig } from "../run/checkpoint.ts";
import { storedState } from "../nn/files.ts";
import type { LoadedWeights } from "../run/weights.ts";
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

/** The flag of all commands that use weights, about the names of the classes. */
export const CLASSES_FLAG = {
  name: "classes",
  kind: "string",
  value: "FILE",
  help: "The names of the classes, one a line (default: those in the weights, or in WEIGHTS.classes.txt beside them)",
} as const satisfies Flag;

/** What the flags say of weights, for `loadWeights()`. @param flags `classes`: the file of `--classes`. */
export async function givenOf(
  { model, normalize, classes }: {
    readonly model: WeightsConfig["model"] | undefined;
    readonly normalize: WeightsConfig["normalize"] | undefined;
    readonly classes: string | undefined;
  },
): Promise<Partial<WeightsConfig>> {
  const names = classes === undefined ? undefined : await readClassNames(classes);
  if (classes !== undefined && !names) throw new UsageError(`--classes ${classes}: there is no such file`);
  return { ...(model && { model }), ...(normalize && { normalize }), ...(names && { classes: names }) };
}

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

/** Formats that hold the names of classes. Beside a file of another format, a text file holds them. */
const HOLDS_NAMES: readonly (typeof WRITTEN[number])[] = ["safetensors", "onnx"];

/** Writes weights, and says so. @param force replaces a file of names beside them, if there is one. */
export async function writeWeights(
  loaded: LoadedWeights,
  path: string,
  format: typeof WRITTEN[number],
  force: boolean,
  output: Output,
): Promise<void> {
  const { module, model, normalize, classes } = loaded, tensors = await storedState(module.stateDict());
  const beside = HOLDS_NAMES.includes(format) ? undefined : namesFileOf(path);
  if (beside) await checkNew(beside, force);
  const bytes = format === "onnx"
    ? await onnxOf(loaded)
    : await encodeWeights(format, { tensors, metadata: labelsOf(loaded) });
  await writeAtomically(path, bytes);
  output.say(`${tensors.size} tensors of ${model} in ${resolve(path)} (${format}, ${bytes.length} bytes)`);
  const namesFile = beside && await writeNames(classes, beside);
  if (namesFile) output.say(`names of the classes in ${resolve(namesFile)}, where predict and eval find them`);
  output.json({
    ...{ path, format, model, normalize, tensors: tensors.size, bytes: bytes.length },
    ...(namesFile && { classes: namesFile }),
  });
}

/** Writes the names of classes to a file; without names, removes the names of the file that was replaced. */
async function writeNames(classes: readonly string[], path: string): Promise<string | undefined> {
  if (!areNamed(classes)) {
    await removeQuietly(path);
    return undefined;
  }
  await writeAtomically(
    path,
    new TextEncoder().encode(classes.map((name) => `${name.replace(/\s+/g, " ")}\n`).join("")),
  );
  return path;
}

/** The ONNX file of a network with its weights. */
async function onnxOf({ module, model, normalize, classes }: LoadedWeights): Promise<Uint8Array> {
  const { exportOnnx } = await import("../onnx/export.ts");
  const { input } = MODELS[model], { mean, deviation, greyMean, greyDeviation } = NORMALIZATIONS[normalize];
  return await exportOnnx(module, {
    name: model,
    shape: input,
    normalization: input[0] === 1 ? { mean: [greyMean], deviation: [greyDeviation] } : { mean, deviation },
    ...(areNamed(classes) && { classes }),
  });
}
