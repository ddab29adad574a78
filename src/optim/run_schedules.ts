/**
 * The schedules of training runs, by the names that `--schedule` takes. Their lengths are those of the run, or in epochs,
 * and their rates are factors of the base rate; the names of options are PyTorch's.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { checkOptions, describe, numberIn, type OptionValue, wholeNumber } from "../ops/options.ts";
import { PLATEAU, type PlateauOptions, RunPlateau } from "./plateau.ts";
import * as schedules from "./schedules.ts";
import type { Cycle, Schedule } from "./schedules.ts";

/** Options by name. */
export type ScheduleOptions = Readonly<Record<string, OptionValue>>;

/** A schedule that a run can have. */
export interface NamedSchedule {
  /** What it does, in a line. */
  readonly summary: string;
  /** The options, with their defaults. */
  readonly defaults: ScheduleOptions;
  /**
   * The schedule of a run of `totalSteps`. Options that are missing have their defaults.
   *
   * @throws {UsageError} if an option is unknown or out of range.
   */
  make(totalSteps: number, stepsPerEpoch: number, options?: ScheduleOptions): Schedule;
}

/** The run that a schedule is made for. */
class Run {
  constructor(readonly name: string, readonly totalSteps: number, readonly stepsPerEpoch: number) {
    wholeNumber()(totalSteps, `${name}: the number of steps`, UsageError);
    numberIn(1)(stepsPerEpoch, `${name}: the steps of an epoch`, UsageError);
  }

  /** The number of steps in this share of the run. */
  share(share: number): number {
    return Math.max(1, Math.round(this.totalSteps * share));
  }

  /** The number of steps in this number of epochs. */
  steps(epochs: number, option: string): number {
    return Math.max(1, Math.round(numberIn(0)(epochs, `${this.name}: ${option}`, UsageError) * this.stepsPerEpoch));
  }

  /** A factor from 0 to 1. */
  factor(value: number, option: string): number {
    return numberIn(0, 1)(value, `${this.name}: ${option}`, UsageError);
  }
}

/** The types of options, by their defaults. */
type Like<D> = {
  [K in keyof D]: D[K] extends number ? number : D[K] extends boolean ? boolean : D[K] extends string ? string : D[K];
};

function checkType(value: OptionValue, like: OptionValue, what: string): void {
  if (typeof value === typeof like && Array.isArray(value) === Array.isArray(like)) return;
  throw new UsageError(
    `${what} must be ${Array.isArray(like) ? "an array" : `a ${typeof like}`}, got ${describe(value)}`,
  );
}

function named<D extends ScheduleOptions>(
  name: string,
  summary: string,
  defaults: D,
  make: (options: Like<D>, run: Run) => Schedule,
): [string, NamedSchedule] {
  return [name, {
    summary,
    defaults,
    make(totalSteps, stepsPerEpoch, options = {}) {
      checkOptions(options, defaults, name, UsageError);
      for (const [option, value] of Object.entries(options)) checkType(value, defaults[option]!, `${name}: ${option}`);
      return make({ ...defaults, ...options } as Like<D>, new Run(name, totalSteps, stepsPerEpoch));
    },
  }];
}

const NONE: readonly number[] = [];
const { mode: _mode, eps: _eps, minLr: _minLr, ...REDUCTION } = PLATEAU;
const { totalSteps: _totalSteps, ...CYCLE } = schedules.oneCycle.defaults;

