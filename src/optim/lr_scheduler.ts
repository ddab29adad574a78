/**
 * `optim.lrScheduler`: schedules of the learning rate, with the names and options of `torch.optim.lr_scheduler`. A new
 * scheduler sets the first rates; `step()`, called after a step or an epoch of training, sets the next.
 *
 * All but `ReduceLROnPlateau` are functions of the step, in closed form: `rates(step)` gives the rates of any step, for a
 * program that needs those of many steps at once. If something else changed a group's rate since the last step, be it
 * another schedule or the user, the rate is scaled from there as in PyTorch. `lastEpoch` and `verbose` cannot be given: a
 * run is resumed by `loadStateDict()`, which sets the rates too.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import {
  checkOptions,
  describe,
  isPlain,
  numberIn,
  type OptionsOf,
  type OptionTable,
  wholeNumber,
} from "../ops/options.ts";
import { PLATEAU, Plateau, type PlateauOptions, type PlateauState } from "./plateau.ts";
import { type Group, type Groups, groupsOf, isRates, perGroup } from "./rate_groups.ts";
import * as schedules from "./schedules.ts";
import type { Cycle, Definition, Schedule } from "./schedules.ts";

export type { Cycle, Group, Groups, PlateauOptions, PlateauState, Schedule };
export type { PlateauOptions as ReduceOptions };

/** The state of a schedule, as plain JSON. */
export interface SchedulerState {
  /** The calls of `step()`. */
  lastEpoch: number;
  /** The base rate of each group. */
  baseLrs: number[];
  /** The present rate of each group. */
  lastLr: number[];
}

/** The rate of each group before its first schedule: the base rate of all of its schedules. */
const initial = new WeakMap<Group, number>();

/** The base class of the schedules that are functions of the step. */
export abstract class LRScheduler {
  readonly #groups: readonly Group[];
  readonly #schedules: readonly Schedule[];
  readonly #absolute: boolean;
  #lastEpoch = 0;
  #baseLrs: readonly number[];
  #lastLr: readonly number[] = [];

  /**
   * @param schedule one for all groups, or one for each.
   * @param absolute sets the rates whatever they were, instead of scaling them.
   */
  protected constructor(
    readonly optimizer: Groups,
    schedule: Schedule | readonly Schedule[],
    where: string,
    absolute = false,
  ) {
    this.#groups = groupsOf(optimizer, where);
    this.#schedules = perGroup(schedule, this.#groups, where);
    this.#absolute = absolute;
    this.#baseLrs = this.#groups.map((group) => {
      if (!initial.has(group)) initial.set(group, group.lr);
      return initial.get(group)!;
    });
    this.#set(this.#baseLrs, this.rates(0));
  }

  /** The calls of `step()` so far. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** The base rate of each group. */
  get baseLrs(): readonly number[] {
    return this.#baseLrs;
  }

  /** The rate of each group since the last step. */
  get lastLr(): readonly number[] {
    return this.#lastLr;
  }

  /** The rate of each group `step` steps after the beginning. Changes nothing. */
  rates(step: number): number[] {
    numberIn(0)(step, "rates: the step", UsageError);
    return this.#schedules.map((schedule, i) => schedule(step, this.#baseLrs[i]!));
  }

  /** The schedule of each group. */
  get schedules(): readonly Schedule[] {
    return this.#schedules;
  }

  /** Sets the rates of the next step. */
  step(): void {
    const before = this.rates(this.#lastEpoch), next = this.rates(this.#lastEpoch + 1);
    this.#lastEpoch++;
    this.#set(before, next);
  }

  #set(before: readonly number[], next: readonly number[]): void {
    this.#groups.forEach((group, i) => {
      // An optimizer may keep its rate in f32.
      const untouched = Math.fround(group.lr) === Math.fround(before[i]!);
      group.lr = this.#absolute || untouched || before[i] === 0 ? next[i]! : group.lr * next[i]! / before[i]!;
    });
    this.#lastLr = this.#groups.map(({ lr }) => lr);
  }

  /** The state. The options are not part of it: they are given when the schedule is made again. */
  stateDict(): SchedulerState {
    return { lastEpoch: this.#lastEpoch, baseLrs: [...this.#baseLrs], lastLr: [...this.#lastLr] };
  }

  /**
   * Continues from a state of `stateDict()`, and sets its rates.
   *
   * @throws {UsageError} if it is no such state, or one of other groups. Nothing is changed then.
   */
  loadStateDict(state: SchedulerState): void {
    const { lastEpoch, baseLrs, lastLr } = isPlain(state) ? state : {} as never, { length } = this.#groups;
    if (!Number.isSafeInteger(lastEpoch) || lastEpoch < 0 || !isRates(baseLrs, length) || !isRates(lastLr, length)) {
      throw new UsageError(
        `${this.constructor.name}: expected a state as stateDict() gives, of ${length} groups, got ${describe(state)}`,
      );
    }
    this.#lastEpoch = lastEpoch;
    this.#baseLrs = [...baseLrs];
    this.#lastLr = [...lastLr];
    this.#groups.forEach((group, i) => group.lr = lastLr[i]!);
  }
}

