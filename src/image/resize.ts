/**
 * Resizes images exactly as torchvision resizes a PIL image: bilinear with antialiasing, in PIL's fixed-point arithmetic, so
 * that every pixel has the same value.
 *
 * @module
 */
import type { RgbImage } from "./pixels.ts";

/**
 * How an image becomes a square. `crop`: the shorter side is resized and the centre is cut out, as torchvision's
 * `Resize(size)` and `CenterCrop(size)` do. `stretch`: both sides are resized, as by `Resize((size, size))`.
 */
export type FitMode = "crop" | "stretch";

/** Fractional bits of a weight, as in PIL: 32 bits less 8 for the pixel, less 2 against overflow. */
const BITS = 22;

/** One axis: the number of input and of output pixels, and which output pixels are computed: `count` from `first` on. */
interface Axis {
  readonly input: number;
  readonly output: number;
  readonly first: number;
  readonly count: number;
}

/** Resizes an image to `size` x `size` pixels. If it has this size already, the pixels stay the same. */
export function fitImage(image: RgbImage, size: number, fit: FitMode): RgbImage {
  const { width, height } = image, short = Math.min(width, height);
  const axis = (input: number): Axis => {
    const output = fit === "stretch" || input === short ? size : Math.floor(size * input / short);
    return { input, output, first: halfToEven(output - size), count: size };
  };
  return resize(image, axis(width), axis(height));
}

/** Python's round(value / 2): halves are rounded to the nearest even number. */
function halfToEven(value: number): number {
  const down = Math.floor(value / 2);
  return value % 2 === 0 ? down : down + down % 2;
}

/** The input pixels that contribute to an output pixel: the index of the first one, and the weight of each, in fixed point. */
interface Taps {
  readonly from: number;
  readonly weights: Int32Array;
}

/** PIL's `precompute_coeffs` for its triangle filter, in the same arithmetic. */
function tapsOf({ input, output, first, count }: Axis): Taps[] {
  const scale = input / output, support = Math.max(scale, 1), inverse = 1 / support;
  return Array.from({ length: count }, (_, i) => {
    const centre = (first + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(input, Math.trunc(centre + support + 0.5));
    const weights = Array.from(
      { length: end - from },
      (_, k) => Math.max(0, 1 - Math.abs((k + from - centre + 0.5) * inverse)),
    );
    let sum = 0;
    for (const weight of weights) sum += weight;
    return { from, weights: Int32Array.from(weights, (weight) => Math.trunc(0.5 + weight / sum * (1 << BITS))) };
  });
}

/** Resizes along the rows, rounds to bytes, then resizes along the columns, as PIL does. */
function resize(image: RgbImage, across: Axis, along: Axis): RgbImage {
  const columns = tapsOf(across), rows = tapsOf(along), { data } = image;
  const top = rows[0]!.from, last = rows.at(-1)!, between = last.from + last.weights.length - top;
  const narrow = new Uint8Array(between * across.count * 3);
  for (let y = 0, to = 0; y < between; y++) {
    for (const { from, weights } of columns) {
      const start = ((top + y) * image.width + from) * 3;
      for (let c = 0; c < 3; c++) narrow[to++] = weightedMean(data, start + c, 3, weights);
    }
  }
  const result = new Uint8Array(along.count * across.count * 3), line = across.count * 3;
  rows.forEach(({ from, weights }, y) => {
    for (let i = 0; i < line; i++) result[y * line + i] = weightedMean(narrow, (from - top) * line + i, line, weights);
  });
  return { width: across.count, height: along.count, data: result };
}

/** The weighted mean of bytes: the first at offset `at`, each `step` after the one before it. */
function weightedMean(bytes: Uint8Array, at: number, step: number, weights: Int32Array): number {
  let sum = 1 << (BITS - 1);
  for (let k = 0; k < weights.length; k++, at += step) sum += bytes[at]! * weights[k]!;
  return sum >> BITS;
}
