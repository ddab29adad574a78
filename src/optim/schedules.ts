/**
 * Schedules of the learning rate: each is defined once, with its options, their defaults and checks, and its formula. Of
 * these definitions `lr_scheduler.ts` makes PyTorch's classes, and `run_schedules.ts` the names of the command line.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import {
  checkFlag,
  defaultsOf,
  describe,
  must,
  numberIn,
  oneOf,
  option,
  type OptionsOf,
  type OptionTable,
  type Reader,
  readOptions,
  wholeNumber,
} from "../ops/options.ts";
import type { RunPlateau } from "./plateau.ts";

/**
 * A schedule: the rate in a step, counted from 0, given the base rate. A function of the two, but for a plateau, whose
 * rate depends on the losses so far.
 */
export interface Schedule {
  (step: number, base: number): number;
  /** What takes the losses and has a state. Only a plateau has it. */
  readonly plateau?: RunPlateau;
}

/** The definition of a schedule: makes it of its options. */
export interface Definition<T extends OptionTable> {
  /**
   * @param where the start of messages.
   * @param positional values that are arguments of their own, and so cannot be among the options.
   * @throws {UsageError} if an option is unknown or out of range.
   */
  (options: Partial<OptionsOf<T>>, where: string, positional?: Partial<OptionsOf<T>>): Schedule;
  /** The defaults of the options. */
  readonly defaults: OptionsOf<T>;
}

function define<T extends OptionTable>(
  table: T,
  make: (options: OptionsOf<T>, where: string) => Schedule,
): Definition<T> {
  const definition = (options: Partial<OptionsOf<T>>, where: string, positional: Partial<OptionsOf<T>> = {}) => {
    const named = Object.entries(table).filter(([name]) => !Object.hasOwn(positional, name));
    readOptions(options, Object.fromEntries(named), where, UsageError);
    return make(readOptions({ ...options, ...positional }, table, where, UsageError), where);
  };
  return Object.assign(definition, { defaults: defaultsOf(table) });
}

// --- readers of options ----------------------------------------------------------------------------------------------

const COUNT = wholeNumber(), AMOUNT = numberIn(0), SHARE = numberIn(0, 1);

/** An option without a default. */
const required = <T>(read: Reader<T>) => option(read, undefined);

/** Reads steps at which something changes: whole numbers of at least `least`, none before the one in front of it. */
function milestonesFrom(least: number): Reader<readonly number[]> {
  const fits = (value: unknown) =>
    Array.isArray(value) && value.every((step, i) => Number.isSafeInteger(step) && step >= (i ? value[i - 1] : least));
  const show = (value: unknown) => Array.isArray(value) ? `[${value.join(", ")}]` : describe(value);
  const read = must<readonly number[]>(fits, `be whole numbers of ${least} or more in rising order`, show);
  return (value, what, Refusal) => [...read(value, what, Refusal)];
}

const DIVISOR: Reader<number> = (value, what, Refusal = UsageError) => {
  if (AMOUNT(value, what, Refusal) === 0) throw new Refusal(`${what} must not be 0`);
  return value as number;
};

/** The number of milestones that `step` has reached. */
const reached = (milestones: readonly number[], step: number) => milestones.filter((one) => one <= step).length;

/** Half a wave of a cosine from 1 to 0, for `x` from 0 to 1. */
const halfWave = (x: number) => (1 + Math.cos(Math.PI * x)) / 2;

// --- definitions -----------------------------------------------------------------------------------------------------

/** Multiplied by `gamma` every `stepSize` steps. */
export const stepwise = define(
  { stepSize: required(COUNT), gamma: option(AMOUNT, 0.1) },
  ({ stepSize, gamma }) => (step, base) => base * gamma ** Math.floor(step / stepSize),
);

/** Multiplied by `gamma` at each milestone. */
export const multiStep = define(
  { milestones: required(milestonesFrom(0)), gamma: option(AMOUNT, 0.1) },
  ({ milestones, gamma }) => (step, base) => base * gamma ** reached(milestones, step),
);

/** Multiplied by `factor` for the first `totalIters` steps. */
export const constant = define(
  { factor: option(SHARE, 1 / 3, 0.5), totalIters: option(COUNT, 5) },
  ({ factor, totalIters }) => (step, base) => step < totalIters ? base * factor : base,
);

