/**
 * The tuner: runs a kernel's variants on this device, and notes which is the fastest. A variant must agree with the
 * estimate's pick, which the tests of ops compare with float64 references, before it is timed.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { allocateStorage, read, type Storage, write } from "../gpu/memory.ts";
import { type Data, Node, Value } from "../graph/node.ts";
import { StepProgram } from "../graph/program.ts";
import { keyOf, type Offer, variantsOf } from "../graph/variants.ts";
import { noise, time, waitCost } from "./bench.ts";

/** One result of tuning. */
export interface Tuned {
  readonly key: string;
  /** The variant that was found to be the fastest. */
  readonly name: string;
  /** Milliseconds of the estimate's pick, and of the one that was chosen. */
  readonly before: number;
  readonly after: number;
  /** Variants that disagreed with the estimate's pick, or did not run: they are never chosen. */
  readonly refused: readonly string[];
}

/** How to tune. */
export interface TuneOptions {
  /** The most milliseconds that all of it may take; what is not reached is left to the estimate. Default: no limit. */
  readonly budget?: number;
  /** The most variants of each choice to measure. Default 8. */
  readonly candidates?: number;
  /** Is told what is being done. */
  readonly progress?: (text: string) => void;
  /** Milliseconds since some moment; for tests. */
  readonly now?: () => number;
  /** Runs a variant of an offer; for tests. */
  readonly trial?: (gpu: Gpu, offer: Offer, name: string) => Promise<Trial>;
}

/** A variant, ready to run. */
export interface Trial {
  /** Its result, once. */
  result(): Promise<readonly Float32Array[]>;
  /** The milliseconds of one run, measured over about `roundMs`. */
  time(roundMs: number): Promise<number>;
  dispose(): void;
}

/** How much faster than the estimate's pick another must be to take its place: less is noise. */
const GAIN = 0.97;
/** How far a variant's result may be from that of the estimate's pick, as a share of the largest element. */
const TOLERANCE = 1e-4;

/** Calls `fn`, and gives what was offered meanwhile, once each. */
export async function offersOf(gpu: Gpu, fn: () => Promise<unknown>): Promise<Offer[]> {
  const variants = variantsOf(gpu), offers = new Map<string, Offer>(), before = variants.listener;
  variants.listener = (offer) => {
    if (offer.names.length > 1 && !offers.has(offer.key)) offers.set(offer.key, offer);
  };
  try {
    await fn();
  } finally {
    variants.listener = before;
  }
  return [...offers.values()];
}

/** Finds the fastest variant of each offer, makes it the choice on `gpu`, and tells. The largest work comes first. */
export async function tune(gpu: Gpu, offers: readonly Offer[], options: TuneOptions = {}): Promise<Tuned[]> {
  const { budget = Infinity, progress = () => {}, now = () => performance.now() } = options;
  const end = now() + budget, found: Tuned[] = [];
  const size = ({ node }: Offer) => [...node.inputs, ...node.outputs].reduce((sum, one) => sum + one.size, 0);
  const sorted = offers.toSorted((a, b) => size(b) - size(a));
  for (const [i, offer] of sorted.entries()) {
    if (now() >= end) break;
    progress(`tuning kernels for this device: ${i + 1} of ${sorted.length} (${offer.node.op.name})`);
    const tuned = await tuneOne(gpu, offer, end, now, options);
    if (!tuned) continue;
    found.push(tuned);
    variantsOf(gpu).chosen.set(offer.key, tuned.name);
  }
  progress("");
  return found;
}

