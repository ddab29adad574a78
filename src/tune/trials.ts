/**
 * Trials: an op's variants, each alone on the device, on the same made-up inputs; how their results are checked, and how
 * they are timed against each other.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import { allocateStorage, read, type Storage, write } from "../backend/webgpu/memory.ts";
import { type Command, submit } from "../graph/commands.ts";
import { type Data, Node, Value } from "../graph/node.ts";
import { timeJobs } from "../graph/profile.ts";
import { StepProgram } from "../graph/program.ts";
import { type Offer, variantsOf } from "../graph/variants.ts";
import { wait, waitCost } from "./timing.ts";
import { noise } from "../random.ts";
import { referenceOf } from "./reference.ts";

/** A variant, ready to run. */
export interface Trial {
  readonly name: string;
  readonly commands: readonly Command[];
  /** Where its results will be. */
  readonly places: readonly Storage[];
  dispose(): void;
}

/** Where the variants of one offer are tried. */
export interface Workbench {
  /** Compiles a variant. Rejects where it does not compile. */
  prepare(name: string): Promise<Trial>;
  /** Runs each trial once, and gives their results. */
  results(trials: readonly Trial[]): Promise<readonly (readonly Data[])[]>;
  /** Some elements as they must be: known apart from any variant. */
  readonly expected: readonly Place[];
  dispose(): void;
}

/** An element of a result. */
export interface Place {
  readonly output: number;
  readonly place: number;
  readonly value: number;
}

/** Trials to time, and how many runs of each. */
export interface Lap {
  readonly trial: Trial;
  readonly runs: number;
}

/** The most bytes of a node's inputs and outputs that are made up. */
const MOST_BYTES = 256 * 1024 * 1024;
/** The most elements that are computed on the CPU, and the most multiply-adds for them. */
const PLACES = 32, MOST_WORK = 4e6;
/** The most bytes of results that are read at once. */
const READ_BYTES = 64 * 1024 * 1024;

/** Sets up the trials of an offer. A text says why there can be none. */
export function workbench(gpu: Gpu, { key, node }: Offer): Workbench | string {
  const bytes = [...node.inputs, ...node.outputs].reduce((sum, one) => sum + one.bytes, 0);
  if (bytes > MOST_BYTES) return `${Math.ceil(bytes / 1048576)} MiB are too large to try`;
  const data = node.inputs.map((input, i) => elementsOf(node, input, i));
  if (data.includes(null)) return "its inputs cannot be made up";
  const given = data as Data[], values = node.inputs.map(({ shape, dtype }) => new Value(shape, dtype));
  const places = new Map(values.map((value, i) => {
    const place = allocateStorage(gpu, value.bytes);
    write(gpu, place, given[i]!);
    return [value, place];
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
        // As a part of a step, so that what is merged there is merged here.
        step = new StepProgram(gpu, alone.outputs.map((value) => ({ value, end: null })), places, new Set(), []);
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
      return { name, commands: step.commands, places: step.places, dispose: () => step.dispose() };
    },
    results: (trials) => resultsOf(gpu, trials, node.outputs),
    dispose() {
      for (const { block } of places.values()) block.release();
    },
  };
}

/** What the trials computed when they were prepared, in as few reads as memory allows. */
async function resultsOf(gpu: Gpu, trials: readonly Trial[], outputs: readonly Value[]) {
  const bytes = outputs.reduce((sum, one) => sum + one.bytes, 0), most = Math.max(1, Math.floor(READ_BYTES / bytes));
  const results: Data[][] = [];
  for (let i = 0; i < trials.length; i += most) {
    const parts = await read(gpu, trials.slice(i, i + most).flatMap(({ places }) => places));
    parts.forEach((part, at) => {
      const output = at % outputs.length;
      if (output === 0) results.push([]);
      results.at(-1)!.push(outputs[output]!.dtype === "u32" ? new Uint32Array(part) : new Float32Array(part));
    });
  }
  return results;
}

/**
 * Elements for an input: eighths, whose products and sums no order of adding rounds, so that right results are equal to the
 * bit and maxima are where they are. Numbers are the places of maxima, each in its window, or null where they are not.
 */
function elementsOf({ attrs }: Node, { size, shape, dtype }: Value, i: number): Data | null {
  const random = noise(size, i + 1);
  if (dtype === "f32") return random.map((one) => Math.floor(8 * one) / 8);
  const { pooled } = attrs as { pooled?: { window: readonly number[]; size: readonly number[] } };
  if (!pooled) return null;
  const [rows, columns] = shape.slice(-2) as [number, number], [ph, pw] = pooled.window as [number, number];
  return Uint32Array.from(random, (one, at) => {
    const row = Math.floor(at / columns) % rows, column = at % columns;
    const within = Math.floor((one + 1) / 2 * ph * pw);
    return (row * ph + Math.floor(within / pw)) * pooled.size[1]! + column * pw + within % pw;
  });
}

/** Elements of the results, spread evenly, computed on the CPU; none where the op is not known there. */
function expectedOf(node: Node, data: readonly Data[]): Place[] {
  const reference = referenceOf(node, data);
  if (!reference) return [];
  const most = Math.max(2, Math.min(PLACES, Math.floor(MOST_WORK / reference.work)));
  return reference.outputs.flatMap((at, output) => {
    const { size } = node.outputs[output]!, count = Math.min(most, size);
    return Array.from({ length: count }, (_, i) => {
      const place = count > 1 ? Math.round(i * (size - 1) / (count - 1)) : 0;
      return { output, place, value: at(place) };
    });
  });
}

/** How far a result may be from another, as a share of its largest element: a wrong eighth is more. */
const TOLERANCE = 1e-5;

/**
 * What is wrong with a result, in a few words; null where nothing is.
 *
 * @param other the result of a variant that was found right.
 */
export function faultOf(
  result: readonly Data[],
  expected: readonly Place[],
  other: readonly Data[] | null,
): string | null {
  for (const [output, values] of result.entries()) {
    const scale = values instanceof Uint32Array ? 0 : largest(other?.[output] ?? values);
    const wrong = (place: number, value: number) => !(Math.abs(values[place]! - value) <= TOLERANCE * scale);
    const bad = expected.find((one) => one.output === output && wrong(one.place, one.value)) ??
      fault(values, other?.[output], wrong);
    if (bad) return `element ${bad.place} is ${values[bad.place]}, not ${bad.value}`;
  }
  return null;
}

function largest(values: Data): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

function fault(values: Data, other: Data | undefined, wrong: (place: number, value: number) => boolean) {
  for (let place = 0; place < values.length; place++) {
    if (!Number.isFinite(values[place])) return { place, value: "finite" };
    if (other && wrong(place, other[place]!)) return { place, value: other[place]! };
  }
  return undefined;
}

/** Milliseconds of one run of each, by the GPU's clock; by the CPU's, with a wait for each, where the GPU has none. */
export async function timeLaps(gpu: Gpu, laps: readonly Lap[]): Promise<number[]> {
  const times = await timeJobs(gpu, laps.map(({ trial: { commands }, runs }) => ({ commands, times: runs })));
  if (times) return times;
  const waitMs = await waitCost(gpu), found: number[] = [];
  for (const { trial, runs } of laps) {
    const start = performance.now();
    submit(gpu, trial.commands, runs);
    await wait(gpu);
    found.push(Math.max(0, performance.now() - start - waitMs) / runs);
  }
  return found;
}
