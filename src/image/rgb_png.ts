/**
 * PNG files with 8-bit RGB pixels, which is what the program itself writes. `fast-png` decodes and encodes them. For PNG
 * files of users, of every kind, see `png.ts`.
 *
 * @module
 */
import { decode, encode } from "fast-png";
import { DataError } from "../errors.ts";
import type { RgbImage } from "./pixels.ts";

/**
 * Decodes an 8-bit RGB PNG, and verifies its checksums.
 *
 * @param file the file's name, for errors
 * @throws {DataError} if the bytes are not such a PNG
 */
export function decodeRgbPng(bytes: Uint8Array, file: string): RgbImage {
  let image: ReturnType<typeof decode>;
  try {
    image = decode(bytes, { checkCrc: true });
  } catch (error) {
    throw new DataError(`${file}: not a readable PNG: ${error instanceof Error ? error.message : error}`);
  }
  const { width, height, channels, depth, data, palette } = image;
  if (channels !== 3 || depth !== 8 || palette || !(data instanceof Uint8Array)) {
    throw new DataError(`${file}: ${channels} channels of ${depth} bits; expected an 8-bit RGB PNG`);
  }
  return { width, height, data };
}

/** Encodes an image as an 8-bit RGB PNG. */
export function encodeRgbPng({ width, height, data }: RgbImage): Uint8Array {
  return encode({ width, height, data, channels: 3, depth: 8 });
}