/** Successive halving: all candidates for a short while, the better half for twice as long, until one is left. */
async function tuneOne(
  gpu: Gpu,
  offer: Offer,
  end: number,
  now: () => number,
  { candidates = 8, trial = trialOf }: TuneOptions,
): Promise<Tuned | null> {
  const refused: string[] = [], trials = new Map<string, Trial>();
  const names = shortList(offer.names, candidates), first = names[0]!;
  try {
    let expected: readonly Float32Array[] | null = null;
    for (const name of names) {
      if (now() >= end) break;
      let one: Trial | null = null;
      try {
        one = await trial(gpu, offer, name);
        const result = await one.result();
        if (name === first) expected = result;
        if (!agree(result, expected!)) throw new Error("another result");
        trials.set(name, one);
      } catch {
        one?.dispose();
        gpu.check(); // A device that failed ends the tuning; a variant that did is left out.
        if (name === first) return null;
        refused.push(name);
      }
    }
    const times = new Map<string, number>();
    let left = [...trials.keys()];
    for (let roundMs = 10; left.length > 1; roundMs *= 2) {
      for (const name of left) {
        if (now() < end) times.set(name, await trials.get(name)!.time(roundMs));
      }
      if (now() >= end) return null; // Half a measurement is none.
      left = left.toSorted((a, b) => times.get(a)! - times.get(b)!).slice(0, Math.ceil(left.length / 2));
    }
    const best = left[0];
    if (best === undefined || times.size === 0) return null;
    const [before, after] = best === first
      ? [times.get(first)!, times.get(first)!]
      // The two that matter, one after the other.
      : [await trials.get(first)!.time(40), await trials.get(best)!.time(40)];
    const name = after < GAIN * before ? best : first;
    return { key: offer.key, name, before, after: name === best ? after : before, refused };
  } finally {
    for (const one of trials.values()) one.dispose();
  }
}

/** The first of each family, and then the first of all, in order. */
function shortList(names: readonly string[], most: number): string[] {
  const family = (name: string) => name.split(" ")[0]!;
  const heads = names.filter((name, i) => names.findIndex((one) => family(one) === family(name)) === i);
  return names.filter((name) => heads.includes(name) || names.indexOf(name) < most - heads.length + 1).slice(0, most);
}

function agree(a: readonly Float32Array[], b: readonly Float32Array[]): boolean {
  return a.every((values, i) => {
    const largest = b[i]!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return values.every((value, j) => Math.abs(value - b[i]![j]!) <= TOLERANCE * largest);
  });
}

/** Runs one variant of an offer alone, on noise. */
async function trialOf(gpu: Gpu, { node }: Offer, name: string): Promise<Trial> {
  const variants = variantsOf(gpu), inputs = inputsOf(node), key = keyOf(node);
  const places = new Map<Value, Storage>();
  let program: StepProgram | null = null;
  const dispose = () => {
    program?.dispose();
    for (const { block } of places.values()) block.release();
  };
  const before = variants.chosen.get(key);
  variants.chosen.set(key, name);
  try {
    for (const [value, data] of inputs) {
      const place = allocateStorage(gpu, value.bytes);
      places.set(value, place);
      write(gpu, place, data);
    }
    const alone = new Node(node.op, [...inputs.keys()], node.attrs);
    const results = alone.outputs.map((value) => ({ value, end: null }));
    const step = program = new StepProgram(gpu, results, places, new Set(), []);
    await step.run(1);
    const waitMs = await waitCost(gpu);
    return {
      async result() {
        return (await read(gpu, step.places)).map((bytes) => new Float32Array(bytes));
      },
      time: async (roundMs) => (await time(gpu, (times) => step.run(times), { rounds: 2, roundMs, waitMs })).least,
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  } finally {
    if (before === undefined) variants.chosen.delete(key);
    else variants.chosen.set(key, before);
  }
}

/** Inputs like those of `node`, with noise; where they are the places of maxima, each lies in its window. */
function inputsOf(node: Node): Map<Value, Data> {
  const { pooled } = node.attrs as { pooled?: { window: readonly number[]; size: readonly number[] } };
  return new Map(node.inputs.map(({ shape, dtype }, i): [Value, Data] => {
    const value = new Value(shape, dtype);
    if (dtype === "f32") return [value, noise(value.size, i + 1)];
    const [rows, columns] = shape.slice(-2) as [number, number], [ph, pw] = pooled?.window ?? [1, 1];
    const width = pooled?.size[1] ?? columns;
    return [
      value,
      Uint32Array.from({ length: value.size }, (_, at) => {
        const row = Math.floor(at / columns) % rows, column = at % columns;
        return (row * ph! + at % ph!) * width + column * pw! + at % 3 % pw!;
      }),
    ];
  }));
}
