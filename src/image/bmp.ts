/**
 * Decodes BMP images to 8-bit RGBA: 1, 4, 8, 16, 24 and 32 bits per pixel, palettes, bit masks, run-length encoding, rows
 * from the top or from the bottom. We wrote our own decoder because the existing libraries decode several of these wrongly.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import type { ImageHeader } from "./header.ts";
import type { RgbaImage } from "./pixels.ts";

const RLE8 = 1, RLE4 = 2;

/**
 * Decodes a BMP, given the size from its header.
 *
 * @throws {DataError | RangeError} if it is damaged, or of an unknown kind. The message does not name the file.
 */
export function decodeBmp(bytes: Uint8Array, { width, height }: Pick<ImageHeader, "width" | "height">): RgbaImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = view.getUint32(10, true), headerBytes = view.getUint32(14, true), old = headerBytes === 12;
  const depth = view.getUint16(old ? 24 : 28, true), compression = old ? 0 : view.getUint32(30, true);
  const topDown = !old && view.getInt32(22, true) < 0;
  const packed = compression === RLE8 || compression === RLE4, masked = compression === 3 || compression === 6;
  const possible = packed
    ? depth === (compression === RLE8 ? 8 : 4)
    : masked
    ? depth === 16 || depth === 32
    : compression === 0 && [1, 4, 8, 16, 24, 32].includes(depth);
  if (!possible || (!old && headerBytes < 40)) {
    throw new DataError(`${depth} bits per pixel with compression ${compression} are not supported`);
  }
  const white = () => new Uint8Array(width * height * 4).fill(255);
  const offsetOf = (x: number, y: number) => ((topDown ? y : height - 1 - y) * width + x) * 4;

  if (depth <= 8) {
    const entry = old ? 3 : 4, table = 14 + headerBytes;
    const stated = (old ? 0 : view.getUint32(46, true)) || 1 << depth;
    const colours = Math.min(stated, 1 << depth, Math.floor((bytes.length - table) / entry));
    const indices = packed
      ? unpackRuns(bytes.subarray(start), width, height, depth)
      : unpackBits(bytes.subarray(start), width, height, depth);
    const data = white();
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        // As in PIL, pixels outside of all runs have colour 0, and a colour that is missing in the palette is black.
        const index = indices[i]!, at = offsetOf(x, y);
        for (let c = 0; c < 3; c++) data[at + c] = index < colours ? bytes[table + index * entry + 2 - c]! : 0;
      }
    }
    return { width, height, data };
  }

  const size = depth / 8, stride = Math.ceil(width * size / 4) * 4;
  if (start + stride * (height - 1) + width * size > bytes.length) {
    throw new DataError("the file ends inside its rows");
  }
  const data = white();
  if (depth === 24) {
    for (let y = 0; y < height; y++) {
      for (let x = 0, from = start + y * stride, at = offsetOf(0, y); x < width; x++, from += 3, at += 4) {
        for (let c = 0; c < 3; c++) data[at + c] = bytes[from + 2 - c]!;
      }
    }
    return { width, height, data };
  }
  const read = (at: number) => depth === 16 ? view.getUint16(at, true) : view.getUint32(at, true);
  const masks = masked
    ? [54, 58, 62].map((at) => view.getUint32(at, true))
    : depth === 16
    ? [0x7c00, 0x03e0, 0x001f]
    : [0xff0000, 0xff00, 0xff];
  // Without masks, the fourth byte is unused.
  masks.push(masked && (headerBytes >= 56 || compression === 6) ? view.getUint32(66, true) : 0);
  // Rounded down, as in PIL.
  const fields = masks.map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask), most = mask >>> shift;
    return (value: number) => most === 0 ? 255 : Math.floor(((value & mask) >>> shift) * 255 / most);
  });
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = offsetOf(0, y); x < width; x++, at += 4) {
      const value = read(start + y * stride + x * size);
      fields.forEach((field, c) => data[at + c] = field(value));
    }
  }
  return { width, height, data };
}

/** Unpacks colour indices, several in a byte, into one per byte. Each row is padded to a multiple of four bytes. */
function unpackBits(bytes: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const stride = Math.ceil(width * depth / 32) * 4, perByte = 8 / depth, indices = new Uint8Array(width * height);
  if (stride * (height - 1) + Math.ceil(width / perByte) > bytes.length) {
    throw new DataError("the file ends inside its rows");
  }
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const byte = bytes[y * stride + Math.floor(x / perByte)]!;
      indices[i] = byte >> (8 - depth * (x % perByte + 1)) & (1 << depth) - 1;
    }
  }
  return indices;
}

/** Unpacks run-length encoded colour indices into one per byte. Pixels outside of the image are ignored. */
function unpackRuns(bytes: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const indices = new Uint8Array(width * height);
  let at = 0, x = 0, y = 0;
  const next = () => {
    const byte = bytes[at++];
    if (byte === undefined) throw new DataError("the file ends inside its rows");
    return byte;
  };
  // At 4 bits per pixel, a byte has two indices.
  const paint = (byte: number, i: number) => {
    const index = depth === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15;
    if (x < width) indices[y * width + x++] = index;
  };
  while (y < height) {
    const count = next(), byte = next();
    if (count > 0) { for (let i = 0; i < count; i++) paint(byte, i); }
    else if (byte === 0) {
      x = 0;
      y++;
    } else if (byte === 1) break;
    else if (byte === 2) {
      x += next();
      y += next();
    } else {
      const begin = at;
      for (let i = 0, pixels = 0; i < byte; i++) {
        if (depth === 8 || i % 2 === 0) pixels = next();
        paint(pixels, i);
      }
      at += (at - begin) % 2; // Literal pixels are padded to a multiple of 16 bits.
    }
  }
  return indices;
}
