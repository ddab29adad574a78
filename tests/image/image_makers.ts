/**
 * Makers of image files: small encoders, for what no program would write.
 *
 * @module
 */
import { crc32, deflateSync } from "node:zlib";

const ascii = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** The bytes of the parts, one behind the other. */
export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const big = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
const little = (value: number) => big(value).reverse();

function chunk(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const named = new Uint8Array(4 + data.length);
  named.set(ascii(name));
  named.set(data, 4);
  const whole = new Uint8Array(8 + named.length);
  whole.set(big(data.length));
  whole.set(named, 4);
  whole.set(big(crc32(named)), 4 + named.length);
  return whole;
}

/** A PNG of 8-bit RGB whose lines, each with its filter's byte, are given. */
export function png(
  width: number,
  height: number,
  lines: Uint8Array,
  { level = 6, depth = 8, type = 2, more = [] as readonly (readonly [string, Uint8Array])[] } = {},
): Uint8Array<ArrayBuffer> {
  const header = join(big(width), big(height), Uint8Array.of(depth, type, 0, 0, 0));
  const parts = [
    ascii("\x89PNG\r\n\x1a\n"),
    chunk("IHDR", header),
    ...more.map(([name, data]) => chunk(name, data)),
    chunk("IDAT", deflateSync(lines, { level })),
    chunk("IEND", new Uint8Array(0)),
  ];
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

/** A BMP with the header of 40 bytes. `rows` are the bytes behind the palette, of colours B G R 0. */
export function bmp(
  width: number,
  height: number,
  depth: number,
  rows: Uint8Array,
  { compression = 0, palette = new Uint8Array(0) } = {},
): Uint8Array<ArrayBuffer> {
  const start = 54 + palette.length, sizes = [start + rows.length, 0, start, 40, width, height].map(little);
  return join(
    ascii("BM"),
    ...sizes,
    Uint8Array.of(1, 0, depth, 0),
    ...[compression, rows.length, 0, 0, palette.length / 4, 0].map(little),
    palette,
    rows,
  );
}

/** A BMP of 24 bits of RGB pixels, rows downwards. */
export function rgbBmp(width: number, height: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const stride = Math.ceil(width * 3 / 4) * 4, rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < width * 3; i++) {
      rows[(height - 1 - y) * stride + i] = data[(y * width + Math.floor(i / 3)) * 3 + 2 - i % 3]!;
    }
  }
  return bmp(width, height, 24, rows);
}

/** A WebP that says it has one chunk of the data. */
export function webp(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  return join(ascii("RIFF"), little(12 + data.length), ascii("WEBP"), ascii(name), little(data.length), data);
}

/** The start of a JPEG: its frame, and the bytes behind. */
export function jpeg(width: number, height: number, components: number, behind: Uint8Array): Uint8Array<ArrayBuffer> {
  const short = (value: number) => Uint8Array.of(value >> 8, value);
  const frame = join(
    short(8 + components * 3),
    Uint8Array.of(8),
    short(height),
    short(width),
    Uint8Array.of(components),
  );
  const parts = Uint8Array.from({ length: components * 3 }, (_, i) => [i / 3 + 1, 0x11, 0][i % 3]!);
  return join(Uint8Array.of(0xff, 0xd8, 0xff, 0xc0), frame, parts, behind);
}
