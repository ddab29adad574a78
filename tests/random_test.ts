import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  fillNormal,
  fillUniform,
  mix32,
  normal,
  permute,
  permuteHalfBits,
  permuteKey,
  permuteKeyOfWords,
  philox4x32,
  Purpose,
  randomUint32,
  randomWords,
  seedWords,
  uniform,
} from "../src/random.ts";

const hex = (words: Uint32Array) => [...words].map((w) => w.toString(16).padStart(8, "0")).join(" ");

Deno.test("philox4x32() gives the known answers of the Random123 library", () => {
  // kat_vectors of Random123 1.14, lines "philox4x32 10".
  assertEquals(hex(philox4x32([0, 0, 0, 0], [0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  const ones = 0xffffffff;
  assertEquals(hex(philox4x32([ones, ones, ones, ones], [ones, ones])), "408f276d 41c83b0e a20bc7c6 6d5451fd");
  assertEquals(
    hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

Deno.test("mix32() is MurmurHash3's finaliser", () => {
  // The hash of the empty string under seed s is the finaliser of s; published with the reference implementation's tests.
  assertEquals(mix32(0), 0);
  assertEquals(mix32(1), 0x514e28b7);
  assertEquals(mix32(0xffffffff), 0x81f16f39);
});

Deno.test("seedWords() splits a seed and refuses what is no seed", () => {
  assertEquals(seedWords(5), [5, 0]);
  assertEquals(seedWords(2 ** 53 - 1), [0xffffffff, 0x1fffff]);
  for (const bad of [-1, 0.5, 2 ** 53, NaN]) assertThrows(() => seedWords(bad), RangeError, "whole number");
});

Deno.test("randomUint32() depends on the seed's both words, purpose, epoch and index, and on nothing else", () => {
  const key = { seed: 7, purpose: Purpose.init, epoch: 3 };
  const base = randomUint32(key, 11);
  assertEquals(randomUint32(key, 11), base);
  assertNotEquals(randomUint32({ ...key, seed: 8 }, 11), base);
  assertNotEquals(randomUint32({ ...key, seed: 7 + 2 ** 32 }, 11), base);
  assertNotEquals(randomUint32({ ...key, purpose: Purpose.shuffle }, 11), base);
  assertNotEquals(randomUint32({ ...key, epoch: 4 }, 11), base);
  assertNotEquals(randomUint32(key, 12), base);
});

Deno.test("bulk draws equal single draws, wherever they start", () => {
  const key = { seed: 1, purpose: Purpose.user };
  for (const start of [0, 1, 2, 3, 5]) {
    const words = randomWords(key, start, new Uint32Array(9));
    assertEquals([...words], Array.from({ length: 9 }, (_, i) => randomUint32(key, start + i)));
    const u = fillUniform(key, start, new Float64Array(9));
    assertEquals([...u], Array.from({ length: 9 }, (_, i) => uniform(key, start + i)));
    const n = fillNormal(key, start, new Float64Array(9));
    assertEquals([...n], Array.from({ length: 9 }, (_, i) => normal(key, start + i)));
  }
});

Deno.test("fillUniform() is uniform on [0, 1) and exact in f32", () => {
  const count = 100_000, cells = 64;
  const values = fillUniform({ seed: 0, purpose: Purpose.user }, 0, new Float64Array(count));
  const histogram = new Float64Array(cells);
  for (const v of values) {
    assert(v >= 0 && v < 1 && Math.fround(v) === v);
    histogram[Math.floor(v * cells)]!++;
  }
  let chiSquare = 0;
  for (const n of histogram) chiSquare += (n - count / cells) ** 2 / (count / cells);
  // 63 degrees of freedom: 99.9 % of samples lie below 103, and below 27 lies 0.001 %.
  assert(chiSquare > 27 && chiSquare < 103, `chi-square ${chiSquare}`);
});

Deno.test("fillNormal() has the moments of a standard normal", () => {
  const count = 100_000;
  const values = fillNormal({ seed: 0, purpose: Purpose.user }, 0, new Float64Array(count));
  const moment = (power: number) => values.reduce((sum, v) => sum + v ** power, 0) / count;
  // Five standard errors of each moment.
  assert(Math.abs(moment(1)) < 5 * Math.sqrt(1 / count));
  assert(Math.abs(moment(2) - 1) < 5 * Math.sqrt(2 / count));
  assert(Math.abs(moment(3)) < 5 * Math.sqrt(15 / count));
  assert(Math.abs(moment(4) - 3) < 5 * Math.sqrt(96 / count));
  assert(values.every(Number.isFinite));
});

Deno.test("permute() is a bijection of [0, count)", () => {
  for (const count of [1, 2, 3, 4, 5, 10, 16, 17, 1000, 10_000, 50_000]) {
    const key = permuteKey(0, 0);
    const seen = new Uint8Array(count);
    for (let i = 0; i < count; i++) seen[permute(i, count, key)]!++;
    assert(seen.every((n) => n === 1), `count ${count}`);
  }
});

Deno.test("permute() keeps to its range at the largest counts", () => {
  const key = permuteKey(3, 1);
  for (const count of [2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1]) {
    const images = new Set<number>();
    for (let i = count - 500; i < count; i++) images.add(permute(i, count, key));
    assertEquals(images.size, 500);
    for (const x of images) assert(x >= 0 && x < count);
  }
});

Deno.test("permute() refuses an index outside [0, count)", () => {
  for (const [index, count] of [[3, 3], [-1, 3], [0, 0], [0.5, 3], [0, 2 ** 32]] as const) {
    assertThrows(() => permute(index, count, 1), RangeError, "permute");
  }
});

Deno.test("permute() gives other orders for other epochs and seeds, each unlike the identity", () => {
  const count = 1000;
  const order = (seed: number, epoch: number) =>
    Array.from({ length: count }, (_, i) => permute(i, count, permuteKey(seed, epoch)));
  const orders = [order(0, 0), order(0, 1), order(1, 0), order(2 ** 32, 0), Array.from({ length: count }, (_, i) => i)];
  for (const [i, a] of orders.entries()) {
    for (const b of orders.slice(i + 1)) {
      const same = a.filter((x, position) => x === b[position]).length;
      // Two independent orders agree in about one place (Poisson); more than ten has a chance of 1e-8.
      assert(same <= 10, `${same} places agree`);
    }
  }
});

Deno.test("permute() sends every entry everywhere, and neighbours anywhere: chi-square over many keys", () => {
  // For every count: over many epochs, the place of entry 0, and the distance between the places of entries 0 and 1.
  for (const [count, trials] of [[3, 6000], [10, 20_000], [100, 20_000]] as const) {
    const place = new Float64Array(count), distance = new Float64Array(count);
    for (let epoch = 0; epoch < trials; epoch++) {
      const key = permuteKey(0, epoch);
      const a = permute(0, count, key), b = permute(1, count, key);
      place[a]!++;
      distance[(b - a + count) % count]!++;
    }
    assertEquals(distance[0], 0);
    const statistic = (cells: Float64Array) => {
      const expected = trials / cells.length;
      return cells.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    };
    // The mean of a chi-square is its degrees of freedom d, its deviation sqrt(2 d); five deviations are a chance of 1e-4.
    for (const cells of [place, distance.subarray(1)]) {
      const freedom = cells.length - 1;
      assert(statistic(cells) < freedom + 5 * Math.sqrt(2 * freedom), `count ${count}: ${statistic(cells)}`);
    }
  }
});

Deno.test("permuteKey() and permuteHalfBits() are what a kernel is told to compute", () => {
  // Fixed values: the WGSL version of these functions is tested against the same ones.
  assertEquals(permuteKey(5, 2), permuteKeyOfWords(5, 0, 2));
  assertEquals([permuteKey(0, 0), permuteKey(2 ** 40 + 5, 3)], [1422740206, 4048693540]);
  const key = permuteKey(0, 0);
  assertEquals([0, 1, 2, 3, 49_999].map((i) => permute(i, 50_000, key)), [16866, 21506, 24534, 49918, 5320]);
  assertEquals([1, 2, 3, 4, 5, 16, 17, 50_000, 65_536, 65_537, 2 ** 32 - 1].map(permuteHalfBits), [
    1,
    1,
    1,
    1,
    2,
    2,
    3,
    8,
    8,
    9,
    16,
  ]);
});
