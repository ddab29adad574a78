/**
 * A data set that the program draws itself, in the format of CIFAR-10, for tests and first tries: five shapes and five
 * textures, 32 × 32 RGB. The class is the shape or texture; position, size, tilt, colours, lighting and noise are random.
 * Each image is a pure function of (split, index), so the set is the same everywhere and needs no file and no network.
 *
 * @module
 */
import { CIFAR10_LAYOUT, recordBytes } from "./cifar.ts";
import type { Dataset, Split } from "./dataset.ts";
import { fillUniform, mix32, permute, permuteKey, Purpose, randomUint32 } from "../random.ts";
import type { RgbImage } from "../image/pixels.ts";
import { imageOf, readRecords } from "./records.ts";

/** Class names, by label. */
export const SYNTHETIC_CLASSES = [
  "disc",
  "square",
  "triangle",
  "cross",
  "ring",
  "rows",
  "columns",
  "diagonals",
  "checks",
  "dots",
] as const;

/** Options of `openSynthetic`. */
export interface SyntheticOptions {
  /** The number of training records. Default 10,000: a thousand per class. */
  readonly trainCount?: number;
  /** The number of test records. Default 2,000. */
  readonly testCount?: number;
  /** Called with one line of text for each thing to report. */
  readonly log?: (line: string) => void;
}

const SIDE = 32, PIXELS = SIDE * SIDE, RECORD = recordBytes(CIFAR10_LAYOUT);

/** How many random numbers one image uses. */
const DRAWS = 20;

/** Opens the synthetic data set. It logs a clear notice that the images are not real. */
export function openSynthetic({ trainCount = 10_000, testCount = 2_000, log }: SyntheticOptions = {}): Dataset {
  log?.(
    "data: SYNTHETIC images (drawn shapes and textures): good for trying the program, meaningless as a benchmark",
  );
  const split = (count: number, part: number): Split => ({
    count,
    records: () => readRecords(syntheticBytes(count, part), CIFAR10_LAYOUT, "synthetic"),
  });
  return {
    name: "synthetic",
    classes: SYNTHETIC_CLASSES,
    shape: CIFAR10_LAYOUT.shape,
    synthetic: true,
    train: split(trainCount, 0),
    test: split(testCount, 1),
  };
}

/**
 * The records 0 to count - 1 of a split (0: training, 1: test) as a stream of bytes. The classes are shuffled, and each is
 * equally frequent.
 */
export async function* syntheticBytes(count: number, part: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const perChunk = 64, key = permuteKey(part, 0);
  for (let first = 0; first < count; first += perChunk) {
    const chunk = new Uint8Array(Math.min(perChunk, count - first) * RECORD);
    for (let i = 0; i * RECORD < chunk.length; i++) {
      const label = permute(first + i, count, key) % SYNTHETIC_CLASSES.length;
      drawRecord(label, part, first + i, chunk.subarray(i * RECORD, (i + 1) * RECORD));
    }
    yield chunk;
  }
}

/** Draws an image of a class, 32 x 32 pixels. It is in neither split. */
export function drawSynthetic(name: typeof SYNTHETIC_CLASSES[number]): RgbImage {
  const record = new Uint8Array(RECORD), label = SYNTHETIC_CLASSES.indexOf(name);
  drawRecord(label, 2, 0, record);
  return imageOf({ count: 1, labels: record.subarray(0, 1), pixels: record.subarray(1) }, 0, CIFAR10_LAYOUT.shape);
}

/** Draws image `index` of a split as one record. */
function drawRecord(label: number, part: number, index: number, record: Uint8Array<ArrayBuffer>): void {
  const key = { seed: index, purpose: Purpose.synthetic, epoch: part };
  const draws = fillUniform(key, 0, new Float64Array(DRAWS));
  let next = 0;
  const between = (low: number, high: number) => low + (high - low) * draws[next++]!;

  // One colour is dark and one is light, in every channel; either may be the figure or the ground.
  const dark = [between(0, 110), between(0, 110), between(0, 110)];
  const light = [between(145, 255), between(145, 255), between(145, 255)];
  const [figure, ground] = between(0, 1) < 0.5 ? [dark, light] : [light, dark];
  const centreX = 15.5 + between(-5, 5), centreY = 15.5 + between(-5, 5), radius = between(6, 11);
  const tilt = between(-0.25, 0.25), cosine = Math.cos(tilt), sine = Math.sin(tilt);
  const lightX = between(-1.5, 1.5), lightY = between(-1.5, 1.5), noise = between(10, 50);
  const inside = figureOf(label, radius);

  const noiseSeed = randomUint32(key, DRAWS);
  record[0] = label;
  const pixels = new Uint8ClampedArray(record.buffer, record.byteOffset + 1, 3 * PIXELS); // rounds and clamps
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const column = pixel % SIDE, row = (pixel - column) / SIDE;
    const dx = column - centreX, dy = row - centreY;
    const distance = inside(cosine * dx + sine * dy, cosine * dy - sine * dx);
    // The edge is blurred over one pixel, as in a photo.
    const cover = Math.min(1, Math.max(0, 0.5 - distance));
    const shade = lightX * (column - 15.5) + lightY * (row - 15.5);
    const bits = mix32(noiseSeed + pixel);
    for (let channel = 0; channel < 3; channel++) {
      // Ten of the random bits for each channel: noise that is uniform in [-noise, noise).
      const grain = (((bits >>> (10 * channel)) & 1023) / 512 - 1) * noise;
      const back = ground[channel]!;
      pixels[channel * PIXELS + pixel] = back + (figure[channel]! - back) * cover + shade + grain;
    }
  }
}

/**
 * The figure of a class as a function that gives the signed distance to its edge in pixels (negative inside), in
 * coordinates centred on the figure. Shapes have the given radius; textures fill the image with a period that grows with it.
 */
function figureOf(label: number, radius: number): (x: number, y: number) => number {
  const { abs, max, min, sin, sqrt, PI } = Math;
  const period = 4 + (radius - 6) * 0.8; // 4 to 8 pixels
  const wave = (t: number) => sin((2 * PI * t) / period) * period * 0.16; // close to a distance near its zeros
  switch (SYNTHETIC_CLASSES[label]) {
    case "disc":
      return (x, y) => sqrt(x * x + y * y) - radius;
    case "square":
      return (x, y) => max(abs(x), abs(y)) - radius * 0.9;
    case "triangle": // equilateral, upside down; the inscribed circle has 0.6 of the radius
      return (x, y) => max(abs(x) * 0.866 + y * 0.5, -y) - radius * 0.6;
    case "cross":
      return (x, y) => max(min(abs(x), abs(y)) - radius * 0.3, max(abs(x), abs(y)) - radius);
    case "ring":
      return (x, y) => abs(sqrt(x * x + y * y) - radius * 0.8) - radius * 0.22;
    case "rows":
      return (_, y) => wave(y);
    case "columns":
      return (x) => wave(x);
    case "diagonals":
      return (x, y) => wave((x + y) * Math.SQRT1_2);
    case "checks":
      return (x, y) => wave(x * 0.7) * wave(y * 0.7);
    case "dots":
      return (x, y) => (sin((2 * PI * x) / period) + sin((2 * PI * y) / period) - 1) * period * 0.16;
    default:
      throw new RangeError(`there is no synthetic class ${label}`);
  }
}
