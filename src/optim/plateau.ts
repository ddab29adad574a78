/**
 * The schedule that is no function of the step: it reduces rates when a metric, such as an epoch's loss, has stopped
 * getting better, and remembers the metrics so far.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import {
  defaultsOf,
  describe,
  isPlain,
  numberIn,
  oneOf,
  option,
  type OptionsOf,
  readOptions,
  wholeNumber,
} from "../ops/options.ts";
import { type Group, isRates, perGroup } from "./rate_groups.ts";

const OPTIONS = {
  /** Whether smaller metrics are better, such as losses, or larger ones. Default "min". */
  mode: option(oneOf("min", "max"), "min"),
  /** What the rate is multiplied by, less than 1. Default 0.1. */
  factor: option(numberIn(0), 0.1),
  /** How many metrics in a row may be no better before the rate is reduced. Default 10. */
  patience: option(wholeNumber(0), 10),
  /** By how much a metric must be better than the best so far to count. Default 1e-4. */
  threshold: option(numberIn(0), 1e-4),
  /** Whether the threshold is a share of the best metric, or a difference. Default "rel". */
  thresholdMode: option(oneOf("rel", "abs"), "rel"),
  /** How many metrics after a reduction do not count. Default 0. */
  cooldown: option(wholeNumber(0), 0),
  /** The least rate, of all groups or of each. Default 0. */
  minLr: option((value): number | readonly number[] => value as number | readonly number[], 0),
  /** A reduction by less than this is left out. Default 1e-8. */
  eps: option(numberIn(0), 1e-8),
} as const;

/** When a metric has stopped getting better, and what follows. */
export type PlateauOptions = Partial<OptionsOf<typeof OPTIONS>>;

/** The defaults of a plateau. */
export const PLATEAU = defaultsOf(OPTIONS);

/** What a plateau remembers, as plain JSON. */
export interface PlateauState {
  /** The best metric. Null before the first one. */
  best: number | null;
  badEpochs: number;
  cooldownCounter: number;
}

/** Watches a metric and reduces the rates of groups. */
export class Plateau {
  readonly #groups: readonly Group[];
  readonly #options: OptionsOf<typeof OPTIONS>;
  readonly #least: readonly number[];
  #seen: PlateauState = { best: null, badEpochs: 0, cooldownCounter: 0 };
  #lastEpoch = 0;

  /** @throws {UsageError} if an option is unknown or out of range. */
  constructor(groups: readonly Group[], options: PlateauOptions, where: string) {
    this.#groups = groups;
    this.#options = readOptions(options, OPTIONS, where, UsageError);
    this.#least = perGroup(this.#options.minLr, groups, `${where}: minLr`);
    for (const one of this.#least) numberIn(0)(one, `${where}: minLr`, UsageError);
  }

  /** The calls of `step()` so far. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** The present rate of each group. */
  get lastLr(): readonly number[] {
    return this.#groups.map(({ lr }) => lr);
  }

  /** Sets the rates of the next step, given the metric of this one. */
  step(metric: number): void {
    if (typeof metric !== "number") {
      throw new UsageError(`${this.constructor.name}: expected a number as metric, got ${describe(metric)}`);
    }
    this.#lastEpoch++;
    if (!this.#isDue(metric)) return;
    this.#groups.forEach((group, i) => {
      const lr = Math.max(group.lr * this.#options.factor, this.#least[i]!);
      if (group.lr - lr > this.#options.eps) group.lr = lr;
    });
  }

  /** Whether the rates are to be reduced, now that the next metric is known. */
  #isDue(metric: number): boolean {
    const { patience, cooldown } = this.#options, seen = this.#seen;
    if (this.#isBetter(metric)) {
      seen.best = metric;
      seen.badEpochs = 0;
    } else seen.badEpochs++;
    if (seen.cooldownCounter > 0) {
      seen.cooldownCounter--;
      seen.badEpochs = 0;
    }
    if (seen.badEpochs <= patience) return false;
    seen.cooldownCounter = cooldown;
    seen.badEpochs = 0;
    return true;
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options, sign = mode === "min" ? -1 : 1, { best } = this.#seen;
    if (best === null) return metric * sign > -Infinity;
    const bar = thresholdMode === "rel" ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === "min" ? metric < bar : metric > bar;
  }

  /** The state, as plain JSON. The options are not part of it. */
  stateDict(): PlateauState & { lastEpoch: number; lastLr: number[] } {
    return { ...this.#seen, lastEpoch: this.#lastEpoch, lastLr: [...this.lastLr] };
  }

  /**
   * Continues from a state of `stateDict()`, and sets its rates.
   *
   * @throws {UsageError} if it is no such state, or one of other groups. Nothing is changed then.
   */
  loadStateDict(state: ReturnType<Plateau["stateDict"]>): void {
    const { best, badEpochs, cooldownCounter, lastEpoch, lastLr } = isPlain(state) ? state : {} as never;
    const counts = [badEpochs, cooldownCounter, lastEpoch].every(Number.isSafeInteger);
    if (!counts || !(best === null || typeof best === "number") || !isRates(lastLr, this.#groups.length)) {
      throw new UsageError(
        `${this.constructor.name}: expected a state as stateDict() gives, got ${describe(state)}`,
      );
    }
    this.#seen = { best, badEpochs, cooldownCounter };
    this.#lastEpoch = lastEpoch;
    this.#groups.forEach((group, i) => group.lr = lastLr[i]!);
  }
}

/** The plateau of a training run: it reduces a factor of the base rate, by the mean losses of the epochs. */
export class RunPlateau {
  readonly #plateau: Plateau;

  /** @throws {UsageError} if an option is unknown or out of range. */
  constructor(options: PlateauOptions, where: string) {
    this.#plateau = new Plateau([{ lr: 1 }], { ...options, eps: 0 }, where);
  }

  /** The factor in the next epoch. */
  get factor(): number {
    return this.#plateau.lastLr[0]!;
  }

  /** Takes the mean loss of the epoch that ended. */
  endEpoch(loss: number): void {
    this.#plateau.step(loss);
  }

  /** What `loadState()` takes, as plain JSON. */
  state(): PlateauState & { factor: number } {
    const { lastEpoch: _, lastLr: [factor], ...seen } = this.#plateau.stateDict();
    return { ...seen, factor: factor! };
  }

  /** Continues from a state. @throws {UsageError} if it is no such state. */
  loadState(state: PlateauState & { factor: number }): void {
    const { factor, ...seen } = isPlain(state) ? state : {} as never;
    numberIn(0, 1)(factor, "plateau: the factor of the state", UsageError);
    this.#plateau.loadStateDict({ ...seen, lastEpoch: 0, lastLr: [factor] });
  }
}
