/**
 * Decodes image files to RGB pixels: PNG, JPEG, WebP and BMP. JPEG and WebP are decoded by mozjpeg and libwebp (`@jsquash`).
 * Those run in WebAssembly, so a malicious file cannot harm anything outside of it.
 *
 * @module
 */
import decodeJpeg, { init as initJpeg } from "@jsquash/jpeg/decode.js";
import jpegCode from "@jsquash/jpeg/decode.wasm" with { type: "bytes" };
import decodeWebp, { init as initWebp } from "@jsquash/webp/decode.js";
import webpCode from "@jsquash/webp/decode.wasm" with { type: "bytes" };
import { DataError } from "../errors.ts";
import { printable } from "../foreign_text.ts";
import { decodeBmp } from "./bmp.ts";
import { decodeCmykJpeg } from "./cmyk_jpeg.ts";
import { type ImageHeader, readHeader } from "./header.ts";
import { decodePngImage } from "./png.ts";
import type { RgbaImage, RgbImage } from "./pixels.ts";

/**
 * Decodes an image. The image is turned as its EXIF orientation says; transparent parts become white; of 16 bits per
 * channel, the upper 8 are used; colour profiles are ignored.
 *
 * @param file the file's name, for errors
 * @throws {DataError} if the format is unknown, the file is damaged or cut off, or the image is an animation, or has
 *   more than 67 megapixels or far more than its file can hold
 */
export async function decodeImage(bytes: Uint8Array, file: string): Promise<RgbImage> {
  let format = "image";
  try {
    const header = readHeader(bytes);
    format = header.format;
    const { width, height, data } = await decodePixels(bytes, header);
    if (width !== header.width || height !== header.height) {
      throw new DataError(
        `its header says ${header.width} x ${header.height} pixels, but the image has ${width} x ${height}`,
      );
    }
    return turn({ width, height, data: flatten(data) }, header.orientation);
  } catch (error) {
    throw new DataError(`${file}: not a readable ${format}: ${reason(error)}`);
  }
}

/** Why decoding failed, in one line. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return "the decoder failed";
  // A RangeError comes from reading after the last byte, or from too little memory.
  if (error instanceof RangeError && !error.message.includes("allocation")) return "the file is cut off";
  return printable(error.message.replace(/\s+/g, " "));
}

async function decodePixels(bytes: Uint8Array, header: ImageHeader): Promise<RgbaImage> {
  if (header.format === "PNG") return await decodePngImage(bytes);
  if (header.cmyk) return decodeCmykJpeg(bytes);
  if (header.format === "BMP") return decodeBmp(bytes, header);
  const { width, height, data } = await (header.format === "JPEG" ? jpeg(bytes) : webp(bytes));
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

/** The messages of the JPEG decoder about the present image. */
let jpegMessages: string[] = [];
let jpegReady = false, webpReady = false;

async function jpeg(bytes: Uint8Array): Promise<ImageData> {
  jpegMessages = [];
  if (!jpegReady) await initJpeg({ wasmBinary: jpegCode, printErr: (line: string) => jpegMessages.push(line) });
  // If decoding fails, the next image gets a new decoder.
  jpegReady = false;
  let image: ImageData;
  try {
    image = await decodeJpeg(bytes as unknown as ArrayBuffer);
  } catch (error) {
    // The decoder exits if it cannot continue; its messages give the reason.
    throw jpegMessages.length > 0 ? new DataError(jpegMessages.join("; ")) : error;
  }
  jpegReady = hasLittleMemory(image);
  // In a file that is cut off, the decoder makes the missing pixels grey. Its other messages are harmless warnings.
  const short = jpegMessages.find((line) => /premature end/i.test(line));
  if (short !== undefined) throw new DataError(short);
  return image;
}

/** Whether a decoder can be used again. Its memory never shrinks, so the one of a large image is given up. */
function hasLittleMemory({ width, height }: ImageData): boolean {
  return width * height <= 2 ** 22;
}

async function webp(bytes: Uint8Array): Promise<ImageData> {
  if (!webpReady) await initWebp({ wasmBinary: webpCode });
  webpReady = false;
  const image = await decodeWebp(bytes as unknown as ArrayBuffer);
  webpReady = hasLittleMemory(image);
  return image;
}

/** Puts RGBA pixels on a white background, and returns them as RGB in the same memory. */
function flatten(data: Uint8Array): Uint8Array {
  let to = 0;
  for (let from = 0; from < data.length; from += 4) {
    const alpha = data[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const value = data[from + c]!;
      data[to++] = alpha === 255 ? value : Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return data.subarray(0, to);
}

/** Turns and mirrors an image as its EXIF orientation says. */
function turn(image: RgbImage, orientation: number): RgbImage {
  if (orientation === 1) return image;
  const swapped = orientation >= 5, { data } = image;
  const width = swapped ? image.height : image.width, height = swapped ? image.width : image.height;
  // The first pixel of the turned image is stored at the right in orientations 2, 3, 7, 8, at the bottom in 3, 4, 6, 7.
  const right = [2, 3, 7, 8].includes(orientation), bottom = [3, 4, 6, 7].includes(orientation);
  const across = right ? -3 : 3, down = (bottom ? -3 : 3) * image.width;
  const start = (right ? image.width - 1 : 0) * 3 + (bottom ? image.height - 1 : 0) * image.width * 3;
  const result = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < height; y++) {
    let from = start + y * (swapped ? across : down);
    for (let x = 0; x < width; x++, from += swapped ? down : across) {
      for (let c = 0; c < 3; c++) result[to++] = data[from + c]!;
    }
  }
  return { width, height, data: result };
}
