/**
 * Schedules by the names that the command line has for them. Each says by what factor the base rate is multiplied in
 * each step of a run. Lengths are those of the run or in epochs; the option names are PyTorch's.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { checkOptions, describe, isPlain, type OptionValue } from "../ops/options.ts";
import { PLATEAU, Plateau, type PlateauOptions, type PlateauState } from "./plateau.ts";
import * as schedules from "./schedules.ts";
import type { Cycle, Schedule } from "./schedules.ts";

export type ScheduleOptions = Readonly<Record<string, OptionValue>>;

/** The factor of the base rate in a step of the run, counted from 0. */
export type Factor = (step: number) => number;

export interface NamedSchedule {
  /** What it does, in a line. */
  readonly summary: string;
  /** The options, with their defaults. */
  readonly defaults: ScheduleOptions;
  /**
   * The schedule of a run of `totalSteps`; what `options` lacks is the default.
   *
   * @throws {UsageError} where an option is unknown or out of range.
   */
  make(totalSteps: number, stepsPerEpoch: number, options?: ScheduleOptions): Factor | PlateauFactor;
}

interface Run {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** The steps of so many epochs. */
  steps(epochs: number, what: string): number;
}

/** Options as their defaults have them, but for their values. */
type Like<D> = {
  [K in keyof D]: D[K] extends number ? number : D[K] extends boolean ? boolean : D[K] extends string ? string : D[K];
};

function checkKind(value: OptionValue, like: OptionValue, what: string): void {
  if (typeof value === typeof like && Array.isArray(value) === Array.isArray(like)) return;
  throw new UsageError(
    `${what} must be ${Array.isArray(like) ? "an array" : `a ${typeof like}`}, got ${describe(value)}`,
  );
}

function named<D extends ScheduleOptions>(
  name: string,
  summary: string,
  defaults: D,
  make: (run: Run, options: Like<D>, name: string) => Schedule | PlateauFactor,
): [string, NamedSchedule] {
  return [name, {
    summary,
    defaults,
    make(totalSteps, stepsPerEpoch, options = {}) {
      checkOptions(options, defaults, name, UsageError);
      for (const [option, value] of Object.entries(options)) checkKind(value, defaults[option]!, `${name}: ${option}`);
      schedules.checkCount(totalSteps, `${name}: the number of steps`);
      schedules.checkNumber(stepsPerEpoch, `${name}: the steps of an epoch`, 1);
      const steps = (epochs: number, what: string) =>
        Math.max(1, Math.round(schedules.checkNumber(epochs, `${name}: ${what}`, 0) * stepsPerEpoch));
      const made = make({ totalSteps, stepsPerEpoch, steps }, { ...defaults, ...options } as Like<D>, name);
      return made instanceof PlateauFactor ? made : (step) => made(step, 1);
    },
  }];
}

/** A share of the run, in steps. */
const share = ({ totalSteps }: Run, of: number) => Math.max(1, Math.round(totalSteps * of));

const NONE: readonly number[] = [];

/** All schedules, by name. */
export const SCHEDULES: Readonly<Record<string, NamedSchedule>> = Object.fromEntries([
  named("none", "the rate stays as it is", {}, () => (_, base) => base),
  named(
    "step",
    "times gamma every stepSize epochs (0: every third of the run)",
    { stepSize: 0, gamma: 0.1 },
    (run, { stepSize, gamma }, name) => {
      const length = stepSize === 0 ? share(run, 1 / 3) : run.steps(stepSize, "stepSize");
      return schedules.stepwise(length, gamma, name);
    },
  ),
  named(
    "multistep",
    "times gamma at each of the milestones, in epochs (none given: at a half and three quarters of the run)",
    { milestones: NONE, gamma: 0.1 },
    (run, { milestones, gamma }, name) => {
      const given = milestones.map((one) => run.steps(one, "milestones"));
      return schedules.multiStep(given.length > 0 ? given : [share(run, 0.5), share(run, 0.75)], gamma, name);
    },
  ),
  named("exponential", "times gamma every epoch", { gamma: 0.95 }, ({ stepsPerEpoch }, { gamma }, name) => {
    const schedule = schedules.exponential(gamma, name);
    return (step, base) => schedule(Math.floor(step / stepsPerEpoch), base);
  }),
  named(
    "cosine",
    "half a wave of a cosine over the run, from 1 to minFactor",
    { minFactor: 0 },
    ({ totalSteps }, { minFactor }, name) =>
      schedules.cosine(totalSteps, schedules.checkNumber(minFactor, `${name}: minFactor`, 0, 1), name),
  ),
  named(
    "cosine-restarts",
    "half a wave over t0 epochs (0: a third of the run), again and again, each tMult times as long",
    { t0: 0, tMult: 1, minFactor: 0 },
    (run, { t0, tMult, minFactor }, name) => {
      schedules.checkNumber(minFactor, `${name}: minFactor`, 0, 1);
      return schedules.cosineRestarts(t0 === 0 ? share(run, 1 / 3) : run.steps(t0, "t0"), tMult, minFactor, name);
    },
  ),
  named(
    "one-cycle",
    "rises from 1/divFactor to 1 in the share pctStart of the run, then falls to a finalDivFactor-th of the first",
    { pctStart: 0.3, annealStrategy: "cos", divFactor: 25, finalDivFactor: 1e4, threePhase: false },
    ({ totalSteps }, options, name) => {
      const schedule = schedules.oneCycle(totalSteps, options as Cycle, name);
      return (step, base) => schedule(Math.min(step, totalSteps), base);
    },
  ),
  named(
    "linear",
    "from startFactor to endFactor over the run",
    { startFactor: 1, endFactor: 0 },
    ({ totalSteps }, { startFactor, endFactor }, name) => schedules.linear(startFactor, endFactor, totalSteps, name),
  ),
  named(
    "polynomial",
    "falls to 0 over the run as the power of what is left of it",
    { power: 1 },
    ({ totalSteps }, { power }, name) => schedules.polynomial(totalSteps, power, name),
  ),
  named(
    "plateau",
    "times factor, down to minFactor, when the loss of an epoch has not got better for patience epochs",
    { factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: "rel", cooldown: 0, minFactor: 0 },
    (_, { factor, minFactor, ...options }, name) =>
      new PlateauFactor(factor, minFactor, { ...options, mode: PLATEAU.mode } as PlateauOptions, name),
  ),
]);

