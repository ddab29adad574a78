/**
 * Counter-based random numbers: each number is a pure function of (seed, purpose, epoch, index). It does not depend on earlier
 * numbers, so a resumed run gets the same numbers as a run that was never interrupted. There are two generators:
 * Philox-4x32-10 for values (initial weights, `rand`, `randn`, synthetic images), and `permute`, a keyed bijection that
 * shuffles a data set without storing the order. `permute` uses only u32 operations that exist in WGSL, because a kernel
 * computes the same function on the GPU.
 *
 * @module
 */

/**
 * What a stream of random numbers is for. Two streams with the same seed and different purposes are independent.
 * The numbers are part of a run's identity: never change one, only add.
 */
export const Purpose = { user: 0, init: 1, shuffle: 2, synthetic: 3, augment: 4, dropout: 5 } as const;

/** Identifies a stream of random numbers. */
export interface RandomKey {
  /** A whole number in [0, 2^53). */
  readonly seed: number;
  /** One of `Purpose`. */
  readonly purpose: number;
  /** A whole number in [0, 2^32), the epoch or any other counter that starts a new stream. Default 0. */
  readonly epoch?: number;
}

/**
 * The two u32 words of a seed: its low 32 bits, and the bits above them.
 *
 * @throws {RangeError} if the seed is not a whole number in [0, 2^53)
 */
export function seedWords(seed: number): [low: number, high: number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`the seed must be a whole number from 0 to 2^53 - 1, not ${seed}`);
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** The upper 32 bits of the 64-bit product of two u32, from 16-bit halves (doubles hold every partial sum exactly). */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/**
 * Philox-4x32-10: ten rounds over a counter of four u32 under a key of two, four u32 out (into `out`).
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array = new Uint32Array(4),
): Uint32Array {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0), low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2), low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
  return out;
}

/**
 * Fills `out` with the words `start`, `start + 1`, … of a stream and returns it. Word `i` is lane `i % 4` of the
 * Philox block with counter (floor(i / 4), epoch, purpose, 0) and the seed as key; `i` may reach 2^34.
 */
export function randomWords(key: RandomKey, start: number, out: Uint32Array): Uint32Array {
  const seed = seedWords(key.seed), epoch = (key.epoch ?? 0) >>> 0, purpose = key.purpose >>> 0;
  const lanes = new Uint32Array(4);
  let block = -1;
  for (let i = 0; i < out.length; i++) {
    const index = start + i, wanted = Math.floor(index / 4);
    if (wanted !== block) {
      block = wanted;
      philox4x32([block >>> 0, epoch, purpose, 0], seed, lanes);
    }
    out[i] = lanes[index % 4]!;
  }
  return out;
}

/** Word `index` of a stream: a uniform u32. */
export function randomUint32(key: RandomKey, index: number): number {
  return randomWords(key, index, new Uint32Array(1))[0]!;
}

/** Fills `out` with uniform numbers in [0, 1), multiples of 2^-24 (each exact in f32), from words `start`, `start + 1`, … */
export function fillUniform<T extends Float32Array | Float64Array>(key: RandomKey, start: number, out: T): T {
  const words = randomWords(key, start, new Uint32Array(out.length));
  for (let i = 0; i < out.length; i++) out[i] = (words[i]! >>> 8) * 2 ** -24;
  return out;
}

/** A uniform number in [0, 1), a multiple of 2^-24, from word `index`. */
export function uniform(key: RandomKey, index: number): number {
  return (randomUint32(key, index) >>> 8) * 2 ** -24;
}

/**
 * Fills `out` with standard normal numbers (mean 0, deviation 1) numbered `start`, `start + 1`, … by the Box-Muller
 * transform: numbers 2k and 2k + 1 are the cosine and sine halves of the uniform words 2k and 2k + 1.
 */
export function fillNormal<T extends Float32Array | Float64Array>(key: RandomKey, start: number, out: T): T {
  const first = start - (start % 2);
  const count = start + out.length - first;
  const u = fillUniform(key, first, new Float64Array(count + (count % 2)));
  for (let i = 0; i < out.length; i++) {
    const pair = start + i - first, even = pair - (pair % 2);
    // 1 - u lies in (0, 1], so that the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - u[even]!)), angle = 2 * Math.PI * u[even + 1]!;
    out[i] = radius * (even === pair ? Math.cos(angle) : Math.sin(angle));
  }
  return out;
}

