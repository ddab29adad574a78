/**
 * The numbers of the tests: a counter-based hash, the same bit for bit as in `tests/golden/make_golden.py`, so that
 * golden weights and batches need not be stored.
 *
 * @module
 */

import { type Nd, nd, sizeOf } from "./array.ts";

/** A 32-bit hash: xor-shift, multiply. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** `count` 32-bit values of a seed. */
export function bits(seed: number, count: number): Uint32Array {
  const start = mix(seed);
  return Uint32Array.from({ length: count }, (_, i) => mix((start + i) >>> 0));
}

/** Values in [-scale, scale), multiples of scale * 2^-23: exact in float32 when `scale` is a power of two. */
export function uniform(seed: number, shape: readonly number[], scale = 1): Nd {
  return nd(shape, Array.from(bits(seed, sizeOf(shape)), (b) => ((b >>> 8) / 2 ** 23 - 1) * scale));
}

/** Whole numbers from -`limit` to `limit`: full of ties. */
export function whole(seed: number, shape: readonly number[], limit = 2): Nd {
  return nd(shape, Array.from(uniform(seed, shape, limit).data, (x) => Math.round(x)));
}

/** Values in [low, low + 2): for ops that want positive numbers. */
export function positive(seed: number, shape: readonly number[], low = 0.25): Nd {
  return nd(shape, Array.from(uniform(seed, shape).data, (x) => Math.fround(x + 1 + low)));
}
