/**
 * Feeds readers with damaged files. For each: only typed errors, whose messages can be printed; no hang; no memory beyond twice
 * the file and 64 MiB; and where a checksum covers what was changed, nothing is read but the original.
 *
 * @module
 */
import { WgradError } from "../../src/errors.ts";
import { Draw } from "../property/draw.ts";
import type { Damaged } from "./mutate.ts";
import type { Target } from "./target.ts";
import { imageTargets } from "./images.ts";
import { fileTargets } from "./files.ts";
import { weightsTargets } from "./weights.ts";

/** All targets. @param folder for files; it is empty. */
export async function allTargets(folder: string): Promise<Target[]> {
  return [...await weightsTargets(), ...imageTargets(), ...await fileTargets(folder)];
}

/** How long a case may take, in milliseconds, on a busy machine. */
const MAX_TIME = 20_000;

/** The memory that a case may take, in bytes, and by how many cases it is looked at: asking the system takes time. */
const SPARE = 64 << 20, GROUP = 500;

/** What a fuzzer found. */
export interface Counts {
  readonly cases: number;
  readonly refused: number;
  /** The longest case, in milliseconds. */
  readonly slowest: number;
  /** The most memory that a case took beyond twice its file, in bytes, as far as it was measured. */
  readonly memory: number;
}

/** What to run. */
export interface Plan {
  readonly seed: number;
  /** The first case. Default 0. */
  readonly first?: number;
  readonly cases: number;
  /** Stop after so many milliseconds. Default: never. */
  readonly time?: number;
}

/** A case by its number: always the same. */
async function caseOf(target: Target, seed: number, number: number): Promise<Damaged & { from: number }> {
  const draw = new Draw(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)), from = number % target.seeds;
  return { ...await target.damaged(from, draw), from };
}

/**
 * Runs cases of a target.
 *
 * @throws {Error} for the first case that goes wrong; it says how to run it again
 */
export async function fuzz(target: Target, { seed, first = 0, cases, time = Infinity }: Plan): Promise<Counts> {
  const originals = await Promise.all(Array.from({ length: target.seeds }, async (_, i) => {
    const { bytes, covered } = await target.damaged(i, undefined);
    return covered ? await Promise.resolve().then(() => target.read(bytes)).catch(() => undefined) : undefined;
  }));
  const end = performance.now() + time;
  let refused = 0, slowest = 0, memory = 0, number = first;
  const run = async (number: number): Promise<number> => {
    const { bytes, covered, from } = await caseOf(target, seed, number), start = performance.now();
    let isWrong = false;
    try {
      const found = await target.read(bytes);
      isWrong = covered && found !== originals[from];
    } catch (error) {
      checkError(target, error, number, seed);
      refused++;
    }
    if (isWrong) throw failed(target, number, seed, "read something else than the file that its checksum is of");
    const took = performance.now() - start;
    slowest = Math.max(slowest, took);
    if (took > MAX_TIME) throw failed(target, number, seed, `took ${Math.round(took)} ms`);
    return 2 * bytes.length;
  };
  while (number < first + cases && performance.now() < end) {
    const groupEnd = Math.min(number + GROUP, first + cases), before = resetPeak(), start = number;
    let largest = 0;
    while (number < groupEnd && performance.now() < end) largest = Math.max(largest, await run(number++));
    // Memory that was not collected yet may be of several cases: then each is looked at alone.
    if (peak() - before <= SPARE) continue;
    const counted = refused;
    for (let again = start; again < number; again++) {
      collectGarbage();
      const base = resetPeak(), doubled = await run(again), grown = peak() - base - doubled;
      memory = Math.max(memory, grown);
      if (grown > SPARE + (target.more ?? 0)) throw failed(target, again, seed, `took ${grown} bytes`);
    }
    refused = counted;
  }
  return { cases: number - first, refused, slowest, memory };
}

function checkError(target: Target, error: unknown, number: number, seed: number): void {
  const allowed = target.allows?.(error) ?? error instanceof WgradError;
  if (!allowed) throw failed(target, number, seed, "failed with an error that is not typed", error);
  const { message } = error as Error;
  if (message.length > 3000 || /[\p{Cc}\p{Cf}\p{Cs}]/u.test(message)) {
    throw failed(
      target,
      number,
      seed,
      `has a message that cannot be printed: ${JSON.stringify(message.slice(0, 500))}`,
    );
  }
}

function failed({ name }: Target, number: number, seed: number, what: string, cause?: unknown): Error {
  return new Error(`${name} ${what}. Again: deno task fuzz ${name} --seed ${seed} --first ${number} --cases 1`, {
    cause,
  });
}

/** Frees memory that is no longer used, if Deno was started so that it can. */
function collectGarbage(): void {
  const gc: unknown = Reflect.get(globalThis, "gc");
  if (typeof gc === "function") gc();
}

const measures = Deno.build.os === "linux";

/** Starts to measure the peak of this process's memory anew. @returns its memory now; 0 where it cannot be measured. */
function resetPeak(): number {
  if (!measures) return 0;
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  return peak();
}

/** The peak of this process's memory, in bytes. */
function peak(): number {
  if (!measures) return 0;
  return 1024 * Number(/VmHWM:\s*(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
}
