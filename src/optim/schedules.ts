/**
 * Schedules of the learning rate as pure functions of the step, in closed form. `lr_scheduler.ts` has PyTorch's classes
 * on top of them, `schedule_names.ts` the names of the command line.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { checkFlag, describe } from "../ops/options.ts";

/** The rate `step` steps after the beginning, given the base rate. */
export type Schedule = (step: number, base: number) => number;

// --- checks ----------------------------------------------------------------------------------------------------------

/** `value`, a number from `least` to `most`; anything else is refused. */
export function checkNumber(value: unknown, what: string, least = -Infinity, most = Infinity): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= least && value <= most) return value;
  const range = least === -Infinity ? "" : most === Infinity ? ` of ${least} or more` : ` from ${least} to ${most}`;
  throw new UsageError(`${what} must be a number${range}, got ${describe(value)}`);
}

/** `value`, a whole number of at least `least`; anything else is refused. */
export function checkCount(value: unknown, what: string, least = 1): number {
  if (Number.isSafeInteger(value) && value as number >= least) return value as number;
  throw new UsageError(`${what} must be a whole number of ${least} or more, got ${describe(value)}`);
}

/** `value`, one of `choices`; anything else is refused. */
export function checkChoice<T extends string>(value: unknown, choices: readonly T[], what: string): T {
  if (choices.includes(value as T)) return value as T;
  throw new UsageError(`${what} must be one of ${choices.join(", ")}, got ${describe(value)}`);
}

/** Steps at which something changes: whole numbers of at least `least`, none before the one in front of it. */
function checkMilestones(value: unknown, what: string, least: number): readonly number[] {
  const fits = Array.isArray(value) &&
    value.every((one, i) => Number.isSafeInteger(one) && one >= (i === 0 ? least : value[i - 1]));
  if (fits) return [...value];
  const given = Array.isArray(value) ? `[${value.join(", ")}]` : describe(value);
  throw new UsageError(`${what} must be whole numbers of ${least} or more in rising order, got ${given}`);
}

// --- schedules -------------------------------------------------------------------------------------------------------

/** Multiplied by `gamma` every `stepSize` steps. */
export function stepwise(stepSize: number, gamma: number, where: string): Schedule {
  checkCount(stepSize, `${where}: stepSize`);
  checkNumber(gamma, `${where}: gamma`, 0);
  return (step, base) => base * gamma ** Math.floor(step / stepSize);
}

/** Multiplied by `gamma` at each milestone. */
export function multiStep(milestones: readonly number[], gamma: number, where: string): Schedule {
  const own = checkMilestones(milestones, `${where}: milestones`, 0);
  checkNumber(gamma, `${where}: gamma`, 0);
  return (step, base) => base * gamma ** own.filter((one) => one <= step).length;
}

/** Multiplied by `factor` for the first `totalIters` steps. */
export function constant(factor: number, totalIters: number, where: string): Schedule {
  checkNumber(factor, `${where}: factor`, 0, 1);
  checkCount(totalIters, `${where}: totalIters`);
  return (step, base) => step < totalIters ? base * factor : base;
}

/** Multiplied by a factor that goes from `start` to `end` over `totalIters` steps, and stays there. */
export function linear(start: number, end: number, totalIters: number, where: string): Schedule {
  checkNumber(start, `${where}: startFactor`, 0, 1);
  checkNumber(end, `${where}: endFactor`, 0, 1);
  checkCount(totalIters, `${where}: totalIters`);
  return (step, base) => base * (start + (end - start) * Math.min(1, step / totalIters));
}

/** Multiplied by `gamma` in each step. */
export function exponential(gamma: number, where: string): Schedule {
  checkNumber(gamma, `${where}: gamma`, 0);
  return (step, base) => base * gamma ** step;
}

/** Falls to 0 over `totalIters` steps as the `power` of those that are left. */
export function polynomial(totalIters: number, power: number, where: string): Schedule {
  checkCount(totalIters, `${where}: totalIters`);
  checkNumber(power, `${where}: power`, 0);
  return (step, base) => base * (1 - Math.min(1, step / totalIters)) ** power;
}

