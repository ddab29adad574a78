/**
 * Reads the header of an image file, before anything is decoded: the format, the size in pixels, and the orientation of the
 * camera. The format is recognised by the first bytes of the file, never by its name.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import { quote } from "../foreign_text.ts";

/** What the header of a file says about its image. */
export interface ImageHeader {
  readonly format: "PNG" | "JPEG" | "WebP" | "BMP";
  /** The width of the stored image in pixels, before the orientation is applied. */
  readonly width: number;
  readonly height: number;
  /** The EXIF orientation, 1 to 8; 1, which means "as stored", if there is none. */
  readonly orientation: number;
  /** A JPEG of four components, which are inks instead of colours of light. Default false. */
  readonly cmyk?: boolean;
}

/**
 * The largest image that is read: 67 megapixels, at most 65,535 pixels wide and high. Decoding takes at most 16 bytes a pixel, so
 * this limits the memory to 1 GiB.
 */
export const MAX_PIXELS = 2 ** 26, MAX_SIDE = 65_535;

/**
 * The most pixels for the size of a file: 4 megapixels, and 1,000 for each byte. A picture of a single colour has fewer. The limit
 * prevents a small file from taking much memory and time.
 */
const SMALL_IMAGE = 2 ** 22, PIXELS_PER_BYTE = 1000;

/** The most scans that a JPEG may have. Real ones have up to about 20; each takes a pass over all pixels. */
const MAX_SCANS = 32;

/**
 * Reads the header of a PNG, JPEG, WebP or BMP.
 *
 * @throws {DataError} if the format is none of these, or the image has no pixels or too many, also for the size of the file. The message does not name the file.
 * @throws {RangeError} if the bytes end inside the header
 */
export function readHeader(bytes: Uint8Array): ImageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    is = (at: number, text: string) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
  if (bytes.length === 0) throw new DataError("the file is empty");
  let header: ImageHeader;
  if (is(0, "\x89PNG\r\n\x1a\n")) header = pngHeader(view);
  else if (is(0, "\xff\xd8\xff")) header = jpegHeader(bytes, view);
  else if (is(0, "RIFF") && is(8, "WEBP")) header = webpHeader(view);
  else if (is(0, "BM")) header = bmpHeader(view);
  else throw new DataError("it is not a PNG, JPEG, WebP or BMP image");
  const { format, width, height } = header;
  if (width === 0 || height === 0) throw new DataError(`the ${format} has no pixels: ${width} x ${height}`);
  if (width * height > MAX_PIXELS) {
    const most = Math.floor(MAX_PIXELS / 1e6);
    throw new DataError(`the ${format} is ${width} x ${height} pixels; the limit is ${most} megapixels`);
  }
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new DataError(`the ${format} is ${width} x ${height} pixels; the limit of a side is ${MAX_SIDE}`);
  }
  if (width * height > SMALL_IMAGE + PIXELS_PER_BYTE * bytes.length) {
    throw new DataError(
      `the ${format} is ${width} x ${height} pixels, far more than a real picture in a file of ${bytes.length} bytes`,
    );
  }
  return header;
}

/** The four letters that name a chunk. */
const fourLetters = (view: DataView, at: number) =>
  String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));

/** The chunks of a PNG: the name of each, and the offset and length of its data. A checksum follows the data. */
export function* pngChunks(view: DataView): Generator<{ name: string; at: number; length: number }> {
  for (let at = 8, name = ""; name !== "IEND";) {
    const length = view.getUint32(at);
    name = fourLetters(view, at + 4);
    if (at + 12 + length > view.byteLength) {
      throw new DataError(`the file ends inside its chunk ${quote(name)}`);
    }
    yield { name, at: at + 8, length };
    at += 12 + length;
  }
}

function pngHeader(view: DataView): ImageHeader {
  let orientation = 1;
  for (const { name, at, length } of pngChunks(view)) if (name === "eXIf") orientation = exif(view, at, length);
  return { format: "PNG", width: view.getUint32(16), height: view.getUint32(20), orientation };
}

