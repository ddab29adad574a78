/**
 * The measurement of `wgrad bench`: a program is run many times in a row, then one element is read to wait for the GPU.
 * `kernels.ts`, `ceilings.ts` and `steps.ts` have what is measured, and the checks of its results.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import { time, type TimeOptions } from "../tune/timing.ts";

/** The units of work, and of the rates that are shown for it. */
const UNITS = {
  flop: { name: "GFLOP/s", size: 1e9 },
  byte: { name: "GB/s", size: 1e9 },
  dispatch: { name: "dispatches/s", size: 1 },
} as const;

/** Something to measure. */
export interface BenchCase {
  /** The computation, with its sizes. */
  readonly name: string;
  /** The least cost of a run: floating-point operations (two for a multiply-add), or bytes read and written. */
  readonly work: number;
  readonly unit: keyof typeof UNITS;
  /**
   * Runs once, the first time, and compares the result with a reference computed on the CPU.
   *
   * @throws {GpuError} if they differ.
   */
  check(): Promise<void>;
  /** Submits this number of runs, without waiting. */
  run(times: number): Promise<void>;
  /** Frees the memory. */
  dispose(): Promise<void>;
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

/** Checks a case, measures it, and frees its memory. `waitMs` is from `waitCost()`. */
export async function measure(gpu: Backend, one: BenchCase, options: TimeOptions): Promise<Measured> {
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
 * Compares a result with its reference, at both ends and at indices spread over it. All other elements must be finite.
 *
 * @param expected the element at an index of the flat array
 * @param tolerance allowed difference, as a share of the largest expected value. Default 1e-4.
 * @throws {GpuError} naming the index and both values.
 */
export function checkElements(
  name: string,
  actual: ArrayLike<number>,
  length: number,
  expected: (index: number) => number,
  { samples = 96, tolerance = 1e-4 } = {},
): void {
  if (actual.length !== length) throw new GpuError(`${name}: ${actual.length} elements where ${length} were expected`);
  for (let i = 0; i < length; i++) {
    if (!Number.isFinite(actual[i]!)) throw wrong(name, i, actual[i]!, "a finite number");
  }
  const count = Math.min(samples, length), step = count > 1 ? (length - 1) / (count - 1) : 0;
  const indices = Array.from({ length: count }, (_, i) => Math.round(i * step));
  const wanted = indices.map(expected);
  const scale = wanted.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  indices.forEach((index, i) => {
    if (!(Math.abs(actual[index]! - wanted[i]!) <= tolerance * scale)) {
      throw wrong(name, index, actual[index]!, String(wanted[i]!));
    }
  });
}

function wrong(name: string, index: number, found: number, expected: string): GpuError {
  return new GpuError(
    `${name}: the GPU computes ${found} at element ${index}, not ${expected}: do not trust this driver`,
  );
}
