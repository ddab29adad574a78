/**
 * When a metric stops getting better: what the only schedule goes by that is no function of the step.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { describe, isPlain } from "../ops/options.ts";
import { checkChoice, checkCount, checkNumber } from "./schedules.ts";

/** When a metric has stopped getting better. */
export interface PlateauOptions {
  /** Whether smaller metrics are better, such as losses, or larger ones. Default "min". */
  mode?: "min" | "max";
  /** The metrics that may be no better, one after the other, before the rate is reduced. Default 10. */
  patience?: number;
  /** By how much a metric must be better than the best before it to count. Default 1e-4. */
  threshold?: number;
  /** Whether that is a share of the best, or a difference. Default "rel". */
  thresholdMode?: "rel" | "abs";
  /** The metrics after a reduction that do not count. Default 0. */
  cooldown?: number;
}

export const PLATEAU = { mode: "min", patience: 10, threshold: 1e-4, thresholdMode: "rel", cooldown: 0 } as const;

/** What has been seen, as plain JSON. */
export interface PlateauState {
  /** Null before the first metric. */
  best: number | null;
  badEpochs: number;
  cooldownCounter: number;
}

/** Watches a metric. */
export class Plateau {
  readonly #options: Required<PlateauOptions>;
  #state: PlateauState = { best: null, badEpochs: 0, cooldownCounter: 0 };

  constructor(options: PlateauOptions, where: string) {
    const { mode, patience, threshold, thresholdMode, cooldown } = this.#options = { ...PLATEAU, ...options };
    checkChoice(mode, ["min", "max"], `${where}: mode`);
    checkChoice(thresholdMode, ["rel", "abs"], `${where}: thresholdMode`);
    checkNumber(threshold, `${where}: threshold`, 0);
    checkCount(patience, `${where}: patience`, 0);
    checkCount(cooldown, `${where}: cooldown`, 0);
  }

  /** Whether the rate is to be reduced, now that the next metric is known. */
  reduces(metric: number): boolean {
    const { patience, cooldown } = this.#options, state = this.#state;
    if (this.#isBetter(metric)) {
      state.best = metric;
      state.badEpochs = 0;
    } else state.badEpochs++;
    if (state.cooldownCounter > 0) {
      state.cooldownCounter--;
      state.badEpochs = 0;
    }
    if (state.badEpochs <= patience) return false;
    state.cooldownCounter = cooldown;
    state.badEpochs = 0;
    return true;
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options, sign = mode === "min" ? -1 : 1, { best } = this.#state;
    if (best === null) return metric * sign > -Infinity;
    const bar = thresholdMode === "rel" ? best * (1 + sign * threshold) : best + sign * threshold;
    return mode === "min" ? metric < bar : metric > bar;
  }

  /** What has been seen so far. */
  get state(): PlateauState {
    return { ...this.#state };
  }

  /** @throws {UsageError} where it is no such state. */
  set state(state: PlateauState) {
    const { best, badEpochs, cooldownCounter } = isPlain(state) ? state : {} as never;
    const fits = (best === null || typeof best === "number") && Number.isSafeInteger(badEpochs) &&
      Number.isSafeInteger(cooldownCounter);
    if (!fits) throw new UsageError(`the state of a plateau does not fit: got ${describe(state)}`);
    this.#state = { best, badEpochs, cooldownCounter };
  }
}
