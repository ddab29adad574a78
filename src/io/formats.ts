/**
 * The formats of weights files. The format of a file to read is recognised by its content.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import type { StoredFile } from "./stored_tensor.ts";

/** The formats that can be both read and written. */
export const FORMATS = ["safetensors", "pth", "npz"] as const;

export type Format = typeof FORMATS[number];

/**
 * Decodes a weights file of any format. The name of the file does not matter. Only the code for its format is loaded.
 *
 * @param where the file's name, for errors
 * @throws {WeightsError} if the format is unknown, or the file is damaged
 */
export async function decodeWeights(bytes: Uint8Array, where: string): Promise<StoredFile> {
  const startsWith = (...magic: number[]) => magic.every((byte, i) => bytes[i] === byte);
  if (startsWith(0x50, 0x4b, 3, 4)) {
    // The name of the first file in a zip archive is at byte 30; its length is at byte 26.
    const name = new TextDecoder().decode(bytes.subarray(30, 30 + (bytes[26]! | bytes[27]! << 8)));
    if (name.endsWith(".npy")) return (await import("./npz.ts")).decodeNpz(bytes, where);
    return (await import("./pytorch.ts")).decodePytorch(bytes, where);
  }
  if (startsWith(0x80, 2)) {
    throw new WeightsError(`${where} was written by PyTorch before 1.6: save it again with a newer version`);
  }
  // Safetensors starts with a 64-bit length, whose upper half is 0, and then a JSON object.
  const likely = bytes[8] === 0x7b && bytes.subarray(4, 8).every((byte) => byte === 0);
  if (!likely) throw new WeightsError(`${where} is not a weights file: it is neither safetensors nor .pth nor .npz`);
  return decodeSafetensors(bytes, where);
}

/**
 * Encodes a weights file. Only safetensors can store `metadata`; the other formats drop it.
 *
 * @throws {WeightsError} if the format does not support the type of a tensor; it names the tensor
 */
export async function encodeWeights(format: Format, { tensors, metadata }: StoredFile): Promise<Uint8Array> {
  if (format === "safetensors") return encodeSafetensors(tensors, metadata);
  if (format === "npz") return (await import("./npz.ts")).encodeNpz(tensors);
  return (await import("./pytorch.ts")).encodePytorch(tensors);
}