/**
 * The class of a schedule, with PyTorch's arguments: the optimizer, the value of `first` if there is one, and options.
 *
 * @param absolute see `LRScheduler`.
 */
function classOf<T extends OptionTable, K extends keyof T = never>(
  definition: Definition<T>,
  first?: K,
  absolute = false,
) {
  type Options = Omit<Partial<OptionsOf<T>>, K>;
  type Arguments = [K] extends [never] ? [options?: Options] : [value: OptionsOf<T>[K], options?: Options];
  return class extends LRScheduler {
    constructor(optimizer: Groups, ...given: Arguments) {
      const [options = {}] = (first === undefined ? given : given.slice(1)) as [Partial<OptionsOf<T>>?];
      const positional = (first === undefined ? {} : { [first]: given[0] }) as Partial<OptionsOf<T>>,
        { name } = new.target;
      super(optimizer, definition(options, name, positional), name, absolute);
    }
  };
}

/** The rate times `gamma` (default 0.1) every `stepSize` steps: `new StepLR(optimizer, stepSize, { gamma })`. */
export class StepLR extends classOf(schedules.stepwise, "stepSize") {}

/**
 * The rate times `gamma` (default 0.1) at each milestone, in rising order: `new MultiStepLR(optimizer, milestones,
 * { gamma })`.
 */
export class MultiStepLR extends classOf(schedules.multiStep, "milestones") {}

/** The rate times `factor` (default 1/3) for the first `totalIters` (default 5) steps. */
export class ConstantLR extends classOf(schedules.constant) {}

/**
 * The rate times a factor that goes from `startFactor` (default 1/3) to `endFactor` (1) over `totalIters` (5) steps.
 */
export class LinearLR extends classOf(schedules.linear) {}

/** The rate times `gamma` at each step: `new ExponentialLR(optimizer, gamma)`. */
export class ExponentialLR extends classOf(schedules.exponential, "gamma") {}

/**
 * The rate times (1 − step / totalIters)^power: to 0 in `totalIters` (default 5) steps, evenly if `power` is 1
 * (default).
 */
export class PolynomialLR extends classOf(schedules.polynomial) {}

/**
 * Half a wave of a cosine from the rate to `etaMin` (default 0) in `tMax` steps, then back, and so on:
 * `new CosineAnnealingLR(optimizer, tMax, { etaMin })`. If something else changed the rate, PyTorch scales only the part
 * above `etaMin`; here the whole rate is scaled.
 */
export class CosineAnnealingLR extends classOf(schedules.cosine, "tMax") {}

/**
 * Half a wave of a cosine from the rate to `etaMin` (default 0), again and again: over `t0` steps at first, each time
 * over `tMult` (default 1) times as many. `new CosineAnnealingWarmRestarts(optimizer, t0, { tMult, etaMin })`. `step()`
 * takes no number: `rates()` gives the rates of fractions of a step.
 */
export class CosineAnnealingWarmRestarts extends classOf(schedules.cosineRestarts, "t0", true) {}

/** Options of `OneCycleLR`: its length, `totalSteps` or `epochs` times `stepsPerEpoch`, and its shape. */
export interface OneCycleOptions extends Cycle {
  totalSteps?: number;
  epochs?: number;
  stepsPerEpoch?: number;
  /** PyTorch's default, true, moves the momentum against the rate. Here it stays, since it is part of the kernels. */
  cycleMomentum?: false;
}

/**
 * One rise to `maxLr`, of all groups or of each, and one fall. The rates of the optimizer do not matter. Unlike
 * PyTorch's, it leaves the momentum alone.
 *
 * @throws {UsageError} by `step()` too, at the end of the cycle.
 */
