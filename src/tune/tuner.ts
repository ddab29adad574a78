/**
 * The tuner: runs the variants of kernels on this device, and selects the fastest. No variant is timed before its result has
 * been compared with elements computed on the CPU, and with the results of the other variants.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import type { Data } from "../graph/node.ts";
import { type Offer, variantsOf } from "../graph/device.ts";
import { faultOf, type Lap, type Sample, timeLaps, type Trial, type Workbench, workbench } from "./trials.ts";

/** One result of tuning. */
export interface Tuned {
  readonly key: string;
  /** The variant with the lowest estimate, and the one that was found to be the fastest. */
  readonly pick: string;
  readonly name: string;
  /** The milliseconds of `pick` (null where its result is wrong), and of `name`. */
  readonly before: number | null;
  readonly after: number;
  /** The variants whose results are wrong, or that do not compile: they are never selected. */
  readonly refused: readonly string[];
}

/** The options of tuning. */
export interface TuneOptions {
  /** The most milliseconds that tuning may take; the estimate selects the variants of all further offers. Default: no limit. */
  readonly budget?: number;
  /** The most variants to try for each offer. Default 8. */
  readonly candidates?: number;
  /** Called with a text of what is being tuned. */
  readonly progress?: (text: string) => void;
  /** Called with a line for each variant that is refused, and each offer that is not tuned, with the reason. */
  readonly warn?: (line: string) => void;
  /** The clock, in milliseconds; for tests. Default `performance.now`. */
  readonly now?: () => number;
  /** Prepares the trials of an offer; for tests. Default `workbench`. */
  readonly open?: (gpu: Backend, offer: Offer) => Workbench | string;
  /** Measures the milliseconds of one run of each; for tests. Default `timeLaps`. */
  readonly time?: (gpu: Backend, laps: readonly Lap[]) => Promise<number[]>;
}

/** A variant must take less than this share of the estimated one's time to be selected: a smaller gain is noise. */
const GAIN = 0.97;
/** Variants that are this many times slower than the best, in a single run, are not run again. */
const HOPELESS = 4;
/** The milliseconds of a variant in the first round, the most in any round, and the most dispatches in a round. */
const ROUND_MS = 2, MAX_MS = 16, MAX_DISPATCHES = 4096;
/** The milliseconds that tuning one offer takes besides the runs of variants, and those of one wait for the device. */
const WAITS_MS = 250, WAIT_MS = 10;

/** Calls `fn`, and returns what ops offered meanwhile, each offer once. */
export async function offersOf(gpu: Backend, fn: () => Promise<unknown>): Promise<Offer[]> {
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

/** Finds the fastest variant of each offer, and makes it the choice on `gpu`. The most expensive offer comes first. */
export async function tune(gpu: Backend, offers: readonly Offer[], options: TuneOptions = {}): Promise<Tuned[]> {
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
  /** The longest time that a variant took to compile and run, so far: the next one may take as long. */
  #longest = 0;

  constructor(
    readonly gpu: Backend,
    readonly options: TuneOptions & { readonly now: () => number },
    readonly end: number,
  ) {}

  /** Whether `ms` milliseconds are left. */
  #fits(ms: number): boolean {
    return this.options.now() + ms <= this.end;
  }

  /** Null where there is no time left, or nothing to select from. */
  async tune(offer: Offer): Promise<Tuned | null> {
    const { open = workbench, warn = () => {} } = this.options, { key, names } = offer;
    if (!this.#fits(WAITS_MS + 2 * this.#longest)) return null;
    const bench = open(this.gpu, offer), trials: Trial[] = [], refused: string[] = [];
    if (typeof bench === "string") {
      warn(`note: ${title(key)} is not tuned: ${bench}`);
      return null;
    }
    const refuse: Refuse = (name, why) => {
      refused.push(name);
      warn(`warning: ${title(key)}: the variant "${name}" is refused: ${why}`);
    };
    try {
      const results = await this.#prepare(bench, names, trials, refuse);
      const right = rightTrials(trials, results, bench.expected, refuse);
      const won = await this.#race(right, names[0]!, right.length + refused.length > 1);
      return won && { key, pick: names[0]!, refused, ...won };
    } finally {
      for (const one of trials) one.dispose();
      bench.dispose();
    }
  }

  /** Adds the variants to try to `trials`, as far as time allows. Returns the results of each. */
  async #prepare(bench: Workbench, names: readonly string[], trials: Trial[], refuse: Refuse) {
    const { candidates = 8, now } = this.options, results: (readonly Data[])[] = [];
    let runMs = 0;
    for (const name of shortList(names, candidates)) {
      // The trials that are ready still have to run for their results and in rounds, and two of them in the last one.
      if (!this.#fits(WAITS_MS + this.#longest + (4 * trials.length + 6) * runMs)) break;
      const start = now();
      try {
        trials.push(await bench.prepare(name));
        if (trials.length === 1) {
          const ready = now();
          results.push(...await bench.results(trials));
          runMs = Math.max(0, now() - ready - WAIT_MS);
        }
      } catch (error) {
        this.gpu.check(); // A failed device ends the tuning; a failed variant is only refused.
        refuse(name, (error as Error).message);
      }
      this.#longest = Math.max(this.#longest, now() - start);
    }
    if (trials.length > 1) results.push(...await bench.results(trials.slice(1)));
    return results;
  }

  /**
   * Successive halving: all variants run for a short time, the faster half for twice as long, and so on, until one is left,
   * which must then beat the estimated variant. Null where time runs out.
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
    const dispatches = Math.max(1, ...trials.map(({ dispatches }) => dispatches));
    const runsOf = (ms: number) => Math.ceil(Math.min(ms / Math.max(best, 1e-6), MAX_DISPATCHES / dispatches));
    let runs = runsOf(ROUND_MS);
    let left = ordered(trials).filter((one) => one !== first && of(one) <= HOPELESS * best);
    for (; left.length > 1; runs = Math.min(2 * runs, runsOf(MAX_MS))) {
      if (!await lap(left, runs)) return null;
      left = ordered(left).slice(0, Math.ceil(left.length / 2));
    }
    // The last two alternate, so that other load on the machine affects both.
    const two = [...(first ? [first] : []), ...left];
    if (!await lap([...two, ...two, ...two], runs)) return null;
    const [winner] = ordered(left), before = first ? of(first) : null;
    return winner && (before === null || of(winner) < GAIN * before)
      ? { name: winner.name, before, after: of(winner) }
      : { name: pick, before, after: before! };
  }
}

/** Says that a variant is refused, and why. */
type Refuse = (name: string, why: string) => void;

/** The trials whose results agree with the expected elements, and with the first of them. */
function rightTrials(
  trials: readonly Trial[],
  results: readonly (readonly Data[])[],
  expected: readonly Sample[],
  refuse: Refuse,
): Trial[] {
  let first: readonly Data[] | null = null;
  return trials.filter(({ name }, i) => {
    const why = faultOf(results[i]!, expected, first);
    if (why === null) first ??= results[i]!;
    else refuse(name, why);
    return why === null;
  });
}

/** The first variant of each family, and then the first of all, in order. */
function shortList(names: readonly string[], most: number): string[] {
  const family = (name: string) => name.split(" ")[0]!;
  const heads = names.filter((name, i) => names.findIndex((one) => family(one) === family(name)) === i);
  return names.filter((name) => heads.includes(name) || names.indexOf(name) < most - heads.length + 1).slice(0, most);
}

/** A key without its attributes, for messages. */
export function title(key: string): string {
  return key.replace(/ \{.*/s, "");
}