/** Half a wave of a cosine from 1 to 0, for `x` from 0 to 1. */
const wave = (x: number) => (1 + Math.cos(Math.PI * x)) / 2;

/** Falls to `etaMin` over `tMax` steps as half a wave of a cosine, then rises again (Loshchilov & Hutter 2017). */
export function cosine(tMax: number, etaMin: number, where: string): Schedule {
  checkCount(tMax, `${where}: tMax`);
  checkNumber(etaMin, `${where}: etaMin`, 0);
  return (step, base) => etaMin + (base - etaMin) * wave(step / tMax);
}

/** Falls to `etaMin` likewise, again and again: over `t0` steps at first, each time over `tMult` times as many. */
export function cosineRestarts(t0: number, tMult: number, etaMin: number, where: string): Schedule {
  checkCount(t0, `${where}: t0`);
  checkCount(tMult, `${where}: tMult`);
  checkNumber(etaMin, `${where}: etaMin`, 0);
  return (step, base) => {
    let length = t0, within = step;
    if (tMult === 1) within %= t0;
    for (; within >= length; length *= tMult) within -= length;
    return etaMin + (base - etaMin) * wave(within / length);
  };
}

/** Options of a cycle. */
export interface Cycle {
  /** The share of the steps in which the rate rises. Default 0.3. */
  pctStart?: number;
  /** How it rises and falls: as half a wave of a cosine, or evenly. Default "cos". */
  annealStrategy?: "cos" | "linear";
  /** The largest rate is so many times the first. Default 25. */
  divFactor?: number;
  /** The first rate is so many times the last. Default 10000. */
  finalDivFactor?: number;
  /** Falls to the first rate as fast as it rose, and to the last in the steps that are left. Default false. */
  threePhase?: boolean;
}

/** One rise and fall (Smith & Topin 2018), as PyTorch has it; the base rate is the largest. */
export function oneCycle(totalSteps: number, cycle: Cycle, where: string): Schedule {
  const { pctStart = 0.3, annealStrategy = "cos", divFactor = 25, finalDivFactor = 1e4, threePhase = false } = cycle;
  checkCount(totalSteps, `${where}: the number of steps`);
  checkNumber(pctStart, `${where}: pctStart`, 0, 1);
  checkChoice(annealStrategy, ["cos", "linear"], `${where}: annealStrategy`);
  checkFlag(threePhase, `${where}: threePhase`, UsageError);
  for (const [name, value] of Object.entries({ divFactor, finalDivFactor })) {
    if (checkNumber(value, `${where}: ${name}`, 0) === 0) throw new UsageError(`${where}: ${name} must not be 0`);
  }
  const first = 1 / divFactor, last = first / finalDivFactor, top = pctStart * totalSteps - 1;
  // Where each phase ends, and its rates.
  const phases: [end: number, from: number, to: number][] = threePhase
    ? [[top, first, 1], [2 * top, 1, first], [totalSteps - 1, first, last]]
    : [[top, first, 1], [totalSteps - 1, 1, last]];
  return (step, base) => {
    if (step > totalSteps) throw new UsageError(`${where}: step ${step} of ${totalSteps}: the cycle is over`);
    const at = phases.findIndex(([end], i) => step <= end || i === phases.length - 1);
    const [end, from, to] = phases[at]!, start = at === 0 ? 0 : phases[at - 1]![0];
    const share = end === start ? 1 : (step - start) / (end - start);
    return base * (annealStrategy === "cos" ? to + (from - to) * wave(share) : from + (to - from) * share);
  };
}

/** One after the other: from each milestone on the next one, which begins there with its step 0. */
export function sequential(schedules: readonly Schedule[], milestones: readonly number[], where: string): Schedule {
  const own = checkMilestones(milestones, `${where}: milestones`, 1);
  if (own.length !== schedules.length - 1) {
    throw new UsageError(
      `${where}: ${schedules.length} schedules need ${schedules.length - 1} milestones between them, got ${own.length}`,
    );
  }
  return (step, base) => {
    const at = own.filter((one) => one <= step).length;
    return schedules[at]!(at === 0 ? step : step - own[at - 1]!, base);
  };
}
