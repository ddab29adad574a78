/**
 * The formats of files of weights: which one a file has, by its content, and which one a name asks for.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import type { StoredFile } from "./stored_tensor.ts";

/** The formats that are both read and written. */
export const FORMATS = ["safetensors", "pth", "npz"] as const;

export type Format = typeof FORMATS[number];

/**
 * Reads the bytes of a file of any format, whatever its name. What is not needed for its format is not loaded.
 *
 * @param where the file's name, for the errors.
 * @throws {WeightsError} where it is of no format, or not sound.
 */
export async function decodeWeights(bytes: Uint8Array, where: string): Promise<StoredFile> {
  const begins = (...magic: number[]) => magic.every((byte, i) => bytes[i] === byte);
  if (begins(0x50, 0x4b, 3, 4)) {
    // The name of an archive's first file stands 30 bytes behind its beginning.
    const name = new TextDecoder().decode(bytes.subarray(30, 30 + (bytes[26]! | bytes[27]! << 8)));
    if (name.endsWith(".npy")) return (await import("./npz.ts")).decodeNpz(bytes, where);
    return (await import("./pytorch.ts")).decodePytorch(bytes, where);
  }
  if (begins(0x80, 2)) throw new WeightsError(`${where} is of PyTorch before 1.6: save it again by a newer one`);
  // A length of less than 2^32, and an object of JSON.
  const likely = bytes[8] === 0x7b && bytes.subarray(4, 8).every((byte) => byte === 0);
  if (!likely) throw new WeightsError(`${where} is no file of weights: neither safetensors nor .pth nor .npz`);
  return decodeSafetensors(bytes, where);
}

/**
 * The bytes of a file of a format. Only safetensors keeps `metadata`.
 *
 * @throws {WeightsError} naming a tensor of a type that the format has not.
 */
export async function encodeWeights(format: Format, { tensors, metadata }: StoredFile): Promise<Uint8Array> {
  if (format === "safetensors") return encodeSafetensors(tensors, metadata);
  if (format === "npz") return await (await import("./npz.ts")).encodeNpz(tensors);
  return await (await import("./pytorch.ts")).encodePytorch(tensors);
}
