/**
 * State dicts in files: safetensors, PyTorch's, NumPy's.
 *
 * @module
 */
import { readWholeFile } from "../files/read.ts";
import { writeAtomically } from "../files/write.ts";
import { UsageError, WeightsError } from "../errors.ts";
import { quote } from "../foreign_text.ts";
import { decodeWeights, encodeWeights, type Format, FORMATS } from "../io/formats.ts";
import { type StoredFile, type StoredTensor, toFloat32 } from "../io/stored_tensor.ts";
import { tensor } from "../tensor/create.ts";
import { readAll } from "../tensor/realize.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Writes tensors by name into a file, as a whole or not at all: `torch.save(net.state_dict(), path)`, for
 * `save(net.stateDict(), path)`.
 *
 * @param options `format`: "safetensors", "pth" or "npz"; by default the end of the name. `metadata`: texts by key, which
 * only safetensors keeps.
 * @throws {UsageError} if no format is given.
 * @throws {WeightsError} if `load()` would refuse the file, for a name or the number of tensors.
 * @throws {DataError} if the file cannot be written.
 */
export async function save(
  state: ReadonlyMap<string, Tensor>,
  path: string,
  options: { format?: Format; metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const format = options.format ?? FORMATS.find((one) => path.toLowerCase().endsWith(`.${one}`));
  if (!format) throw new UsageError(`save: ${path} has no format: end it with one of .${FORMATS.join(", .")}`);
  const { metadata = format === "safetensors" ? { format: "pt" } : {} } = options;
  await writeAtomically(path, await encodeWeights(format, { tensors: await storedState(state), metadata }));
}

/**
 * Reads the tensors of a file of any of the formats, detected by its content: `net.loadStateDict(await load(path))`.
 * Nothing in the file is run. F16 and BF16 become f32, F64 is rounded to f32, and whole numbers become u32.
 *
 * @throws {WeightsError} if it cannot be read, is malformed, or holds numbers that are neither f32 nor u32, or an empty tensor.
 */
export async function load(path: string): Promise<Map<string, Tensor>> {
  const { tensors } = await decodeWeights(await readBytes(path), path);
  return new Map(Array.from(tensors, ([name, one]) => [name, toTensor(one, `${path}: ${quote(name)}`)]));
}

/** Reads a file of any format, and its bytes. Throws as `load()`. */
export async function readStored(path: string): Promise<{ file: StoredFile; bytes: Uint8Array }> {
  const bytes = await readBytes(path);
  return { file: await decodeWeights(bytes, path), bytes };
}

async function readBytes(path: string): Promise<Uint8Array> {
  const bytes = await readWholeFile(path).catch((error) => {
    throw new WeightsError(error.message);
  });
  if (!bytes) throw new WeightsError(`cannot read ${path}: no such file or folder`);
  return bytes;
}

/** A state dict in the form that files have. Waits for the GPU. */
export async function storedState(state: ReadonlyMap<string, Tensor>): Promise<Map<string, StoredTensor>> {
  const named = [...state], data = await readAll(named.map(([, one]) => one));
  return new Map(named.map(([name, { shape }], i): [string, StoredTensor] => {
    const elements = data[i]!;
    // Whole numbers, which count batches, are int64 in PyTorch.
    if (elements instanceof Uint32Array) {
      return [name, { dtype: "I64", shape, data: BigInt64Array.from(elements, BigInt) }];
    }
    return [name, { dtype: "F32", shape, data: elements }];
  }));
}

/**
 * A stored tensor as a tensor of f32 or u32.
 *
 * @param where the start of messages.
 * @throws {WeightsError} if it holds a number that this type does not have, or nothing.
 */
export function toTensor(stored: StoredTensor, where: string): Tensor {
  const { dtype, shape, data } = stored;
  if (data.length === 0) throw new WeightsError(`${where} has no elements`);
  const floats = toFloat32(stored);
  const fail = (number: unknown, type: string) => new WeightsError(`${where} has ${number}, which is no ${type}`);
  if (floats) {
    const lost = dtype === "F64" &&
      (data as Float64Array).find((one, i) => Number.isFinite(one) && !Number.isFinite(floats[i]));
    if (typeof lost === "number") throw fail(lost, "f32");
    return tensor(floats, { shape });
  }
  const wrong = Array.prototype.find.call(data, (one) => one < 0 || one > 0xffffffff);
  if (wrong !== undefined) throw fail(wrong, "u32");
  return tensor(Uint32Array.from(data as Int32Array, Number), { shape });
}
