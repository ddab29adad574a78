/**
 * The tuner: runs a kernel's variants on this device, and notes which is the fastest. No variant is timed before its result
 * was compared with one computed on the CPU, and with those of the other variants.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import type { Data } from "../graph/node.ts";
import { type Offer, variantsOf } from "../graph/variants.ts";
import { faultOf, type Lap, timeLaps, type Trial, type Workbench, workbench } from "./trials.ts";

/** One result of tuning. */
export interface Tuned {
  readonly key: string;
  /** The estimate's pick, and the variant that was found to be the fastest. */
  readonly pick: string;
  readonly name: string;
  /** Milliseconds of the estimate's pick (null where it is wrong), and of the one that was chosen. */
  readonly before: number | null;
  readonly after: number;
  /** Variants that compute something else, or do not compile: they are never chosen. */
  readonly refused: readonly string[];
}

/** How to tune. */
export interface TuneOptions {
  /** The most milliseconds that all of it may take; what is not reached is left to the estimate. Default: no limit. */
  readonly budget?: number;
  /** The most variants of each choice to try. Default 8. */
  readonly candidates?: number;
  /** Is told what is being done. */
  readonly progress?: (text: string) => void;
  /** Is told what was refused or left out, and why, in lines. */
  readonly warn?: (line: string) => void;
  /** Milliseconds since some moment; for tests. */
  readonly now?: () => number;
  /** Sets up the trials of an offer; for tests. */
  readonly open?: (gpu: Gpu, offer: Offer) => Workbench | string;
  /** Milliseconds of one run of each; for tests. */
  readonly time?: (gpu: Gpu, laps: readonly Lap[]) => Promise<number[]>;
}

/** How much faster than the estimate's pick another must be to take its place: less is noise. */
const GAIN = 0.97;
/** Variants so many times slower than the best, in a single run, are not run again. */
const HOPELESS = 4;
/** How long a variant runs in the first round, and in any, and how many dispatches at most. */
const ROUND_MS = 2, MOST_MS = 16, MOST_DISPATCHES = 4096;
/** What measuring one choice costs beside the runs: waits of some 10 ms, and runs of kernels that take next to no time. */
const WAITS_MS = 250, WAIT_MS = 10;

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

/** Finds the fastest variant of each offer, makes it the choice on `gpu`, and tells. The dearest comes first. */
export async function tune(gpu: Gpu, offers: readonly Offer[], options: TuneOptions = {}): Promise<Tuned[]> {
  const { budget = Infinity, progress = () => {}, now = () => performance.now() } = options;
  const tuner = new Tuner(gpu, { ...options, now }, now() + budget), found: Tuned[] = [];
  const sorted = offers.toSorted((a, b) => b.cost - a.cost);
  for (const [i, offer] of sorted.entries()) {
    progress(`tuning kernels for this device: ${i + 1} of ${sorted.length} (${offer.node.op.name})`);
    const tuned = await tuner.tune(offer);
    if (!tuned) continue;
    found.push(tuned);
    variantsOf(gpu).chosen.set(offer.key, tuned.name);
  }
  progress("");
  return found;
}

class Tuner {
  /** The longest that a variant took to compile and run, so far: the next may take as long. */
  #longest = 0;

  constructor(
    readonly gpu: Gpu,
    readonly options: TuneOptions & { readonly now: () => number },
    readonly end: number,
  ) {}

