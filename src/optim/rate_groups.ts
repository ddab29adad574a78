/**
 * The groups whose rates schedules set.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { describe } from "../ops/options.ts";

/** Something that has a learning rate: an optimizer's group of parameters. */
export interface Group {
  lr: number;
}

/** What a schedule sets the rates of: an optimizer. */
export interface Groups {
  readonly paramGroups: readonly Group[];
}

/** The groups of an optimizer. @throws {UsageError} if it is none. */
export function groupsOf(optimizer: Groups, where: string): readonly Group[] {
  const groups: unknown = (optimizer as Groups | null | undefined)?.paramGroups;
  if (!Array.isArray(groups) || groups.length === 0 || !groups.every((one) => typeof one?.lr === "number")) {
    throw new UsageError(`${where}: expected an optimizer, got ${describe(optimizer)}`);
  }
  return groups;
}

/** Whether `value` has a rate for each of `count` groups. */
export function isRates(value: unknown, count: number): value is number[] {
  return Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));
}

/** A list with `value` for each group; a list must have one for each already. */
export function perGroup<T>(value: T | readonly T[], { length }: readonly Group[], what: string): readonly T[] {
  if (!Array.isArray(value)) return new Array<T>(length).fill(value as T);
  if (value.length === length) return value;
  throw new UsageError(`${what}: expected ${length}, one for each group, got ${value.length}`);
}