export class OneCycleLR extends LRScheduler {
  constructor(optimizer: Groups, maxLr: number | readonly number[], options: OneCycleOptions = {}) {
    const name = "OneCycleLR", groups = groupsOf(optimizer, name), all = perGroup(maxLr, groups, `${name}: maxLr`);
    const known = { totalSteps: 100, epochs: 1, stepsPerEpoch: 1, cycleMomentum: false };
    checkOptions(options, { ...known, ...schedules.oneCycle.defaults }, name, UsageError);
    const { totalSteps, epochs, stepsPerEpoch, cycleMomentum = false, ...shape } = options;
    if (cycleMomentum !== false) {
      throw new UsageError(`${name}: cycleMomentum must be false: the momentum is part of the optimizer's kernels`);
    }
    const count = (value: unknown, what: string) =>
      wholeNumber()(value, `${name}: without totalSteps, ${what}`, UsageError);
    const length = totalSteps ?? count(epochs, "epochs") * count(stepsPerEpoch, "stepsPerEpoch");
    const cycle = schedules.oneCycle({ ...shape, totalSteps: length }, name);
    const each = all.map((max): Schedule => {
      numberIn(0)(max, `${name}: maxLr`, UsageError);
      return (step) => cycle(step, max);
    });
    groups.forEach((group, i) => initial.set(group, each[i]!(0, 0)));
    super(optimizer, each, name, true);
  }
}

/** The initial rate times what `lrLambda`, one function or one for each group, returns for the number of the step. */
export class LambdaLR extends LRScheduler {
  constructor(optimizer: Groups, lrLambda: ((step: number) => number) | readonly ((step: number) => number)[]) {
    const all = perGroup(lrLambda, groupsOf(optimizer, "LambdaLR"), "LambdaLR: lrLambda");
    const wrong = all.find((one) => typeof one !== "function");
    if (wrong !== undefined) throw new UsageError(`LambdaLR: lrLambda must be a function, got ${describe(wrong)}`);
    super(optimizer, all.map((factor): Schedule => (step, base) => base * factor(step)), "LambdaLR", true);
  }
}

/**
 * Several schedules of one optimizer, one after the other: at each milestone the next one begins. It takes them over:
 * their own `step()` must not be called any more.
 */
export class SequentialLR extends LRScheduler {
  constructor(optimizer: Groups, parts: readonly LRScheduler[], milestones: readonly number[]) {
    const name = "SequentialLR", groups = groupsOf(optimizer, name);
    if (!Array.isArray(parts) || !parts.every((one) => one instanceof LRScheduler && one.optimizer === optimizer)) {
      throw new UsageError(
        `${name}: expected an array of schedulers of the same optimizer, of step() without metric`,
      );
    }
    const ofGroup = (i: number) => schedules.sequential(parts.map((one) => one.schedules[i]!), milestones, name);
    super(optimizer, groups.map((_, i) => ofGroup(i)), name, true);
  }
}

/**
 * A warm-up in front of `scheduler`, which begins after it: the rate rises evenly over `steps` steps, from
 * `startFactor` (default 0.01, as in torchvision's recipes) times itself. In PyTorch, this is `SequentialLR(optimizer,
 * [LinearLR(optimizer, start_factor, total_iters=steps), scheduler], [steps])`.
 *
 * In front of `ReduceLROnPlateau`, call `step()` of a `LinearLR` besides: its rates and the reductions multiply.
 */
export function warmup(
  optimizer: Groups,
  steps: number,
  scheduler: LRScheduler,
  options: { startFactor?: number } = {},
): SequentialLR {
  checkOptions(options, { startFactor: 0.01 }, "warmup", UsageError);
  const rise = { startFactor: 0.01, ...options, totalIters: steps };
  schedules.linear(rise, "warmup"); // Refuses in this name.
  return new SequentialLR(optimizer, [new LinearLR(optimizer, rise), scheduler], [steps]);
}

/** The rate times `factor` when a metric, such as an epoch's loss, has not got better for `patience` steps. */
export class ReduceLROnPlateau extends Plateau {
  constructor(readonly optimizer: Groups, options: PlateauOptions = {}) {
    const name = "ReduceLROnPlateau";
    super(groupsOf(optimizer, name), options, name);
    const { factor } = { ...PLATEAU, ...options };
    if (factor >= 1) throw new UsageError(`${name}: factor must be less than 1, got ${factor}`);
  }
}