/** The factor of the base rate, by the losses of the epochs so far. */
export class PlateauFactor {
  readonly #plateau: Plateau;
  #now = 1;

  constructor(readonly by: number, readonly least: number, options: PlateauOptions, where: string) {
    schedules.checkNumber(by, `${where}: factor`, 0, 1);
    schedules.checkNumber(least, `${where}: minFactor`, 0, 1);
    this.#plateau = new Plateau(options, where);
  }

  /** The factor in the next epoch. */
  get factor(): number {
    return this.#now;
  }

  /** Takes the mean loss of the epoch that ended. */
  endEpoch(loss: number): void {
    if (this.#plateau.reduces(loss)) this.#now = Math.max(this.#now * this.by, this.least);
  }

  /** What `loadState()` takes, as plain JSON. */
  state(): PlateauState & { factor: number } {
    return { ...this.#plateau.state, factor: this.#now };
  }

  /** @throws {UsageError} where it is no such state. */
  loadState(state: PlateauState & { factor: number }): void {
    const { factor, ...seen } = isPlain(state) ? state : {} as never;
    schedules.checkNumber(factor, "plateau: the factor of the state", 0, 1);
    this.#plateau.state = seen;
    this.#now = factor;
  }
}

/** What a trainer needs of a schedule. */
export interface RunSchedule {
  /** The factor of the base rate at a step of the run, from 0; of "plateau", by the epochs that have ended. */
  factor(step: number): number;
  /** The part that goes by losses and has a state; null for all but "plateau". */
  readonly plateau: PlateauFactor | null;
}

/**
 * A schedule behind a warm-up of `warmup` steps, in which the factor rises evenly from `startFactor` (default 0.01).
 * The schedule begins after it and takes the steps that are left, as with PyTorch's `SequentialLR`; "plateau" is
 * multiplied.
 *
 * @throws {UsageError} where there is no such schedule, or an option does not fit.
 */
export function runSchedule(
  name: string,
  { totalSteps, stepsPerEpoch, warmup = 0, startFactor = 0.01, options = {} }: {
    totalSteps: number;
    stepsPerEpoch: number;
    warmup?: number;
    startFactor?: number;
    options?: ScheduleOptions;
  },
): RunSchedule {
  const found = Object.hasOwn(SCHEDULES, name) ? SCHEDULES[name]! : null;
  if (!found) throw new UsageError(`no such schedule: "${name}" (choose from ${Object.keys(SCHEDULES).join(", ")})`);
  schedules.checkCount(warmup, "warm-up: the number of steps", 0);
  const made = found.make(Math.max(1, totalSteps - warmup), stepsPerEpoch, options);
  const rise = warmup > 0 ? schedules.linear(startFactor, 1, warmup, "warm-up") : null;
  const plateau = made instanceof PlateauFactor ? made : null;
  const after = made instanceof PlateauFactor ? () => made.factor : made;
  return {
    factor: (step) => {
      if (!rise || step >= warmup) return after(step - warmup);
      return rise(step, 1) * (plateau?.factor ?? 1);
    },
    plateau,
  };
}
