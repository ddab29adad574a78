/**
 * How `wgrad bench` measures: a program is run many times in a row, then one element is read to wait for the GPU. What
 * is measured, and how its result is checked first, is in the files beside.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { allocateStorage, read, type Storage } from "../gpu/memory.ts";

/** What work is counted in, and the rates that are shown for it. */
const UNITS = {
  flop: { name: "GFLOP/s", size: 1e9 },
  byte: { name: "GB/s", size: 1e9 },
  dispatch: { name: "dispatches/s", size: 1 },
} as const;

/** Something to measure. */
export interface BenchCase {
  /** What is computed, with its sizes. */
  readonly name: string;
  /** What one run costs at least: floating-point operations (two for a multiply-add), or bytes read and written. */
  readonly work: number;
  readonly unit: keyof typeof UNITS;
  /**
   * Runs once, the first time, and compares the result with a reference computed on the CPU.
   *
   * @throws {GpuError} where they differ.
   */
  check(): Promise<void>;
  /** Submits so many runs, without waiting. */
  run(times: number): Promise<void>;
  /** Gives the memory back. */
  dispose(): Promise<void>;
}

/** How long to measure. */
export interface TimeOptions {
  /** The median of so many rounds counts. Default 5. */
  readonly rounds?: number;
  /** Runs in each round. Default: as many as take about `roundMs`. */
  readonly runs?: number;
  /** Milliseconds. Default 80. */
  readonly roundMs?: number;
  /** Milliseconds of each round that are not the program's: see `waitCost()`. Default 0: the wait counts. */
  readonly waitMs?: number;
}

/** Milliseconds per run. */
export interface Timing {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
  readonly rounds: number;
}

const flags = new WeakMap<Gpu, Storage>();

/** Resolves when the GPU has done all that was submitted. */
export async function wait(gpu: Gpu): Promise<void> {
  let flag = flags.get(gpu);
  if (!flag) flags.set(gpu, flag = allocateStorage(gpu, 4));
  await read(gpu, [flag]);
}

/** What `wait()` costs, in milliseconds, when there is nothing to wait for. Deno sleeps about 10 ms in each. */
export async function waitCost(gpu: Gpu): Promise<number> {
  await wait(gpu);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await wait(gpu);
    times.push(performance.now() - start);
  }
  return median(times);
}

/** Measures `run`, which must have run before: the first run compiles kernels. */
export async function time(
  gpu: Gpu,
  run: (times: number) => Promise<void>,
  { rounds = 5, runs, roundMs = 80, waitMs = 0 }: TimeOptions = {},
): Promise<Timing> {
  const round = async (times: number) => {
    const start = performance.now();
    await run(times);
    await wait(gpu);
    return Math.max(performance.now() - start - waitMs, 0);
  };
  await wait(gpu);
  if (runs === undefined) {
    runs = 1;
    // Doubled until a round is long enough to tell the rate from the jitter of the wait.
    for (let took = await round(runs);; took = await round(runs)) {
      if (took >= roundMs / 3 || runs >= 1 << 20) {
        runs = Math.max(1, Math.round(runs * roundMs / Math.max(took, 1e-3)));
        break;
      }
      runs *= 2;
    }
  }
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) times.push(await round(runs) / runs);
  return { median: median(times), least: Math.min(...times), most: Math.max(...times), runs, rounds };
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.slice().sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** A case with its time and rate. */
export interface Measured {
  readonly name: string;
  readonly ms: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** In `unit`. */
  readonly rate: number;
  readonly unit: typeof UNITS[keyof typeof UNITS]["name"];
}

/** Checks a case, measures it, and gives its memory back. `waitMs` is from `waitCost()`. */
export async function measure(gpu: Gpu, one: BenchCase, options: TimeOptions): Promise<Measured> {
  try {
    await one.check();
    const timing = await time(gpu, (times) => one.run(times), options);
    const { name: unit, size } = UNITS[one.unit];
    return {
      name: one.name,
      ms: timing.median,
      leastMs: timing.least,
      mostMs: timing.most,
      rate: one.work / timing.median * 1000 / size,
      unit,
    };
  } finally {
    await one.dispose();
  }
}

/**
 * Compares a result with its reference, at both ends and at places spread over it. Elements elsewhere must be finite.
 *
 * @param expected the element at a place of the flat array
 * @param tolerance allowed difference, as a share of the largest expected value. Default 1e-4.
 * @throws {GpuError} naming the place and both values.
 */
export function checkPlaces(
  name: string,
  actual: ArrayLike<number>,
  length: number,
  expected: (place: number) => number,
  { places = 96, tolerance = 1e-4 } = {},
): void {
  if (actual.length !== length) throw new GpuError(`${name}: ${actual.length} elements where ${length} were expected`);
  for (let i = 0; i < length; i++) {
    if (!Number.isFinite(actual[i]!)) throw wrong(name, i, actual[i]!, "a finite number");
  }
  const count = Math.min(places, length), step = count > 1 ? (length - 1) / (count - 1) : 0;
  const chosen = Array.from({ length: count }, (_, i) => Math.round(i * step));
  const wanted = chosen.map(expected);
  const scale = wanted.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  chosen.forEach((place, i) => {
    if (!(Math.abs(actual[place]! - wanted[i]!) <= tolerance * scale)) {
      throw wrong(name, place, actual[place]!, String(wanted[i]!));
    }
  });
}

function wrong(name: string, place: number, found: number, expected: string): GpuError {
  return new GpuError(
    `${name}: the GPU computes ${found} at element ${place}, not ${expected}: do not trust this driver`,
  );
}

/** Numbers in [-1, 1) that look random, the same ones for the same seed. */
export function noise(size: number, seed: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let x = Math.imul(i + Math.imul(seed, 0x85ebca6b), 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
    result[i] = ((x ^ (x >>> 13)) >>> 8) * 2 ** -23 - 1;
  }
  return result;
}
