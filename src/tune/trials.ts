/**
 * Trials: each variant of an op runs alone on the device, with the same generated inputs. Their results are checked, and
 * they are timed against each other.
 *
 * @module
 */
import type { Backend, Replay } from "../backend/backend.ts";
import type { Storage } from "../backend/memory.ts";
import { type Data, Node, Value } from "../graph/node.ts";
import { StepProgram } from "../graph/program.ts";
import { type Offer, variantsOf } from "../graph/device.ts";
import { wait, waitCost } from "./timing.ts";
import { noise } from "../random.ts";
import { convGradInputOp } from "../ops/conv/conv.ts";
import { convGradWeightOp } from "../ops/conv/grad_weight.ts";
import { is } from "../ops/op.ts";
import { referenceOf } from "./reference.ts";

/** A variant, ready to run. */
export interface Trial {
  readonly name: string;
  readonly replay: Replay;
  /** The number of dispatches of one run. */
  readonly dispatches: number;
  /** The storages of its results. */
  readonly results: readonly Storage[];
  dispose(): void;
}

/** What the variants of one offer are tried with. */
export interface Workbench {
  /** Compiles a variant, and runs it once. Rejects where it does not compile. */
  prepare(name: string): Promise<Trial>;
  /** Reads the results of trials. */
  results(trials: readonly Trial[]): Promise<readonly (readonly Data[])[]>;
  /** Some elements of the right results, computed on the CPU. */
  readonly expected: readonly Sample[];
  dispose(): void;
}

/** An element of a result. */
export interface Sample {
  readonly output: number;
  /** The index in the flat array. */
  readonly index: number;
  readonly value: number;
}

/** Trials to time, and how many runs of each. */
export interface Lap {
  readonly trial: Trial;
  readonly runs: number;
}

/** The most bytes of the inputs and outputs of a node that is tried. */
const MAX_BYTES = 256 * 1024 * 1024;
/** The most elements of an output that are computed on the CPU, and the most multiply-adds for them. */
const MAX_SAMPLES = 32, MAX_WORK = 4e6;
/** The most bytes of results that are read at once. */
const READ_BYTES = 64 * 1024 * 1024;

/** Prepares the trials of an offer; where there can be none, a text that says why. */
export function workbench(gpu: Backend, { key, node }: Offer): Workbench | string {
  const bytes = [...node.inputs, ...node.outputs].reduce((sum, one) => sum + one.bytes, 0);
  if (bytes > MAX_BYTES) return `${Math.ceil(bytes / 1048576)} MiB are too large to try`;
  const data = node.inputs.map((input, i) => elementsOf(node, input, i));
  if (data.includes(null)) return "its inputs cannot be made up";
  const given = data as Data[], values = node.inputs.map(({ shape, dtype }) => new Value(shape, dtype));
  const storages = new Map(values.map((value, i) => {
    const storage = gpu.allocateStorage(value.bytes);
    gpu.write(storage, given[i]!);
    return [value, storage];
  }));
  const variants = variantsOf(gpu);
  return {
    expected: expectedOf(node, given),
    async prepare(name) {
      const before = variants.chosen.get(key);
      let step: StepProgram;
      variants.chosen.set(key, name);
      try {
        const alone = new Node(node.op, values, node.attrs);
        // A program like that of a step, so that dispatches are merged as they are there.
        step = new StepProgram(gpu, alone.outputs.map((value) => ({ value, end: null })), storages, new Set(), []);
      } finally {
        if (before === undefined) variants.chosen.delete(key);
        else variants.chosen.set(key, before);
      }
      try {
        await step.run(1);
      } catch (error) {
        step.dispose();
        throw error;
      }
      const { replay, dispatches, storages: results } = step;
      return { name, replay, dispatches, results, dispose: () => step.dispose() };
    },
    results: (trials) => resultsOf(gpu, trials, node.outputs),
    dispose() {
      for (const { block } of storages.values()) block.release();
    },
  };
}

