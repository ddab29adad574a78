/**
 * Image files to pixels: PNG, JPEG, WebP and BMP, upright and without transparency. JPEG and WebP are decoded by
 * mozjpeg and libwebp (`@jsquash`), which run in WebAssembly: whatever a file does to them stays in there.
 *
 * @module
 */
import decodeJpeg, { init as initJpeg } from "@jsquash/jpeg/decode.js";
import jpegCode from "@jsquash/jpeg/decode.wasm" with { type: "bytes" };
import decodeWebp, { init as initWebp } from "@jsquash/webp/decode.js";
import webpCode from "@jsquash/webp/decode.wasm" with { type: "bytes" };
import { DataError } from "../errors.ts";
import { decodeBmp } from "./bmp.ts";
import { type ImageHeader, readHeader } from "./header.ts";
import { decodePngImage } from "./png.ts";
import type { RgbaImage } from "./pixels.ts";
import type { RgbImage } from "./pixels.ts";

/**
 * Decodes an image. EXIF's orientation is obeyed; transparency is laid on white; of 16 bits a channel the upper 8
 * count; colour profiles are ignored.
 *
 * @param file the file's name, for errors
 * @throws {DataError} if it is of no known format, damaged, cut short, an animation, CMYK, or has more than 100
 *   megapixels
 */
export async function decodeImage(bytes: Uint8Array, file: string): Promise<RgbImage> {
  let format = "image";
  try {
    const header = readHeader(bytes);
    format = header.format;
    const { width, height, data } = await decodePixels(bytes, header);
    if (width !== header.width || height !== header.height) {
      throw new DataError(`its parts disagree on its size: ${header.width} x ${header.height}, ${width} x ${height}`);
    }
    return turn({ width, height, data: flatten(data) }, header.orientation);
  } catch (error) {
    throw new DataError(`${file}: no readable ${format}: ${reason(error)}`);
  }
}

/** Why decoding failed, in a line. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return "the decoder failed";
  // Reading behind the last byte is one of these; too little memory is another.
  if (error instanceof RangeError && !error.message.includes("allocation")) return "the file ends too early";
  return error.message.replace(/\s+/g, " ");
}

async function decodePixels(bytes: Uint8Array, header: ImageHeader): Promise<RgbaImage> {
  if (header.format === "PNG") return decodePngImage(bytes);
  if (header.format === "BMP") return decodeBmp(bytes, header);
  const { width, height, data } = await (header.format === "JPEG" ? jpeg(bytes) : webp(bytes));
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

/** What the running decoder of JPEGs has said. */
let said: string[] = [];
let jpegRuns = false, webpRuns = false;

async function jpeg(bytes: Uint8Array): Promise<ImageData> {
  said = [];
  if (!jpegRuns) await initJpeg({ wasmBinary: jpegCode, printErr: (line: string) => said.push(line) });
  // A decoder that failed is left behind, with what memory it holds.
  jpegRuns = false;
  let image: ImageData;
  try {
    image = await decodeJpeg(bytes as unknown as ArrayBuffer);
  } catch (error) {
    // It exits where it cannot go on, having said why.
    throw said.length > 0 ? new DataError(said.join("; ")) : error;
  }
  jpegRuns = true;
  // It paints grey what a short file lacks. Other complaints are of little harm.
  const short = said.find((line) => /premature end/i.test(line));
  if (short !== undefined) throw new DataError(short);
  return image;
}

async function webp(bytes: Uint8Array): Promise<ImageData> {
  if (!webpRuns) await initWebp({ wasmBinary: webpCode });
  webpRuns = false;
  const image = await decodeWebp(bytes as unknown as ArrayBuffer);
  webpRuns = true;
  return image;
}

/** RGBA on white, as RGB, in the same memory. */
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

/** Puts an image upright that was stored in one of EXIF's eight orientations. */
function turn(image: RgbImage, orientation: number): RgbImage {
  if (orientation === 1) return image;
  const swapped = orientation >= 5, { data } = image;
  const width = swapped ? image.height : image.width, height = swapped ? image.width : image.height;
  // Where the first pixel of the upright image is stored: at the right in 2, 3, 7, 8, at the bottom in 3, 4, 6, 7.
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