  /** Whether there is time for something that takes so many milliseconds. */
  #fits(ms: number): boolean {
    return this.options.now() + ms <= this.end;
  }

  /** Null where there is no time for it, or nothing to choose. */
  async tune(offer: Offer): Promise<Tuned | null> {
    const { candidates = 8, open = workbench, warn = () => {} } = this.options, { key, names } = offer;
    if (!this.#fits(WAITS_MS + 2 * this.#longest)) return null;
    const bench = open(this.gpu, offer), trials: Trial[] = [], refused: string[] = [];
    if (typeof bench === "string") {
      warn(`note: ${title(key)} is not tuned: ${bench}`);
      return null;
    }
    const refuse = (name: string, why: string) => {
      refused.push(name);
      warn(`warning: ${title(key)}: the variant "${name}" is refused: ${why}`);
    };
    try {
      const results: (readonly Data[])[] = [];
      let runMs = 0;
      for (const name of shortList(names, candidates)) {
        // Each that is ready still has to run for its result and in some rounds, and two of them in the last.
        if (!this.#fits(WAITS_MS + this.#longest + (4 * trials.length + 6) * runMs)) break;
        const start = this.options.now();
        try {
          trials.push(await bench.prepare(name));
          if (trials.length === 1) {
            const ready = this.options.now();
            results.push(...await bench.results(trials));
            runMs = Math.max(0, this.options.now() - ready - WAIT_MS);
          }
        } catch (error) {
          this.gpu.check(); // A device that failed ends the tuning; a variant that did is left out.
          refuse(name, (error as Error).message);
        }
        this.#longest = Math.max(this.#longest, this.options.now() - start);
      }
      if (trials.length > 1) results.push(...await bench.results(trials.slice(1)));
      let right: readonly Data[] | null = null;
      const good = trials.filter(({ name }, i) => {
        const why = faultOf(results[i]!, bench.expected, right);
        if (why === null) right ??= results[i]!;
        else refuse(name, why);
        return why === null;
      });
      const won = await this.#race(good, names[0]!, good.length + refused.length > 1);
      return won && { key, pick: names[0]!, refused, ...won };
    } finally {
      for (const one of trials) one.dispose();
      bench.dispose();
    }
  }

  /**
   * Successive halving: all for a short while, the better half for twice as long, until one is left, which must then beat
   * the estimate's pick. Null where time runs out: half a measurement is none.
   */
  async #race(
    trials: readonly Trial[],
    pick: string,
    enough: boolean,
  ): Promise<Omit<Tuned, "key" | "pick" | "refused"> | null> {
    const times = new Map<Trial, number>(), first = trials.find(({ name }) => name === pick);
    const lap = async (round: readonly Trial[], runs: number): Promise<boolean> => {
      const cost = round.reduce((sum, one) => sum + (times.get(one) ?? 0) * runs, 0);
      if (!this.#fits(cost)) return false;
      const found = await (this.options.time ?? timeLaps)(this.gpu, round.map((trial) => ({ trial, runs })));
      round.forEach((one) => times.delete(one));
      round.forEach((one, i) => times.set(one, Math.min(found[i]!, times.get(one) ?? Infinity)));
      return true;
    };
    const of = (one: Trial) => times.get(one)!,
      ordered = (some: readonly Trial[]) => some.toSorted((a, b) => of(a) - of(b));
    if (!enough || trials.length === 0 || !await lap(trials, 1)) return null;
    const best = Math.min(...times.values());
    const dispatches = Math.max(1, ...trials.map(({ commands }) => commands.length));
    const runsOf = (ms: number) => Math.ceil(Math.min(ms / Math.max(best, 1e-6), MOST_DISPATCHES / dispatches));
    let runs = runsOf(ROUND_MS);
    let left = ordered(trials).filter((one) => one !== first && of(one) <= HOPELESS * best);
    for (; left.length > 1; runs = Math.min(2 * runs, runsOf(MOST_MS))) {
      if (!await lap(left, runs)) return null;
      left = ordered(left).slice(0, Math.ceil(left.length / 2));
    }
    // The two that matter, in turn, so that what else the machine does meets both.
    const two = [...(first ? [first] : []), ...left];
    if (!await lap([...two, ...two, ...two], runs)) return null;
    const [winner] = ordered(left), before = first ? of(first) : null;
    return winner && (before === null || of(winner) < GAIN * before)
      ? { name: winner.name, before, after: of(winner) }
      : { name: pick, before, after: before! };
  }
}

/** The first of each family, and then the first of all, in order. */
function shortList(names: readonly string[], most: number): string[] {
  const family = (name: string) => name.split(" ")[0]!;
  const heads = names.filter((name, i) => names.findIndex((one) => family(one) === family(name)) === i);
  return names.filter((name) => heads.includes(name) || names.indexOf(name) < most - heads.length + 1).slice(0, most);
}

/** A key without its attributes, for people. */
export function title(key: string): string {
  return key.replace(/ \{.*/s, "");
}
