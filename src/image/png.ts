/**
 * Decodes PNG images of every kind to 8-bit RGBA. We wrote our own decoder for files from users: the library behind
 * `rgb_png.ts` inflates files of any size, and decodes interlaced images of fewer than 8 bits wrongly. Here the image size
 * in the header limits the memory, and only a few rows are inflated at a time.
 *
 * @module
 */
import { Readable } from "node:stream";
import { crc32, createInflate } from "node:zlib";
import { DataError } from "../errors.ts";
import { quote } from "../foreign_text.ts";
import { pngChunks } from "./header.ts";
import type { RgbaImage } from "./pixels.ts";

/** For each colour type: the number of samples per pixel, and the allowed bit depths. */
const KINDS: Readonly<Record<number, { readonly samples: number; readonly depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

/** The passes of an interlaced image: the first column and row, and the distance to the next ones. */
const ADAM7 = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
];
const WHOLE = [{ x: 0, y: 0, dx: 1, dy: 1 }];

/**
 * Decodes a PNG whose header has been checked. Of 16 bits the upper 8 are used, as in PIL. All checksums are verified.
 *
 * @throws {DataError | Error} if the file is damaged. The message does not name the file.
 */
export async function decodePngImage(bytes: Uint8Array): Promise<RgbaImage> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const width = view.getUint32(16), height = view.getUint32(20), depth = bytes[24]!, type = bytes[25]!;
  const kind = KINDS[type], interlaced = bytes[28] === 1;
  if (kind === undefined || !kind.depths.includes(depth)) {
    throw new DataError(`colour type ${type} of ${depth} bits does not exist`);
  }
  const packed: Uint8Array[] = [];
  let palette: Uint8Array = new Uint8Array(0), transparent = palette, first = true;
  for (const { name, at, length } of pngChunks(view)) {
    if (crc32(bytes.subarray(at - 4, at + length)) !== view.getUint32(at + length)) {
      throw new DataError(`the checksum of its chunk ${quote(name)} is wrong`);
    }
    if (first && (name !== "IHDR" || length !== 13)) throw new DataError("it has no header");
    first = false;
    const data = bytes.subarray(at, at + length);
    if (name === "PLTE") palette = data;
    else if (name === "tRNS") transparent = data;
    else if (name === "IDAT") packed.push(data);
  }
  if (type === 3 && palette.length === 0) throw new DataError("it has no palette");

  const bits = kind.samples * depth;
  const passes = (interlaced ? ADAM7 : WHOLE)
    .map((pass) => {
      const columns = Math.ceil((width - pass.x) / pass.dx), rows = Math.ceil((height - pass.y) / pass.dy);
      return { ...pass, columns, rows, lineBytes: Math.ceil(columns * bits / 8) };
    })
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const data = new Uint8Array(width * height * 4), paint = painter(type, depth, palette, transparent);
  const lines = new Lines(
    inflated(packed),
    passes.reduce((sum, { rows, lineBytes }) => sum + rows * (1 + lineBytes), 0),
  );
  try {
    for (const { x, y, dx, dy, columns, rows, lineBytes } of passes) {
      const above = new Uint8Array(lineBytes);
      for (let row = 0; row < rows; row++) {
        // Waiting for a promise for each of very many short lines would take long.
        if (!lines.has(1 + lineBytes)) await lines.fetch(1 + lineBytes);
        const filtered = lines.take(1 + lineBytes), line = filtered.subarray(1);
        unfilter(filtered[0]!, line, above, Math.max(1, bits >> 3));
        paint(line, columns, data, ((y + row * dy) * width + x) * 4, dx * 4);
        above.set(line);
      }
    }
    await lines.end();
  } finally {
    await lines.close();
  }
  return { width, height, data };
}

/** How many bytes are inflated at a time. */
const CHUNK = 1 << 18;

/** Inflates a stream that is in several parts, chunk by chunk: a small file can inflate to a thousand times its size. */
function inflated(packed: readonly Uint8Array[]): AsyncIterator<Uint8Array> {
  return Readable.from(packed).pipe(createInflate({ chunkSize: CHUNK }))[Symbol.asyncIterator]();
}

/** The inflated lines of an image, of which only the next ones are in memory. */
class Lines {
  /** One buffer for all lines: a new one for each chunk would be garbage faster than it is collected. */
  #buffer = new Uint8Array(2 * CHUNK);
  #at = 0;
  #end = 0;
  /** The bytes that were inflated so far. */
  #count = 0;

