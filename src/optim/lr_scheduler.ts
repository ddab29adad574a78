/**
 * `optim.lrScheduler`: schedules of the learning rate, with the names and options of `torch.optim.lr_scheduler`. Making
 * one sets the first rates; `step()`, called after a step or an epoch of training, sets the next.
 *
 * All but `ReduceLROnPlateau` are functions of the step, in closed form: `rates(step)` gives those of any step, for a
 * program that gets those of many steps at once. Where something else changed a group's rate since the last step, be it
 * another schedule or the user, it is scaled from there as in PyTorch. `lastEpoch` and `verbose` cannot be given: a run
 * is resumed by `loadStateDict()`, which sets the rates too.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { checkOptions, describe, isPlain } from "../ops/options.ts";
import { PLATEAU, Plateau, type PlateauOptions, type PlateauState } from "./plateau.ts";
import * as schedules from "./schedules.ts";
import type { Cycle, Schedule } from "./schedules.ts";

export type { Cycle, PlateauOptions, PlateauState, Schedule };

/** What has a learning rate: an optimizer's group of parameters. */
export interface Group {
  lr: number;
}

/** What a schedule acts on: an optimizer. */
export interface Groups {
  readonly paramGroups: readonly Group[];
}

/** The state of a schedule, as plain JSON. */
export interface SchedulerState {
  /** The calls of `step()`. */
  lastEpoch: number;
  /** The rates from which the schedule goes out, and those of now, by group. */
  baseLrs: number[];
  lastLr: number[];
}

/** The rate of each group before its first schedule: from there all of its schedules go out. */
const initial = new WeakMap<Group, number>();

function groupsOf(optimizer: Groups, where: string): readonly Group[] {
  const groups: unknown = (optimizer as Groups | null | undefined)?.paramGroups;
  if (!Array.isArray(groups) || groups.length === 0 || !groups.every((one) => typeof one?.lr === "number")) {
    throw new UsageError(`${where}: expected an optimizer, got ${describe(optimizer)}`);
  }
  return groups;
}

const isRates = (value: unknown, count: number) =>
  Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));

/** `value` for each group; a list has one for each. */
function perGroup<T>(value: T | readonly T[], { length }: readonly Group[], what: string): readonly T[] {
  if (!Array.isArray(value)) return new Array<T>(length).fill(value as T);
  if (value.length !== length) {
    throw new UsageError(`${what}: expected ${length}, one for each group, got ${value.length}`);
  }
  return value;
}

/** The base of the schedules that are functions of the step. */
export abstract class LRScheduler {
  readonly #groups: readonly Group[];
  readonly #schedules: readonly Schedule[];
  readonly #absolute: boolean;
  #lastEpoch = 0;
  #baseLrs: readonly number[];
  #lastLr: readonly number[] = [];

  /**
   * @param schedule that of all groups, or of each.
   * @param absolute the rates are set whatever they were, instead of scaled.
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

  /** The rates from which the schedule goes out, by group. */
  get baseLrs(): readonly number[] {
    return this.#baseLrs;
  }

  /** The rates since the last step, by group. */
  get lastLr(): readonly number[] {
    return this.#lastLr;
  }

  /** The rate of each group `step` steps after the beginning. Changes nothing. */
  rates(step: number): number[] {
    schedules.checkNumber(step, "rates: the step", 0);
    return this.#schedules.map((schedule, i) => schedule(step, this.#baseLrs[i]!));
  }

  /** The schedule of each group. */
  get schedules(): readonly Schedule[] {
    return this.#schedules;
  }

  /** Goes on by one step. */
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