/** All schedules, by name. */
export const SCHEDULES: Readonly<Record<string, NamedSchedule>> = Object.fromEntries([
  named("none", "the rate stays as it is", {}, () => (_, base) => base),
  named(
    "step",
    "times gamma every stepSize epochs (0: every third of the run)",
    { stepSize: 0, gamma: schedules.stepwise.defaults.gamma },
    ({ stepSize, gamma }, run) => {
      const steps = stepSize === 0 ? run.share(1 / 3) : run.steps(stepSize, "stepSize");
      return schedules.stepwise({ stepSize: steps, gamma }, run.name);
    },
  ),
  named(
    "multistep",
    "times gamma at each of the milestones, in epochs (none given: at a half and three quarters of the run)",
    { milestones: NONE, gamma: schedules.multiStep.defaults.gamma },
    ({ milestones, gamma }, run) => {
      const given = milestones.map((epoch) => run.steps(epoch, "milestones"));
      return schedules.multiStep(
        { milestones: given.length ? given : [run.share(0.5), run.share(0.75)], gamma },
        run.name,
      );
    },
  ),
  named("exponential", "times gamma every epoch", { gamma: 0.95 }, ({ gamma }, { stepsPerEpoch, name }) => {
    const byEpoch = schedules.exponential({ gamma }, name);
    return (step, base) => byEpoch(Math.floor(step / stepsPerEpoch), base);
  }),
  named(
    "cosine",
    "half a wave of a cosine over the run, from 1 to minFactor",
    { minFactor: 0 },
    ({ minFactor }, run) =>
      schedules.cosine({ tMax: run.totalSteps, etaMin: run.factor(minFactor, "minFactor") }, run.name),
  ),
  named(
    "cosine-restarts",
    "half a wave over t0 epochs (0: a third of the run), again and again, each tMult times as long",
    { t0: 0, tMult: 1, minFactor: 0 },
    ({ t0, tMult, minFactor }, run) => {
      const etaMin = run.factor(minFactor, "minFactor"), steps = t0 === 0 ? run.share(1 / 3) : run.steps(t0, "t0");
      return schedules.cosineRestarts({ t0: steps, tMult, etaMin }, run.name);
    },
  ),
  named(
    "one-cycle",
    "rises from 1/divFactor to 1 in the share pctStart of the run, then falls to a finalDivFactor-th of the first",
    CYCLE,
    (options, { totalSteps, name }) => {
      const cycle = schedules.oneCycle({ ...options as Cycle, totalSteps }, name);
      return (step, base) => cycle(Math.min(step, totalSteps), base);
    },
  ),
  named(
    "linear",
    "from startFactor to endFactor over the run",
    { startFactor: 1, endFactor: 0 },
    (options, { totalSteps, name }) => schedules.linear({ ...options, totalIters: totalSteps }, name),
  ),
  named(
    "polynomial",
    "falls to 0 over the run as the power of what is left of it",
    { power: schedules.polynomial.defaults.power },
    ({ power }, { totalSteps, name }) => schedules.polynomial({ power, totalIters: totalSteps }, name),
  ),
  named(
    "plateau",
    "times factor, down to minFactor, when the loss of an epoch has not got better for patience epochs",
    { ...REDUCTION, minFactor: 0 },
    ({ minFactor, ...options }, run) => {
      run.factor(options.factor, "factor");
      const minLr = run.factor(minFactor, "minFactor");
      const plateau = new RunPlateau({ ...options, minLr } as PlateauOptions, run.name);
      return Object.assign((_: number, base: number) => base * plateau.factor, { plateau });
    },
  ),
]);

/**
 * A schedule behind a warm-up of `warmup` steps, in which the rate rises evenly from `startFactor` (default 0.01) times
 * the base. The schedule begins after it and takes the steps that are left, as with PyTorch's `SequentialLR`; the factor
 * of "plateau" multiplies the warm-up.
 *
 * @throws {UsageError} if there is no such schedule, or an option does not fit.
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
): Schedule {
  const found = Object.hasOwn(SCHEDULES, name) ? SCHEDULES[name]! : null;
  if (!found) throw new UsageError(`no such schedule: "${name}" (choose from ${Object.keys(SCHEDULES).join(", ")})`);
  wholeNumber(0)(warmup, "warm-up: the number of steps", UsageError);
  const after = found.make(Math.max(1, totalSteps - warmup), stepsPerEpoch, options), { plateau } = after;
  if (warmup === 0) return after;
  const rise = schedules.linear({ startFactor, totalIters: warmup }, "warm-up");
  const schedule = (step: number, base: number) =>
    step < warmup ? rise(step, base) * (plateau?.factor ?? 1) : after(step - warmup, base);
  return plateau ? Object.assign(schedule, { plateau }) : schedule;
}