/** What the trials computed when they were prepared, in as few reads as `READ_BYTES` allow. */
async function resultsOf(gpu: Backend, trials: readonly Trial[], outputs: readonly Value[]) {
  const bytes = outputs.reduce((sum, one) => sum + one.bytes, 0), most = Math.max(1, Math.floor(READ_BYTES / bytes));
  const results: Data[][] = [];
  for (let i = 0; i < trials.length; i += most) {
    const parts = await gpu.read(trials.slice(i, i + most).flatMap((trial) => trial.results));
    parts.forEach((part, at) => {
      const output = at % outputs.length;
      if (output === 0) results.push([]);
      results.at(-1)!.push(outputs[output]!.dtype === "u32" ? new Uint32Array(part) : new Float32Array(part));
    });
  }
  return results;
}

/**
 * Elements for input `i`. Those of f32 are eighths: their products and sums are exact in any order, so that right results
 * are the same bits, and have the same maxima. Those of u32 are indices of maxima, each in its window; null where the node
 * reads other integers.
 */
function elementsOf(node: Node, { size, shape, dtype }: Value, i: number): Data | null {
  const random = noise(size, i + 1);
  if (dtype === "f32") return random.map((one) => Math.floor(8 * one) / 8);
  const pooled = is(node, convGradInputOp) || is(node, convGradWeightOp) ? node.attrs.pooled : undefined;
  if (!pooled) return null;
  const [rows, columns] = shape.slice(-2) as [number, number], [ph, pw] = pooled.window;
  return Uint32Array.from(random, (one, at) => {
    const row = Math.floor(at / columns) % rows, column = at % columns;
    const within = Math.floor((one + 1) / 2 * ph * pw);
    return (row * ph + Math.floor(within / pw)) * pooled.size[1]! + column * pw + within % pw;
  });
}

/** Evenly spaced elements of the results, computed on the CPU; none where `referenceOf()` does not know the op. */
function expectedOf(node: Node, data: readonly Data[]): Sample[] {
  const reference = referenceOf(node, data);
  if (!reference) return [];
  const work = (node.op.multiplyAdds?.(node) ?? 0) / node.outputs[0]!.size;
  const most = Math.max(2, Math.min(MAX_SAMPLES, Math.floor(MAX_WORK / work)));
  return reference.flatMap((at, output) => {
    const { size } = node.outputs[output]!, count = Math.min(most, size);
    return Array.from({ length: count }, (_, i) => {
      const index = count > 1 ? Math.round(i * (size - 1) / (count - 1)) : 0;
      return { output, index, value: at(index) };
    });
  });
}

/** How far an element may be off, as a share of the largest element: a wrong eighth is farther off. */
const TOLERANCE = 1e-5;

/**
 * What is wrong with a result, in a few words; null where nothing is.
 *
 * @param other the result of a variant that is known to be right.
 */
export function faultOf(
  result: readonly Data[],
  expected: readonly Sample[],
  other: readonly Data[] | null,
): string | null {
  for (const [output, values] of result.entries()) {
    const scale = values instanceof Uint32Array ? 0 : largest(other?.[output] ?? values);
    const wrong = (index: number, value: number) => !(Math.abs(values[index]! - value) <= TOLERANCE * scale);
    const bad = expected.find((one) => one.output === output && wrong(one.index, one.value)) ??
      fault(values, other?.[output], wrong);
    if (bad) return `element ${bad.index} is ${values[bad.index]}, not ${bad.value}`;
  }
  return null;
}

function largest(values: Data): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

/** The first element that is not finite, or not that of `other`. */
function fault(values: Data, other: Data | undefined, wrong: (index: number, value: number) => boolean) {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) return { index, value: "finite" };
    if (other && wrong(index, other[index]!)) return { index, value: other[index]! };
  }
  return undefined;
}

/** The milliseconds of one run of each, by the GPU's clock, or, where it has none, by the CPU's, with a wait for each. */
export async function timeLaps(gpu: Backend, laps: readonly Lap[]): Promise<number[]> {
  const times = await gpu.time(laps.map(({ trial: { replay }, runs }) => ({ replay, times: runs })));
  if (times) return times;
  const waitMs = await waitCost(gpu), found: number[] = [];
  for (const { trial, runs } of laps) {
    const start = performance.now();
    await trial.replay.run(runs);
    await wait(gpu);
    found.push(Math.max(0, performance.now() - start - waitMs) / runs);
  }
  return found;
}
