/**
 * Saves the weights of a module to a file, and loads them.
 *
 * @module
 */
import { join } from "node:path";
import { fileSize } from "../files/read.ts";
import { parseJson } from "../files/json.ts";
import { writeAtomically } from "../files/write.ts";
import { WeightsError } from "../errors.ts";
import { printable, quote } from "../foreign_text.ts";
import { encodeWithSum } from "../io/safetensors.ts";
import type { StoredFile, StoredTensor } from "../io/stored_tensor.ts";
import { readStored, storedState, toTensor } from "../nn/files.ts";
import { namesFileOf, numberedClasses, readClassNames } from "../data/class_names.ts";
import { DEFAULT_MODEL, MODELS } from "../models/registry.ts";
import type { Module } from "../nn/module.ts";
import { tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type DataSource, dataSourceIn } from "./data_source.ts";
import { decodeCheckpoint, labelsOf, type WeightsConfig, weightsIn } from "./checkpoint.ts";
import { NORMALIZATIONS } from "../train/device_data.ts";

/** A model with loaded weights. */
export interface LoadedWeights extends Required<Omit<WeightsConfig, "source">> {
  readonly module: Module;
  /** The path of the file. */
  readonly file: string;
  /** The data that the weights were trained on, if the file names it. */
  readonly source?: DataSource;
}

/** Writes the module's state dict to a safetensors file with a checksum, atomically. */
export async function saveWeights(module: Module, path: string, config: WeightsConfig): Promise<void> {
  await writeAtomically(path, encodeWithSum(await storedState(module.stateDict()), labelsOf(config)));
}

/**
 * Reads a file of weights of any format. In a checkpoint the weights are the averages if there are any, else the parameters.
 *
 * @throws {WeightsError} if it cannot be read, or is malformed.
 */
export async function readWeights(path: string): Promise<StoredFile> {
  const { file, bytes } = await readStored(path).catch(async (error) => {
    const inside = join(path, "model.safetensors"), size = await fileSize(inside).catch(() => undefined);
    throw size === undefined ? error : new WeightsError(`${error.message}; the run's weights are ${inside}`);
  });
  if (file.metadata.checkpoint === undefined) return file;
  return { ...file, tensors: weightsIn(decodeCheckpoint(bytes, path).tensors) };
}

/**
 * Loads a file of any format into a new model.
 *
 * @param given the model and normalization; by default those that the file names, else `lenet` and `half`. And the names of
 * the classes; by default those in the file, or in the file of names beside it, else "class 1", "class 2", ….
 * @param options `stripPrefix`: a text at the start of every name that is left out. Default none.
 * @throws {WeightsError} if the file cannot be read, is malformed, or does not fit the model, naming the tensors; or if
 * the names of classes are not as many as the model has classes.
 */
export async function loadWeights(
  path: string,
  given: Partial<WeightsConfig> = {},
  { stripPrefix = "" } = {},
): Promise<LoadedWeights> {
  const { tensors: stored, metadata } = await readWeights(path), tensors = withoutPrefix(stored, stripPrefix, path);
  const model = given.model ?? keyOf(MODELS, metadata.model) ?? DEFAULT_MODEL;
  const normalize = given.normalize ?? keyOf(NORMALIZATIONS, metadata.normalize) ?? "half";
  const count = classesIn(tensors, model), module = MODELS[model].make({ classes: count });
  applyWeights(module, tensors, path);
  const classes = await classesOf(path, metadata.classes, given.classes, count);
  const source = dataSourceIn(metadata.data);
  return {
    module,
    model,
    normalize,
    file: path,
    classes: classes ?? numberedClasses(count),
    ...(source && { source }),
  };
}

/** The number of classes of a model with these weights: the rows of the last layer. Its default if they do not fit. */
function classesIn(tensors: ReadonlyMap<string, StoredTensor>, model: keyof typeof MODELS): number {
  const { make, classes } = MODELS[model], names = make().namedParameters().map(([name]) => name);
  const layer = names.at(-1)!.replace(/[^.]*$/, "");
  const rows = names.filter((name) => name.startsWith(layer)).map((name) => tensors.get(name)?.shape[0] ?? 0);
  return rows[0]! > 0 && rows.every((one) => one === rows[0]) ? rows[0]! : classes;
}

