/**
 * Decodes JPEGs of four components, which printing programs write: CMYK, and YCCK, which is CMYK with its first three
 * components as YCbCr. mozjpeg, which decodes all others, cannot turn them into RGB. Baseline and progressive files of 8 bits.
 * Colours become RGB as in PIL: components are taken as inverted, as Adobe's programs write them, and profiles are ignored.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import type { RgbaImage } from "./pixels.ts";

/** The index of a coefficient in its block [8, 8], by its position in the file. */
// deno-fmt-ignore
const ZIGZAG = Uint8Array.of(
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55,
  62, 63,
);

/** The cosines of the inverse transform: [position, frequency], with the factor of the frequency 0. */
const COSINES = Float64Array.from({ length: 64 }, (_, i) => {
  const at = i >> 3, frequency = i & 7;
  return (frequency === 0 ? Math.SQRT1_2 : 1) / 2 * Math.cos((2 * at + 1) * frequency * Math.PI / 16);
});

/** The largest image in pixels: each takes 20 bytes of memory, and half a microsecond. */
const MAX_PIXELS = 16e6;

/** A Huffman table: for each length of a code, its first code, and the index of its value. */
interface Huffman {
  readonly counts: Uint8Array;
  readonly values: Uint8Array;
}

interface Component {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly table: number;
  /** Blocks in a row and in a column that hold pixels, and in a row of memory, where the last units are complete. */
  readonly across: number;
  readonly down: number;
  readonly stride: number;
  readonly coefficients: Int16Array;
  /** The last coefficient 0 of the scan. */
  last: number;
  dc: Huffman | undefined;
  ac: Huffman | undefined;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly Component[];
  readonly h: number;
  readonly v: number;
}

/** Reads the bits of a scan. A marker ends them. */
class Bits {
  #buffer = 0;
  #count = 0;

  constructor(readonly bytes: Uint8Array, public at: number) {}

  bit(): number {
    if (this.#count === 0) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw new RangeError("the scan ends early");
      if (byte === 0xff && this.bytes[this.at + 1] !== 0) throw new DataError("a scan ends early");
      this.at += byte === 0xff ? 2 : 1;
      this.#buffer = byte;
      this.#count = 8;
    }
    return this.#buffer >> --this.#count & 1;
  }

  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) value = value << 1 | this.bit();
    return value;
  }

  /** A number of `count` bits; those that begin with 0 are negative. */
  signed(count: number): number {
    const value = this.bits(count);
    return count > 0 && value < 1 << count - 1 ? value - (1 << count) + 1 : value;
  }

  symbol({ counts, values }: Huffman): number {
    for (let length = 1, code = 0, first = 0, index = 0; length <= 16; length++) {
      code |= this.bit();
      const count = counts[length - 1]!;
      if (code - first < count) return values[index + code - first]!;
      index += count;
      first = first + count << 1;
      code <<= 1;
    }
    throw new DataError("a scan has a code that its table does not have");
  }

  /** Goes on after a restart marker. */
  restart(): void {
    this.#count = 0;
    if (this.bytes[this.at] !== 0xff || (this.bytes[this.at + 1]! & 0xf8) !== 0xd0) {
      throw new DataError("a restart marker is missing");
    }
    this.at += 2;
  }
}

/**
 * Decodes a JPEG of four components.
 *
 * @throws {DataError} if it is damaged, or of a kind that is rare: arithmetic coding, or 12 bits.
 * @throws {RangeError} if it is cut off.
 */
