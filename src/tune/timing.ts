/**
 * Timing: work is submitted many times in a row; then the read of one element waits for the device.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import type { Storage } from "../backend/memory.ts";

/** The options of a measurement. */
export interface TimeOptions {
  /** The number of rounds, of which the median counts. Default 5. */
  readonly rounds?: number;
  /** Runs in each round. Default: as many as take about `roundMs`. */
  readonly runs?: number;
  /** Milliseconds. Default 80. */
  readonly roundMs?: number;
  /** Milliseconds that are subtracted from each round: see `waitCost()`. Default 0. */
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

const flags = new WeakMap<Backend, Storage>();

/** Resolves when the GPU has finished all submitted work. */
export async function wait(gpu: Backend): Promise<void> {
  let flag = flags.get(gpu);
  if (!flag) flags.set(gpu, flag = gpu.allocateStorage(4));
  await gpu.read([flag]);
}

/** The milliseconds that `wait()` takes when there is no work. Deno sleeps about 10 ms in each. */
export async function waitCost(gpu: Backend): Promise<number> {
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
  gpu: Backend,
  run: (times: number) => Promise<void>,
  { rounds = 5, runs, roundMs = 80, waitMs = 0 }: TimeOptions = {},
): Promise<Timing> {
  const round = async (times: number) => {
    const start = performance.now();
    await run(times);
    await wait(gpu);
    const elapsed = performance.now() - start;
    // On a busy machine a single wait can take longer than all runs: never subtract everything.
    return Math.max(elapsed - waitMs, elapsed / 10);
  };
  await wait(gpu);
  if (runs === undefined) {
    runs = 1;
    // The runs are doubled until a round is long in comparison with the jitter of the wait.
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