function jpegHeader(bytes: Uint8Array, view: DataView): ImageHeader {
  let orientation = 1, cmyk = false, size: { width: number; height: number } | undefined;
  for (let at = 2; size === undefined || view.getUint8(at + 1) !== 0xda;) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff) throw new DataError("the JPEG's header is damaged");
    // Any number of fill bytes (0xff) may precede a marker. Some markers have no length and no data.
    if (marker === 0xff) at += 1;
    else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2;
    else {
      if (marker === 0xd9 || marker === 0xda) throw new DataError("the JPEG contains no image");
      if (marker === 0xe1 && fourLetters(view, at + 4) === "Exif") {
        orientation = exif(view, at + 10, view.getUint16(at + 2) - 8);
      }
      // All kinds of "start of frame"; three markers in this range mean something else.
      if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
        size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
        cmyk = view.getUint8(at + 9) === 4;
      }
      at += 2 + view.getUint16(at + 2);
    }
  }
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) if (bytes[at + 1] === 0xda) scans++;
  if (scans > MAX_SCANS) throw new DataError(`the JPEG has ${scans} scans; the limit is ${MAX_SCANS}`);
  return { format: "JPEG", ...size, orientation, cmyk };
}

function webpHeader(view: DataView): ImageHeader {
  const end = 8 + view.getUint32(4, true), first = fourLetters(view, 12), start = 20;
  if (end > view.byteLength) throw new DataError(`the file ends at byte ${view.byteLength} of ${end}`);
  let width = 0, height = 0, orientation = 1;
  if (first === "VP8X") {
    width = 1 + (view.getUint32(start + 4, true) & 0xffffff);
    height = 1 + (view.getUint32(start + 6, true) >>> 8);
    if ((view.getUint8(start) & 2) !== 0) throw new DataError("the WebP is an animation, not an image");
    for (let at = 12; at + 8 <= end;) {
      const length = view.getUint32(at + 4, true);
      if (fourLetters(view, at) === "EXIF" && at + 8 + length <= end) {
        const prefix = fourLetters(view, at + 8) === "Exif" ? 6 : 0;
        orientation = exif(view, at + 8 + prefix, length - prefix);
      }
      at += 8 + length + length % 2;
    }
  } else if (first === "VP8L") {
    const packed = view.getUint32(start + 1, true);
    width = 1 + (packed & 0x3fff);
    height = 1 + (packed >>> 14 & 0x3fff);
  } else if (first === "VP8 ") {
    width = view.getUint16(start + 6, true) & 0x3fff;
    height = view.getUint16(start + 8, true) & 0x3fff;
  } else throw new DataError(`the WebP starts with the chunk ${quote(first)}, which is not an image`);
  return { format: "WebP", width, height, orientation };
}

function bmpHeader(view: DataView): ImageHeader {
  // The oldest header has 12 bytes and 16-bit sizes. A negative height means that the rows start at the top.
  const old = view.getUint32(14, true) === 12;
  const width = old ? view.getUint16(18, true) : view.getInt32(18, true);
  const height = old ? view.getUint16(20, true) : Math.abs(view.getInt32(22, true));
  if (width < 0) throw new DataError(`the BMP is ${width} pixels wide`);
  return { format: "BMP", width, height, orientation: 1 };
}

/** The orientation in EXIF data, which have the format of a TIFF. If it is missing or damaged, 1. */
function exif(view: DataView, at: number, length: number): number {
  try {
    const tiff = new DataView(view.buffer, view.byteOffset + at, length), little = tiff.getUint8(0) === 0x49;
    const directory = tiff.getUint32(4, little), entries = tiff.getUint16(directory, little);
    for (let i = 0; i < entries; i++) {
      const entry = directory + 2 + 12 * i;
      if (tiff.getUint16(entry, little) !== 0x0112) continue;
      const value = tiff.getUint16(entry + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}