export function decodeCmykJpeg(bytes: Uint8Array): RgbaImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const quantizers: Uint16Array[] = [], tables: { dc: Huffman[]; ac: Huffman[] } = { dc: [], ac: [] };
  let frame: Frame | undefined, interval = 0, transformed = false;
  for (let at = 2;;) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff) throw new DataError("there are bytes that belong to no part");
    if (marker === 0xff || (marker >= 0xd0 && marker <= 0xd8) || marker === 0x01) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === 0xd9) break;
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) throw new RangeError("the file is cut off");
    at += 4;
    if (marker === 0xdb) readQuantizers(view, at, end, quantizers);
    else if (marker === 0xc4) readHuffman(bytes, at, end, tables);
    else if (marker === 0xdd) interval = view.getUint16(at);
    else if (marker === 0xee && end - at >= 12) transformed = view.getUint8(at + 11) === 2;
    else if (marker >= 0xc0 && marker <= 0xc2 && !frame) frame = readFrame(view, at, marker === 0xc2);
    else if (marker >= 0xc0 && marker <= 0xcf) throw new DataError("its kind of CMYK JPEG is not supported");
    if (marker === 0xda) {
      if (!frame) throw new DataError("a scan comes before the size");
      at = readScan(bytes, at, end, frame, tables, interval);
    } else at = end;
  }
  if (!frame) throw new DataError("it contains no image");
  const size = frame;
  const planes = size.components.map((one) => enlarged(one, samples(one, quantizers[one.table]), size));
  return colours(size, planes, transformed);
}

function readQuantizers(view: DataView, at: number, end: number, quantizers: Uint16Array[]): void {
  while (at < end) {
    const head = view.getUint8(at++), table = new Uint16Array(64), wide = head >> 4 !== 0;
    for (let i = 0; i < 64; i++, at += wide ? 2 : 1) table[ZIGZAG[i]!] = wide ? view.getUint16(at) : view.getUint8(at);
    quantizers[head & 15] = table;
  }
}

function readHuffman(bytes: Uint8Array, at: number, end: number, tables: { dc: Huffman[]; ac: Huffman[] }): void {
  while (at < end) {
    const head = bytes[at]!,
      counts = bytes.subarray(at + 1, at + 17),
      count = counts.reduce((sum, one) => sum + one, 0);
    at += 17 + count;
    if (at > end) throw new DataError("a Huffman table is too long");
    tables[head >> 4 === 0 ? "dc" : "ac"][head & 15] = { counts, values: bytes.subarray(at - count, at) };
  }
}

function readFrame(view: DataView, at: number, progressive: boolean): Frame {
  const height = view.getUint16(at + 1), width = view.getUint16(at + 3), count = view.getUint8(at + 5);
  if (view.getUint8(at) !== 8) throw new DataError("it has 12 bits a colour, which is not supported");
  if (width * height > MAX_PIXELS) {
    throw new DataError(`it has more than ${MAX_PIXELS / 1e6} megapixels, the limit for CMYK`);
  }
  const factors = Array.from({ length: count }, (_, i) => {
    const packed = view.getUint8(at + 7 + 3 * i), h = packed >> 4, v = packed & 15;
    if (h < 1 || h > 4 || v < 1 || v > 4) throw new DataError("a component has no sampling factor from 1 to 4");
    return { id: view.getUint8(at + 6 + 3 * i), h, v, table: view.getUint8(at + 8 + 3 * i) };
  });
  const h = Math.max(...factors.map((one) => one.h)), v = Math.max(...factors.map((one) => one.v));
  const columns = Math.ceil(width / 8 / h), rows = Math.ceil(height / 8 / v);
  const components = factors.map((one): Component => ({
    ...one,
    across: Math.ceil(Math.ceil(width * one.h / h) / 8),
    down: Math.ceil(Math.ceil(height * one.v / v) / 8),
    stride: columns * one.h,
    coefficients: new Int16Array(64 * columns * one.h * rows * one.v),
    last: 0,
    dc: undefined,
    ac: undefined,
  }));
  return { width, height, progressive, components, h, v };
}

