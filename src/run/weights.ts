/**
 * Saves the weights of a module to a file, and loads them.
 *
 * @module
 */
import { join } from "node:path";
import { fileSize } from "../files/read.ts";
import { writeAtomically } from "../files/write.ts";
import { WeightsError } from "../errors.ts";
import { printable, quote } from "../foreign_text.ts";
import { encodeWithSum } from "../io/safetensors.ts";
import type { StoredFile, StoredTensor } from "../io/stored_tensor.ts";
import { readStored, storedState, toTensor } from "../nn/files.ts";
import { DEFAULT_MODEL, MODELS } from "../models/registry.ts";
import type { Module } from "../nn/module.ts";
import { tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { decodeCheckpoint, labelsOf, type WeightsConfig, weightsIn } from "./checkpoint.ts";
import { NORMALIZATIONS } from "../train/device_data.ts";

/** A model with loaded weights. */
export interface LoadedWeights extends WeightsConfig {
  readonly module: Module;
  /** The metadata of the file; empty for formats that hold only tensors. */
  readonly metadata: StoredFile["metadata"];
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
 * @param given the model and normalization; by default those that the file names, else `lenet` and `half`.
 * @param options `stripPrefix`: a text at the start of every name that is left out. Default none.
 * @throws {WeightsError} if the file cannot be read, is malformed, or does not fit the model, naming the tensors.
 */
export async function loadWeights(
  path: string,
  given: Partial<WeightsConfig> = {},
  { stripPrefix = "" } = {},
): Promise<LoadedWeights> {
  const { tensors: stored, metadata } = await readWeights(path), tensors = withoutPrefix(stored, stripPrefix, path);
  const model = given.model ?? keyOf(MODELS, metadata.model) ?? DEFAULT_MODEL;
  const normalize = given.normalize ?? keyOf(NORMALIZATIONS, metadata.normalize) ?? "half";
  const module = MODELS[model].make();
  applyWeights(module, tensors, path);
  return { module, model, normalize, metadata };
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