/**
 * The names of the `count` classes of a model: those that are given, else those in the metadata of its file, in the file of
 * names beside it, or numbers.
 */
async function classesOf(
  path: string,
  metadata: string | undefined,
  given: readonly string[] | undefined,
  count: number,
): Promise<readonly string[]> {
  const refuse = (names: readonly string[], where: string) => {
    throw new WeightsError(`${path}: the model has ${count} classes, and ${where} has ${names.length} names`);
  };
  if (given) return given.length === count ? given : refuse(given, "--classes");
  if (metadata !== undefined) return namesIn(metadata, count, path);
  const beside = namesFileOf(path), names = await readClassNames(beside) ?? numberedClasses(count);
  return names.length === count ? names : refuse(names, beside);
}

/** The names in the metadata of a file. @throws {WeightsError} if they are something else than a list of `count` names. */
function namesIn(text: string, count: number, path: string): readonly string[] {
  try {
    const names = parseJson(text);
    if (Array.isArray(names) && names.length === count && names.every((name) => typeof name === "string")) return names;
  } catch {
    // It is not JSON: the same error.
  }
  throw new WeightsError(`${path}: its "classes" are not a list of ${count} names`);
}

/** The tensors by their names without a prefix, which all must have. */
function withoutPrefix(
  tensors: ReadonlyMap<string, StoredTensor>,
  prefix: string,
  path: string,
): Map<string, StoredTensor> {
  for (const name of tensors.keys()) {
    if (!name.startsWith(prefix)) {
      throw new WeightsError(`${path}: ${quote(name)} does not start with ${quote(prefix)}`);
    }
  }
  return new Map(Array.from(tensors, ([name, stored]) => [name.slice(prefix.length), stored]));
}

/** The prefixes that PyTorch puts in front of names: of `DataParallel`, and of compiled modules. */
const PREFIXES = /^(module\.|_orig_mod\.)+/;

/** What to do about a prefix that all names of a file have; undefined if they have none. */
function prefixRemedy(names: readonly string[]): string | undefined {
  const prefix = PREFIXES.exec(names[0] ?? "")?.[0];
  if (prefix === undefined || !names.every((name) => name.startsWith(prefix))) return undefined;
  return `all its names start with ${prefix}, which wgrad import --strip-prefix ${prefix} leaves out`;
}

/** `value` if it is a key of `table`, else undefined. */
function keyOf<K extends string>(table: Readonly<Record<K, unknown>>, value: string | undefined): K | undefined {
  return value !== undefined && Object.hasOwn(table, value) ? value as K : undefined;
}

/**
 * Loads the tensors of the file `path` into `module`. Floating-point numbers of other types become f32, so F64 is rounded;
 * integers become u32, such as PyTorch's counters in I64.
 *
 * @throws {WeightsError} if tensors do not fit, naming them. Nothing is changed then.
 */
export function applyWeights(module: Module, stored: ReadonlyMap<string, StoredTensor>, path: string): void {
  const current = module.stateDict();
  const state = new Map(Array.from(stored, ([name, one]) => {
    const where = `${path}: ${quote(name, 100)}`;
    if (one.data.length === 0) throw new WeightsError(`${where} has no elements`);
    return [name, current.get(name)?.value.size === one.data.length ? toTensor(one, where) : placeholder(one)];
  }));
  try {
    module.loadStateDict(state);
  } catch (error) {
    // The message names all tensors that do not fit; a file may hold many.
    if (!(error instanceof WeightsError)) throw error;
    throw new WeightsError(`${path}: ${printable(error.message, 1000)}`, { remedy: prefixRemedy([...stored.keys()]) });
  }
}

/** A tensor with the shape and dtype of one that does not fit, for the error. It uses no memory. */
function placeholder(stored: StoredTensor): Tensor {
  const dtype = /^B?F/.test(stored.dtype) ? "f32" : "u32";
  return tensor(0, { dtype }).expand(stored.shape);
}