/** Reads the coefficients of a scan. @returns the offset of the marker after it. */
function readScan(
  bytes: Uint8Array,
  at: number,
  end: number,
  { width, height, progressive, components, h, v }: Frame,
  tables: { readonly dc: readonly Huffman[]; readonly ac: readonly Huffman[] },
  interval: number,
): number {
  const scanned = Array.from({ length: bytes[at]! }, (_, i) => {
    const component = components.find(({ id }) => id === bytes[at + 1 + 2 * i]), packed = bytes[at + 2 + 2 * i]!;
    if (!component) throw new DataError("a scan has a component that the image does not have");
    component.dc = tables.dc[packed >> 4];
    component.ac = tables.ac[packed & 15];
    component.last = 0;
    return component;
  });
  const [first, last, packed] = [bytes[end - 3]!, bytes[end - 2]!, bytes[end - 1]!];
  if (first > last || last > 63 || (progressive && first > 0 && scanned.length > 1)) {
    throw new DataError("a scan has no valid range of coefficients");
  }
  const bits = new Bits(bytes, end), high = packed >> 4, low = packed & 15;
  const need = (table: Huffman | undefined) => {
    if (!table) throw new DataError("a Huffman table is missing");
    return table;
  };
  /** Blocks that have no further coefficients in this scan. */
  let skipped = 0;
  const block = (component: Component, row: number, column: number): void => {
    const { coefficients: data, stride } = component, base = 64 * (row * stride + column);
    if (first === 0) {
      if (high > 0) data[base]! |= bits.bit() << low;
      else data[base] = (component.last += bits.signed(bits.symbol(need(component.dc)))) << low;
    }
    if (last === 0) return;
    if (progressive && high > 0) {
      return void (skipped = refine(bits, need(component.ac), data, base, [first, last, low], skipped));
    }
    if (skipped > 0) return void skipped--;
    for (let k = Math.max(1, first); k <= last; k++) {
      const symbol = bits.symbol(need(component.ac)), run = symbol >> 4, size = symbol & 15;
      if (size === 0 && run < 15) {
        if (progressive) skipped = (1 << run) + bits.bits(run) - 1;
        break;
      }
      k += run;
      if (k > last) throw new DataError("a block has too many coefficients");
      if (size > 0) data[base + ZIGZAG[k]!] = bits.signed(size) << low;
    }
  };
  const [single] = scanned, alone = scanned.length === 1;
  const columns = alone ? single!.across : Math.ceil(width / 8 / h),
    rows = alone ? single!.down : Math.ceil(height / 8 / v);
  for (let unit = 0; unit < columns * rows; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      bits.restart();
      skipped = 0;
      for (const component of scanned) component.last = 0;
    }
    const row = Math.floor(unit / columns), column = unit % columns;
    if (alone) block(single!, row, column);
    else {
      for (const one of scanned) {
        for (let y = 0; y < one.v; y++) for (let x = 0; x < one.h; x++) block(one, row * one.v + y, column * one.h + x);
      }
    }
  }
  for (let next = bits.at;; next++) {
    if (next + 1 >= bytes.length) throw new RangeError("the file is cut off");
    if (bytes[next] === 0xff && bytes[next + 1] !== 0 && bytes[next + 1] !== 0xff) return next;
  }
}

/** Adds a bit to the coefficients of a block that are known, and reads new ones between them. @returns the blocks to skip. */
function refine(
  bits: Bits,
  table: Huffman,
  data: Int16Array,
  base: number,
  [first, last, low]: readonly [number, number, number],
  skipped: number,
): number {
  const sharpen = (at: number) => {
    if (bits.bit() === 1) data[at]! += data[at]! > 0 ? 1 << low : -1 << low;
  };
  let k = first;
  while (skipped === 0 && k <= last) {
    const symbol = bits.symbol(table), size = symbol & 15;
    let run = symbol >> 4;
    if (size === 0 && run < 15) {
      skipped = (1 << run) + bits.bits(run);
      break;
    }
    const value = size === 0 ? 0 : bits.bit() === 1 ? 1 << low : -1 << low;
    for (; k <= last; k++) {
      const at = base + ZIGZAG[k]!;
      if (data[at] !== 0) sharpen(at);
      else if (run-- === 0) {
        data[at] = value;
        k++;
        break;
      }
    }
  }
  if (skipped === 0) return 0;
  for (; k <= last; k++) if (data[base + ZIGZAG[k]!] !== 0) sharpen(base + ZIGZAG[k]!);
  return skipped - 1;
}

