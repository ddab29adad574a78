/**
 * Weights of a module to and from files.
 *
 * @module
 */
import { fileError, writeAtomically } from "../data/files.ts";
import { WeightsError } from "../errors.ts";
import { requestGpu } from "../gpu/device.ts";
import { read } from "../gpu/memory.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../io/safetensors.ts";
import type { Module } from "../nn/module.ts";
import { tensor } from "../tensor/create.ts";
import { realize } from "../tensor/tensor.ts";

/** Writes the module's state dict, by a temporary name, so that the file is whole or not there. */
export async function saveWeights(module: Module, path: string, metadata: Record<string, string>): Promise<void> {
  const state = [...module.stateDict()];
  // One read for all, since each costs a wait.
  await realize(state.map(([, parameter]) => parameter));
  const bytes = await read(await requestGpu(), state.map(([, parameter]) => parameter.value.storage!));
  const stored = new Map<string, StoredTensor>();
  state.forEach(([name, { shape, dtype }], i) => {
    stored.set(name, { shape, data: dtype === "f32" ? new Float32Array(bytes[i]!) : new Uint32Array(bytes[i]!) });
  });
  await writeAtomically(path, encodeSafetensors(stored, metadata));
}

/**
 * Reads a file's weights into `module`.
 *
 * @returns the file's metadata.
 * @throws {WeightsError} where the file is malformed or does not fit, naming the tensors.
 */
export async function loadWeights(module: Module, path: string): Promise<Readonly<Record<string, string>>> {
  const { tensors, metadata } = await readWeights(path);
  applyWeights(module, tensors, path);
  return metadata;
}

/** Reads and checks a file of weights, whatever model they are of. */
export async function readWeights(path: string): Promise<ReturnType<typeof decodeSafetensors>> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new WeightsError(fileError("read", path, error).message);
  }
  return decodeSafetensors(bytes, path);
}

/** Puts the tensors read from `path` into `module`. */
export function applyWeights(module: Module, tensors: ReadonlyMap<string, StoredTensor>, path: string): void {
  const empty = [...tensors].find(([, { data }]) => data.length === 0);
  if (empty) throw new WeightsError(`${path}: "${empty[0]}" has no elements`);
  const state = new Map([...tensors].map(([name, { shape, data }]) => [name, tensor(data, { shape })]));
  try {
    module.loadStateDict(state);
  } catch (error) {
    throw error instanceof WeightsError ? new WeightsError(`${path}: ${error.message}`) : error;
  }
}