  /** Where the schedule is. The options are not part of it: they are given when it is made again. */
  stateDict(): SchedulerState {
    return { lastEpoch: this.#lastEpoch, baseLrs: [...this.#baseLrs], lastLr: [...this.#lastLr] };
  }

  /**
   * Goes on where `stateDict()` was asked for, and sets the rates of then.
   *
   * @throws {UsageError} where it is no such state, or one of other groups. Nothing is changed then.
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

/** The rate times `gamma` (default 0.1) every `stepSize` steps. */
export class StepLR extends LRScheduler {
  constructor(optimizer: Groups, stepSize: number, options: { gamma?: number } = {}) {
    checkOptions(options, { gamma: 0.1 }, "StepLR", UsageError);
    super(optimizer, schedules.stepwise(stepSize, options.gamma ?? 0.1, "StepLR"), "StepLR");
  }
}

/** The rate times `gamma` (default 0.1) at each milestone, in rising order. */
export class MultiStepLR extends LRScheduler {
  constructor(optimizer: Groups, milestones: readonly number[], options: { gamma?: number } = {}) {
    checkOptions(options, { gamma: 0.1 }, "MultiStepLR", UsageError);
    super(optimizer, schedules.multiStep(milestones, options.gamma ?? 0.1, "MultiStepLR"), "MultiStepLR");
  }
}

/** The rate times `factor` (default 1/3) for the first `totalIters` (default 5) steps. */
export class ConstantLR extends LRScheduler {
  constructor(optimizer: Groups, options: { factor?: number; totalIters?: number } = {}) {
    checkOptions(options, { factor: 0.5, totalIters: 5 }, "ConstantLR", UsageError);
    const { factor = 1 / 3, totalIters = 5 } = options;
    super(optimizer, schedules.constant(factor, totalIters, "ConstantLR"), "ConstantLR");
  }
}

/**
 * The rate times a factor that goes from `startFactor` (default 1/3) to `endFactor` (1) over `totalIters` (5) steps.
 */
export class LinearLR extends LRScheduler {
  constructor(optimizer: Groups, options: { startFactor?: number; endFactor?: number; totalIters?: number } = {}) {
    checkOptions(options, { startFactor: 0.5, endFactor: 1, totalIters: 5 }, "LinearLR", UsageError);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options;
    super(optimizer, schedules.linear(startFactor, endFactor, totalIters, "LinearLR"), "LinearLR");
  }
}

/** The rate times `gamma` at each step. */
export class ExponentialLR extends LRScheduler {
  constructor(optimizer: Groups, gamma: number) {
    super(optimizer, schedules.exponential(gamma, "ExponentialLR"), "ExponentialLR");
  }
}

/**
 * The rate times (1 − step / totalIters)^power: to 0 in `totalIters` (default 5) steps, evenly where `power` is 1
 * (default).
 */
export class PolynomialLR extends LRScheduler {
  constructor(optimizer: Groups, options: { totalIters?: number; power?: number } = {}) {
    checkOptions(options, { totalIters: 5, power: 2 }, "PolynomialLR", UsageError);
    const { totalIters = 5, power = 1 } = options;
    super(optimizer, schedules.polynomial(totalIters, power, "PolynomialLR"), "PolynomialLR");
  }
}

/**
 * Half a wave of a cosine from the rate to `etaMin` (default 0) in `tMax` steps, and back, and so on. Of a rate that
 * something else changed, PyTorch scales only what is above `etaMin`; here it is scaled as a whole.
 */
export class CosineAnnealingLR extends LRScheduler {
  constructor(optimizer: Groups, tMax: number, options: { etaMin?: number } = {}) {
    checkOptions(options, { etaMin: 0.001 }, "CosineAnnealingLR", UsageError);
    super(optimizer, schedules.cosine(tMax, options.etaMin ?? 0, "CosineAnnealingLR"), "CosineAnnealingLR");
  }
}

/**
 * Half a wave of a cosine from the rate to `etaMin` (default 0), again and again: over `t0` steps at first, each time
 * over `tMult` (default 1) times as many. `step()` takes no number: `rates()` gives those of fractions of a step.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  constructor(optimizer: Groups, t0: number, options: { tMult?: number; etaMin?: number } = {}) {
    const name = "CosineAnnealingWarmRestarts";
    checkOptions(options, { tMult: 2, etaMin: 0.001 }, name, UsageError);
    super(optimizer, schedules.cosineRestarts(t0, options.tMult ?? 1, options.etaMin ?? 0, name), name, true);
  }
}

/** Options of `OneCycleLR`: how long it is, `totalSteps` or `epochs` times `stepsPerEpoch`, and how it goes. */
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
    const groups = groupsOf(optimizer, "OneCycleLR"), all = perGroup(maxLr, groups, "OneCycleLR: maxLr");
    const known = { totalSteps: 100, epochs: 1, stepsPerEpoch: 1, cycleMomentum: false, pctStart: 0.3 };
    const others = { annealStrategy: "cos", divFactor: 25, finalDivFactor: 1e4, threePhase: false };
    checkOptions(options, { ...known, ...others }, "OneCycleLR", UsageError);
    const { totalSteps, epochs, stepsPerEpoch, cycleMomentum = false, ...cycle } = options;
    if (cycleMomentum !== false) {
      throw new UsageError("OneCycleLR: cycleMomentum must be false: the momentum is part of the optimizer's kernels");
    }
    const product = () =>
      schedules.checkCount(epochs, "OneCycleLR: without totalSteps, epochs") *
      schedules.checkCount(stepsPerEpoch, "OneCycleLR: without totalSteps, stepsPerEpoch");
    const cycleOf = schedules.oneCycle(totalSteps ?? product(), cycle, "OneCycleLR");
    const own = all.map((max): Schedule => {
      schedules.checkNumber(max, "OneCycleLR: maxLr", 0);
      return (step) => cycleOf(step, max);
    });
    groups.forEach((group, i) => initial.set(group, own[i]!(0, 0)));
    super(optimizer, own, "OneCycleLR", true);
  }
}