/** A component as pixels from 0 to 255, with whole blocks. */
function samples({ coefficients, stride }: Component, quantizer: Uint16Array | undefined): Uint8ClampedArray {
  if (!quantizer) throw new DataError("a quantization table is missing");
  const pixels = new Uint8ClampedArray(coefficients.length), half = new Float64Array(64);
  for (let block = 0; block < coefficients.length / 64; block++) {
    for (let v = 0; v < 8; v++) {
      for (let x = 0; x < 8; x++) {
        let sum = 0;
        for (let u = 0; u < 8; u++) {
          const at = 8 * v + u;
          sum += COSINES[8 * x + u]! * coefficients[64 * block + at]! * quantizer[at]!;
        }
        half[8 * v + x] = sum;
      }
    }
    const corner = 64 * stride * Math.floor(block / stride) + 8 * (block % stride);
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 8; x++) {
        let sum = 128;
        for (let v = 0; v < 8; v++) sum += COSINES[8 * y + v]! * half[8 * v + x]!;
        pixels[corner + 8 * stride * y + x] = sum;
      }
    }
  }
  return pixels;
}

/**
 * A component in the size of the image [height, width]. Between samples, values are linear, as mozjpeg has them too.
 */
function enlarged(component: Component, plane: Uint8ClampedArray, { width, height, h, v }: Frame): Uint8ClampedArray {
  const stride = 8 * component.stride, result = new Uint8ClampedArray(width * height);
  const columns = positions(width, component.h / h), rows = positions(height, component.v / v);
  for (let y = 0, to = 0; y < height; y++) {
    const row = rows[y]!, above = Math.floor(row) * stride, below = Math.ceil(row) * stride, down = row % 1;
    for (let x = 0; x < width; x++, to++) {
      const column = columns[x]!, left = Math.floor(column), right = Math.ceil(column), across = column % 1;
      const upper = plane[above + left]! * (1 - across) + plane[above + right]! * across;
      const lower = plane[below + left]! * (1 - across) + plane[below + right]! * across;
      result[to] = upper * (1 - down) + lower * down;
    }
  }
  return result;
}

/** For each pixel of a row or column, the position in the samples of a component. */
function positions(count: number, scale: number): Float64Array {
  const most = Math.ceil(count * scale) - 1;
  return Float64Array.from({ length: count }, (_, i) => Math.min(most, Math.max(0, (i + 0.5) * scale - 0.5)));
}

/** Puts the components [height, width] together as RGB. */
function colours({ width, height }: Frame, planes: readonly Uint8ClampedArray[], ycck: boolean): RgbaImage {
  const data = new Uint8ClampedArray(4 * width * height), inks = new Uint8ClampedArray(4);
  for (let i = 0; i < width * height; i++) {
    planes.forEach((plane, ink) => inks[ink] = plane[i]!);
    if (ycck) {
      const luma = inks[0]!, blue = inks[1]! - 128, red = inks[2]! - 128;
      inks[0] = 255 - Math.round(luma + 1.402 * red);
      inks[1] = 255 - Math.round(luma - 0.344136 * blue - 0.714136 * red);
      inks[2] = 255 - Math.round(luma + 1.772 * blue);
    }
    // The inks are inverted: 255 is none.
    for (let channel = 0; channel < 3; channel++) data[4 * i + channel] = inks[channel]! * inks[3]! / 255;
    data[4 * i + 3] = 255;
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}
