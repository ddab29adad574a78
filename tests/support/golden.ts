/**
 * Reads the golden files that `tests/golden/make_golden.py` writes: one JSON object a line, NaN and infinities as
 * strings, and raw float32 gradients.
 *
 * @module
 */

import { type Nd, nd } from "./array.ts";
import { bits, uniform } from "./random.ts";

/** An array as it stands in a golden file. */
export interface Stored {
  shape: number[];
  data: (number | string)[];
}

/** One case of `ops.jsonl`. */
export interface OpCase {
  name: string;
  op: string;
  options: Record<string, unknown>;
  inputs: Stored[];
  output: Stored;
  dy?: Stored;
  grads?: Stored[];
}

const folder = new URL("../golden/", import.meta.url);

/** The lines of a golden file. */
export function readLines<T>(name: string): T[] {
  return Deno.readTextFileSync(new URL(name, folder)).trimEnd().split("\n").map((line) => JSON.parse(line) as T);
}

/** The raw float32 values of a golden file. */
export function readFloats(name: string): Float32Array {
  const view = new DataView(Deno.readFileSync(new URL(name, folder)).buffer);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** A stored array as numbers. */
export function load(stored: Stored): Nd {
  return nd(stored.shape, stored.data.map(Number));
}

/** The weights of make_golden.py's `set_weights`: parameter i from seed + i, scaled by its fan-in's power of two. */
export function goldenWeights(seed: number, shapes: readonly (readonly number[])[]): Nd[] {
  let fanIn = 0;
  return shapes.map((shape, i) => {
    if (shape.length > 1) fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    return uniform(seed + i, shape, 2 ** Math.ceil(Math.log2(fanIn ** -0.5)));
  });
}

/** Batch `index` of make_golden.py: labels [count], and images [count, 3, 32, 32] of noise and their class's pattern. */
export function goldenBatch(index: number, count: number): { images: Nd; labels: Uint32Array } {
  const labels = bits(1000 + index, count).map((b) => b % 10);
  const noise = uniform(2000 + index, [count, 3, 32, 32]).data, pattern = uniform(3000, [10, 3, 8, 8]).data;
  const images = noise.map((value, i) => {
    const plane = Math.floor(i / 1024) % 3, row = Math.floor(i / 32) % 32, column = i % 32;
    const block = (labels[Math.floor(i / 3072)]! * 3 + plane) * 64 + (row >> 2) * 8 + (column >> 2);
    return 0.5 * value + 0.5 * pattern[block]!;
  });
  return { images: nd([count, 3, 32, 32], images), labels };
}