/** The initial rate times what `lrLambda`, one function or one for each group, gives for the number of the step. */
export class LambdaLR extends LRScheduler {
  constructor(optimizer: Groups, lrLambda: ((step: number) => number) | readonly ((step: number) => number)[]) {
    const all = perGroup(lrLambda, groupsOf(optimizer, "LambdaLR"), "LambdaLR: lrLambda");
    const wrong = all.find((one) => typeof one !== "function");
    if (wrong !== undefined) throw new UsageError(`LambdaLR: lrLambda must be a function, got ${describe(wrong)}`);
    super(optimizer, all.map((factor): Schedule => (step, base) => base * factor(step)), "LambdaLR", true);
  }
}

/**
 * Several schedules of one optimizer, one after the other: from each milestone on the next one, which begins there. It
 * takes them over: their own `step()` must not be called any more.
 */
export class SequentialLR extends LRScheduler {
  constructor(optimizer: Groups, parts: readonly LRScheduler[], milestones: readonly number[]) {
    const groups = groupsOf(optimizer, "SequentialLR");
    if (!Array.isArray(parts) || !parts.every((one) => one instanceof LRScheduler && one.optimizer === optimizer)) {
      throw new UsageError(
        "SequentialLR: expected an array of schedulers of the same optimizer, of step() without metric",
      );
    }
    const own = groups.map((_, i) =>
      schedules.sequential(parts.map((one) => one.schedules[i]!), milestones, "SequentialLR")
    );
    super(optimizer, own, "SequentialLR", true);
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
  const { startFactor = 0.01 } = options;
  schedules.linear(startFactor, 1, steps, "warmup"); // Refuses in this name.
  return new SequentialLR(optimizer, [new LinearLR(optimizer, { startFactor, totalIters: steps }), scheduler], [steps]);
}

/** Options of `ReduceLROnPlateau`. */
export interface ReduceOptions extends PlateauOptions {
  /** What the rate is multiplied by, less than 1. Default 0.1. */
  factor?: number;
  /** The least rate, of all groups or of each. Default 0. */
  minLr?: number | readonly number[];
  /** A reduction by less than this is left out. Default 1e-8. */
  eps?: number;
}

/** The rate times `factor` when a metric, such as an epoch's loss, has not got better for `patience` steps. */
export class ReduceLROnPlateau {
  readonly #groups: readonly Group[];
  readonly #plateau: Plateau;
  readonly #factor: number;
  readonly #minLrs: readonly number[];
  readonly #eps: number;
  #lastEpoch = 0;

  constructor(readonly optimizer: Groups, options: ReduceOptions = {}) {
    const name = "ReduceLROnPlateau", groups = this.#groups = groupsOf(optimizer, name);
    checkOptions(options, { ...PLATEAU, factor: 0.1, minLr: 0, eps: 1e-8 }, name, UsageError);
    const { factor = 0.1, minLr = 0, eps = 1e-8, ...rest } = options;
    this.#factor = schedules.checkNumber(factor, `${name}: factor`, 0);
    if (factor >= 1) throw new UsageError(`${name}: factor must be less than 1, got ${factor}`);
    this.#eps = schedules.checkNumber(eps, `${name}: eps`, 0);
    this.#minLrs = perGroup(minLr, groups, `${name}: minLr`);
    for (const one of this.#minLrs) schedules.checkNumber(one, `${name}: minLr`, 0);
    this.#plateau = new Plateau(rest, name);
  }

  /** The calls of `step()` so far. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** The rates of now, by group. */
  get lastLr(): readonly number[] {
    return this.#groups.map(({ lr }) => lr);
  }

  /** Goes on by one step, of which `metric` is known. */
  step(metric: number): void {
    if (typeof metric !== "number") {
      throw new UsageError(`ReduceLROnPlateau: expected a number as metric, got ${describe(metric)}`);
    }
    this.#lastEpoch++;
    if (!this.#plateau.reduces(metric)) return;
    this.#groups.forEach((group, i) => {
      const lr = Math.max(group.lr * this.#factor, this.#minLrs[i]!);
      if (group.lr - lr > this.#eps) group.lr = lr;
    });
  }

  /** Where the schedule is, as plain JSON. The options are not part of it. */
  stateDict(): PlateauState & { lastEpoch: number; lastLr: number[] } {
    return { ...this.#plateau.state, lastEpoch: this.#lastEpoch, lastLr: [...this.lastLr] };
  }

  /**
   * Goes on where `stateDict()` was asked for, and sets the rates of then.
   *
   * @throws {UsageError} where it is no such state, or one of other groups. Nothing is changed then.
   */
  loadStateDict(state: ReturnType<ReduceLROnPlateau["stateDict"]>): void {
    const { lastEpoch, lastLr, ...seen } = isPlain(state) ? state : {} as never;
    if (!Number.isSafeInteger(lastEpoch) || !isRates(lastLr, this.#groups.length)) {
      throw new UsageError(`ReduceLROnPlateau: expected a state as stateDict() gives, got ${describe(state)}`);
    }
    this.#plateau.state = seen;
    this.#lastEpoch = lastEpoch;
    this.#groups.forEach((group, i) => group.lr = lastLr[i]!);
  }
}