/** Multiplied by a factor that goes from `startFactor` to `endFactor` over `totalIters` steps, and stays there. */
export const linear = define(
  { startFactor: option(SHARE, 1 / 3, 0.5), endFactor: option(SHARE, 1), totalIters: option(COUNT, 5) },
  ({ startFactor, endFactor, totalIters }) => (step, base) =>
    base * (startFactor + (endFactor - startFactor) * Math.min(1, step / totalIters)),
);

/** Multiplied by `gamma` in each step. */
export const exponential = define(
  { gamma: required(AMOUNT) },
  ({ gamma }) => (step, base) => base * gamma ** step,
);

/** Falls to 0 over `totalIters` steps, as the `power` of the share of steps that are left. */
export const polynomial = define(
  { totalIters: option(COUNT, 5), power: option(AMOUNT, 1, 2) },
  ({ totalIters, power }) => (step, base) => base * (1 - Math.min(1, step / totalIters)) ** power,
);

/** Falls to `etaMin` over `tMax` steps as half a wave of a cosine, then rises again (Loshchilov & Hutter 2017). */
export const cosine = define(
  { tMax: required(COUNT), etaMin: option(AMOUNT, 0, 0.001) },
  ({ tMax, etaMin }) => (step, base) => etaMin + (base - etaMin) * halfWave(step / tMax),
);

/** Falls to `etaMin` in the same way, again and again: over `t0` steps at first, each time over `tMult` times as many. */
export const cosineRestarts = define(
  { t0: required(COUNT), tMult: option(COUNT, 1, 2), etaMin: option(AMOUNT, 0, 0.001) },
  ({ t0, tMult, etaMin }) => (step, base) => {
    let length = t0, within = step;
    if (tMult === 1) within %= t0;
    for (; within >= length; length *= tMult) within -= length;
    return etaMin + (base - etaMin) * halfWave(within / length);
  },
);

const CYCLE = {
  totalSteps: required(COUNT),
  /** The share of the steps in which the rate rises. Default 0.3. */
  pctStart: option(SHARE, 0.3),
  /** The shape of the rise and the fall: half a wave of a cosine, or a line. Default "cos". */
  annealStrategy: option(oneOf("cos", "linear"), "cos"),
  /** The largest rate divided by the first one. Default 25. */
  divFactor: option(DIVISOR, 25),
  /** The first rate divided by the last one. Default 10000. */
  finalDivFactor: option(DIVISOR, 1e4),
  /** Falls to the first rate as fast as it rose, and to the last in the steps that are left. Default false. */
  threePhase: option(checkFlag, false),
} as const;

/** Options of a cycle. */
export type Cycle = Partial<Omit<OptionsOf<typeof CYCLE>, "totalSteps">>;

/** One rise and fall (Smith & Topin 2018), as PyTorch has it; the base rate is the largest. */
export const oneCycle = define(
  CYCLE,
  ({ totalSteps, pctStart, annealStrategy, divFactor, finalDivFactor, threePhase }, where) => {
    const first = 1 / divFactor, last = first / finalDivFactor, top = pctStart * totalSteps - 1;
    // Where each phase ends, and its rates.
    const phases: [end: number, from: number, to: number][] = threePhase
      ? [[top, first, 1], [2 * top, 1, first], [totalSteps - 1, first, last]]
      : [[top, first, 1], [totalSteps - 1, 1, last]];
    return (step, base) => {
      if (step > totalSteps) throw new UsageError(`${where}: step ${step} of ${totalSteps}: the cycle is over`);
      const phase = phases.findIndex(([end], i) => step <= end || i === phases.length - 1);
      const [end, from, to] = phases[phase]!, start = phase === 0 ? 0 : phases[phase - 1]![0];
      const share = end === start ? 1 : (step - start) / (end - start);
      return base * (annealStrategy === "cos" ? to + (from - to) * halfWave(share) : from + (to - from) * share);
    };
  },
);

/** Schedules one after the other: at each milestone the next one begins, with its step 0. */
export function sequential(schedules: readonly Schedule[], milestones: readonly number[], where: string): Schedule {
  const starts = milestonesFrom(1)(milestones, `${where}: milestones`, UsageError);
  if (starts.length !== schedules.length - 1) {
    throw new UsageError(
      `${where}: ${schedules.length} schedules need ${schedules.length - 1} milestones between them, ` +
        `got ${starts.length}`,
    );
  }
  return (step, base) => {
    const current = reached(starts, step);
    return schedules[current]!(current === 0 ? step : step - starts[current - 1]!, base);
  };
}