  /** @param expected the number of bytes that the image size needs */
  constructor(readonly source: AsyncIterator<Uint8Array>, readonly expected: number) {}

  /** Whether the next bytes are in memory. */
  has(length: number): boolean {
    return this.#end - this.#at >= length;
  }

  /**
   * Inflates the next bytes.
   *
   * @throws {DataError} if there are fewer
   */
  async fetch(length: number): Promise<void> {
    this.#buffer.copyWithin(0, this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    while (!this.has(length)) {
      const { done, value } = await this.source.next();
      if (done) throw new DataError(`it has ${this.#count} of the ${this.expected} bytes that its size needs`);
      this.#append(value);
    }
  }

  #append(bytes: Uint8Array): void {
    const end = this.#end + bytes.length;
    if (end > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#end));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end = end;
    this.#count += bytes.length;
  }

  /** Takes the next bytes, which must be in memory. The caller may change them; they are valid until the next `fetch()`. */
  take(length: number): Uint8Array {
    return this.#buffer.subarray(this.#at, this.#at += length);
  }

  /**
   * Reads the end of the stream, which verifies its checksum.
   *
   * @throws {DataError} if there are more bytes
   */
  async end(): Promise<void> {
    const isMore = this.has(1) || !(await this.source.next()).done;
    if (isMore) throw new DataError(`it has more data than the ${this.expected} bytes that its size needs`);
  }

  /** Stops inflating. */
  async close(): Promise<void> {
    await this.source.return?.();
  }
}

/** Undoes the filter of a line in place. `above` is the line above it, and `back` the number of bytes per pixel. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, back: number): void {
  const { length } = line;
  if (filter === 1) { for (let i = back; i < length; i++) line[i]! += line[i - back]!; }
  else if (filter === 2) { for (let i = 0; i < length; i++) line[i]! += above[i]!; }
  else if (filter === 3) {
    for (let i = 0; i < length; i++) line[i]! += ((i < back ? 0 : line[i - back]!) + above[i]!) >> 1;
  } else if (filter === 4) {
    for (let i = 0; i < length; i++) {
      const a = i < back ? 0 : line[i - back]!, b = above[i]!, c = i < back ? 0 : above[i - back]!;
      const toA = Math.abs(b - c), toB = Math.abs(a - c), toC = Math.abs(a + b - 2 * c);
      line[i]! += toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }
  } else if (filter !== 0) throw new DataError(`filter ${filter} does not exist`);
}

/** Writes a line of samples as RGBA pixels to `pixels`, the first at offset `at` and each `step` bytes after the one before it. */
type Painter = (line: Uint8Array, columns: number, pixels: Uint8Array, at: number, step: number) => void;

function painter(type: number, depth: number, palette: Uint8Array, transparent: Uint8Array): Painter {
  const { samples } = KINDS[type]!, wide = depth === 16, bytes = wide ? 2 : 1;
  const colour = type === 2 || type === 6, alpha = type === 4 || type === 6;
  // One colour of a grey or RGB image may be declared transparent; it is compared in all its bits.
  const key = !alpha && type !== 3 && transparent.length === 2 * samples
    ? Array.from({ length: samples }, (_, i) => transparent[2 * i]! * 256 + transparent[2 * i + 1]!)
    : undefined;
  const perByte = 8 / Math.min(8, depth), mask = (1 << Math.min(8, depth)) - 1;
  const sample = (line: Uint8Array, i: number) => {
    if (depth >= 8) return line[i * bytes]!;
    return line[Math.floor(i / perByte)]! >> (8 - depth * (i % perByte + 1)) & mask;
  };
  const allBits = (line: Uint8Array, i: number) => wide ? line[2 * i]! * 256 + line[2 * i + 1]! : sample(line, i);
  return (line, columns, pixels, at, step) => {
    for (let i = 0; i < columns; i++, at += step) {
      const value = sample(line, i * samples);
      if (type === 3) {
        if (value * 3 >= palette.length) throw new DataError(`colour ${value} is not in its palette`);
        for (let c = 0; c < 3; c++) pixels[at + c] = palette[value * 3 + c]!;
        pixels[at + 3] = transparent[value] ?? 255;
        continue;
      }
      for (let c = 0; c < 3; c++) {
        pixels[at + c] = colour ? sample(line, i * samples + c) : depth < 8 ? value * 255 / mask : value;
      }
      const clear = key?.every((part, c) => part === allBits(line, i * samples + c)) === true;
      pixels[at + 3] = clear ? 0 : alpha ? sample(line, i * samples + samples - 1) : 255;
    }
  };
}
