/**
 * Weights of a module to and from files.
 *
 * @module
 */
import { fileError, writeAtomically } from "../data/files.ts";
import { WeightsError } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors, shorten, type StoredTensor } from "../io/safetensors.ts";
import { MODELS } from "../nn/models.ts";
import type { Module } from "../nn/module.ts";
import { tensor } from "../tensor/create.ts";
import { readAll } from "../tensor/realize.ts";
import { VERSION } from "../version.ts";
import type { RunConfig } from "./settings.ts";
import { NORMALIZATIONS } from "./device_data.ts";

/** What weights are of: it takes both to use them. */
export type WeightsConfig = Pick<RunConfig, "model" | "normalize">;

/** Weights as a model, with what they are of. */
export interface LoadedWeights extends WeightsConfig {
  readonly module: Module;
}

/** Writes the module's state dict, by a temporary name, so that the file is whole or not there. */
export async function saveWeights(module: Module, path: string, { model, normalize }: WeightsConfig): Promise<void> {
  const state = [...module.stateDict()];
  const data = await readAll(state.map(([, parameter]) => parameter));
  const stored = new Map<string, StoredTensor>();
  state.forEach(([name, { shape }], i) => {
    const own = data[i]!;
    // Whole numbers, which count batches, are int64 in PyTorch.
    stored.set(name, { shape, data: own instanceof Uint32Array ? BigInt64Array.from(own, BigInt) : own });
  });
  // Readers of PyTorch's files ask for the format.
  const metadata = { format: "pt", model, normalize, wgrad: VERSION };
  await writeAtomically(path, encodeSafetensors(stored, metadata));
}

/**
 * Loads a file into a fresh model.
 *
 * @param given what the weights are of; by default what the file says, else `lenet` and `half`.
 * @throws {WeightsError} where the file cannot be read, is malformed, or does not fit the model, naming the tensors.
 */
export async function loadWeights(path: string, given: Partial<WeightsConfig> = {}): Promise<LoadedWeights> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new WeightsError(fileError("read", path, error).message);
  }
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  const model = given.model ?? keyOf(MODELS, metadata.model) ?? "lenet";
  const normalize = given.normalize ?? keyOf(NORMALIZATIONS, metadata.normalize) ?? "half";
  const module = MODELS[model].make();
  applyWeights(module, tensors, path);
  return { module, model, normalize };
}

/** `value`, where it is a key of `table`. */
function keyOf<K extends string>(table: Readonly<Record<K, unknown>>, value: string | undefined): K | undefined {
  return value !== undefined && Object.hasOwn(table, value) ? value as K : undefined;
}

/**
 * Gives `module` the tensors of the file `path`. Whole numbers may be I64, as PyTorch has them.
 *
 * @throws {WeightsError} where they do not fit, naming them. Nothing is changed then.
 */
export function applyWeights(module: Module, stored: ReadonlyMap<string, StoredTensor>, path: string): void {
  const empty = [...stored].find(([, { data }]) => data.length === 0);
  if (empty) throw new WeightsError(`${path}: ${JSON.stringify(empty[0])} has no elements`);
  const state = new Map(Array.from(stored, ([name, { shape, data }]) => {
    const wrong = data instanceof BigInt64Array && data.find((one) => one < 0n || one > 0xffffffffn);
    if (typeof wrong === "bigint") throw new WeightsError(`${path}: ${wrong} in ${JSON.stringify(name)} is no u32`);
    return [name, tensor(data instanceof BigInt64Array ? Uint32Array.from(data, Number) : data, { shape })];
  }));
  try {
    module.loadStateDict(state);
  } catch (error) {
    // A file may hold any number of tensors that do not belong here.
    throw error instanceof WeightsError ? new WeightsError(`${path}: ${shorten(error.message, 1000)}`) : error;
  }
}