/** The standard normal number `index` of a stream. */
export function normal(key: RandomKey, index: number): number {
  return fillNormal(key, index, new Float64Array(1))[0]!;
}

/** A bijective mixer of u32: MurmurHash3's 32-bit finaliser (Appleby, public domain). */
export function mix32(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** 2^32 divided by the golden ratio: an odd step that spreads small numbers over all of u32. */
const GOLDEN = 0x9e3779b9;

/** Rounds of the Feistel network of `permute`; four mix well over large domains; small domains need more. */
const PERMUTE_ROUNDS = 8;

/**
 * The u32 key of the order of one epoch, in terms of WGSL (all u32, wrapping):
 * `mix32(mix32(mix32(low + GOLDEN) + high + GOLDEN) + epoch + GOLDEN)`, where low and high are the seed's words.
 */
export function permuteKey(seed: number, epoch: number): number {
  const [low, high] = seedWords(seed);
  return permuteKeyOfWords(low, high, epoch);
}

/** `permuteKey()` for a seed that is already split into two words, as in the kernel. */
export function permuteKeyOfWords(low: number, high: number, epoch: number): number {
  const a = mix32((low + GOLDEN) >>> 0);
  const b = mix32((a + high + GOLDEN) >>> 0);
  return mix32((b + epoch + GOLDEN) >>> 0);
}

/** Half the width, in bits, of the smallest even-width domain that holds `count` numbers; at least 1. */
export function permuteHalfBits(count: number): number {
  const bits = 32 - Math.clz32(count - 1);
  return Math.max(1, (bits + 1) >>> 1);
}

/**
 * A pseudo-random bijection of [0, count): the original index of the item at position `index` in the shuffled order.
 *
 * A balanced Feistel network permutes [0, 4^h), the smallest such domain that holds `count` (h = `permuteHalfBits`).
 * Each round turns (left, right) into (right, left ^ F), with F = mix32(right + mix32(key + round * GOLDEN)) & mask.
 * A result outside [0, count) goes through the network again ("cycle walking", Black and Rogaway 2002), which keeps
 * the map a bijection; the domain is less than 4 * count, so this ends after fewer than four passes on average.
 *
 * The same in WGSL, where the host computes h (a power of two below 2^32 needs h = 16 at most):
 *
 *     fn permute(index: u32, count: u32, h: u32, key: u32) -> u32 {
 *       let mask = (1u << h) - 1u;
 *       var x = index;
 *       loop {
 *         var left = x >> h;
 *         var right = x & mask;
 *         for (var round = 0u; round < 8u; round++) {
 *           let next = left ^ (mix32(right + mix32(key + round * 0x9e3779b9u)) & mask);
 *           left = right;
 *           right = next;
 *         }
 *         x = (left << h) | right;
 *         if (x < count) { return x; }
 *       }
 *     }
 *
 * @param index in [0, count)
 * @param count in [1, 2^32)
 * @param key from `permuteKey(seed, epoch)`
 */
export function permute(index: number, count: number, key: number): number {
  if (!(Number.isInteger(index) && index >= 0 && index < count && count < 2 ** 32)) {
    throw new RangeError(`permute: index ${index} is not in [0, ${count})`);
  }
  const half = permuteHalfBits(count), mask = 2 ** half - 1;
  let x = index;
  do {
    let left = x >>> half, right = x & mask;
    for (let round = 0; round < PERMUTE_ROUNDS; round++) {
      const roundKey = mix32((key + Math.imul(round, GOLDEN)) >>> 0);
      const next = left ^ (mix32((right + roundKey) >>> 0) & mask);
      left = right;
      right = next;
    }
    x = ((left << half) | right) >>> 0;
  } while (x >= count);
  return x;
}

/** Fast pseudo-random numbers in [-1, 1) for tests and benchmarks; the same seed gives the same numbers. */
export function noise(size: number, seed: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let x = Math.imul(i + Math.imul(seed, 0x85ebca6b), 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
    result[i] = ((x ^ (x >>> 13)) >>> 8) * 2 ** -23 - 1;
  }
  return result;
}
