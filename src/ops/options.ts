/**
 * Options and their checks. A table lists the options of an op, a layer, a loss, an optimizer or a schedule: for
 * each a reader, which checks the value, and a default. `readOptions()` does the rest, with the same messages everywhere.
 *
 * @module
 */
import { ShapeError, type WgradError } from "../errors.ts";

/** A value as a message shows it, in one line: "3", "a Tensor", "an array". */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  const name = value.constructor?.name;
  if (!name || name === "Object") return "an object";
  return `${/^[AEIOU]/i.test(name) ? "an" : "a"} ${name}`;
}

/** The value of an option of an optimizer or a schedule. */
export type OptionValue = number | boolean | string | readonly number[];

/** Whether `value` is a number that f32, in which kernels compute, can hold. */
export function isF32(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(Math.fround(value));
}

/** Whether `value` is an object as `{ … }` makes it. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

// --- readers ---------------------------------------------------------------------------------------------------------

/** The class of the errors that refuse a value. */
export type Refusal = new (message: string) => WgradError;

/**
 * Reads a value: returns it in the form that code uses, or throws.
 *
 * @param what the name of the value in messages: "StepLR: gamma".
 * @param Refusal the error to throw. Default `ShapeError`.
 */
export type Reader<T> = (value: unknown, what: string, Refusal?: Refusal) => T;

/**
 * A reader that returns the value as it is.
 *
 * @param rule what the value must be or do, as in "be a number": the message says "must be a number, got …".
 * @param show the text of a wrong value in a message.
 */
export function must<T>(fits: (value: unknown) => boolean, rule: string, show = describe): Reader<T> {
  return (value, what, Refusal = ShapeError) => {
    if (fits(value)) return value as T;
    throw new Refusal(`${what} must ${rule}, got ${show(value)}`);
  };
}

/** Reads true or false. */
export const checkFlag: Reader<boolean> = must((value) => typeof value === "boolean", "be true or false");

/** Reads a number that f32 can hold. */
export const f32: Reader<number> = must(isF32, "be a number that f32 holds");

/** Reads a number of 0 or more that f32 can hold. */
export const f32Amount: Reader<number> = must(
  (value) => isF32(value) && value >= 0,
  "be a number of 0 or more that f32 holds",
);

/** Reads a finite number from `least` to `most`. */
export function numberIn(least = -Infinity, most = Infinity): Reader<number> {
  const range = least === -Infinity ? "" : most === Infinity ? ` of ${least} or more` : ` from ${least} to ${most}`;
  const fits = (value: unknown) =>
    typeof value === "number" && Number.isFinite(value) && value >= least && value <= most;
  return must(fits, `be a number${range}`);
}

/** Reads a whole number of `least` (default 1) or more. */
export function wholeNumber(least = 1): Reader<number> {
  const fits = (value: unknown) => Number.isSafeInteger(value) && value as number >= least;
  return must(fits, `be a whole number of ${least} or more`);
}

/** Reads one of some words. */
export function oneOf<T extends string>(...choices: readonly T[]): Reader<T> {
  return must((value) => choices.includes(value as T), `be one of ${choices.join(", ")}`);
}

/** Height, then width. */
export type Pair = readonly [number, number];

/** A number or a pair, as a pair of integers of at least `least`. */
export function pair(value: unknown, least: number, action: string): Pair {
  const both = typeof value === "number" ? [value, value] : value;
  if (!Array.isArray(both) || both.length !== 2 || both.some((one) => !Number.isInteger(one) || one < least)) {
    throw new ShapeError(`${action}: expected an integer of at least ${least}, or two of them, got ${value}`);
  }
  return both as unknown as Pair;
}

/** Reads a number or [height, width], in integers of at least `least`, as a pair. */
export const size = (least: number): Reader<Pair> => (value, what) => pair(value, least, what);

// --- tables ----------------------------------------------------------------------------------------------------------

/** A row of a table of options. */
export interface Option<T> {
  readonly read: Reader<T>;
  /** The value if none is given. */
  readonly default: unknown;
  /** A value that is not the default, for messages. */
  readonly example: unknown;
}

/** A row of a table of options. */
export function option<T>(read: Reader<T>, byDefault: unknown, example: unknown = byDefault): Option<T> {
  return { read, default: byDefault, example };
}

/** Options by name. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The values that a table of options reads. */
export type OptionsOf<T extends OptionTable> = { [K in keyof T]: T[K] extends Option<infer V> ? V : never };

/**
 * Reads options: those that are missing have their defaults.
 *
 * @param action whose options they are, for messages.
 * @param Refusal the error to throw. Default `ShapeError`.
 */
export function readOptions<T extends OptionTable>(
  options: unknown,
  table: T,
  action: string,
  Refusal: Refusal = ShapeError,
): OptionsOf<T> {
  const rows = Object.entries(table);
  checkOptions(options, Object.fromEntries(rows.map(([name, { example }]) => [name, example])), action, Refusal);
  const given = options as Readonly<Record<string, unknown>>;
  const read = rows.map(([name, { read, default: byDefault }]) => {
    return [name, read(given[name] === undefined ? byDefault : given[name], `${action}: ${name}`, Refusal)];
  });
  return Object.fromEntries(read) as OptionsOf<T>;
}

/** The defaults of a table of options. */
export function defaultsOf<T extends OptionTable>(table: T): OptionsOf<T> {
  return Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row.default])) as OptionsOf<T>;
}

/**
 * Refuses options that `action` does not have, since a misspelt one would be ignored otherwise, and everything that is not
 * an options object, such as a value instead of it, as Python's positional arguments would have it.
 *
 * @param known each option with an example of its value.
 * @param Refusal the error to throw. Default `ShapeError`.
 */
export function checkOptions(
  options: unknown,
  known: Readonly<Record<string, unknown>>,
  action: string,
  Refusal: Refusal = ShapeError,
): void {
  if (!isPlain(options)) {
    // The value is most likely meant for the first option of its type.
    const entries = Object.entries(known), alike = entries.find(([, example]) => typeof example === typeof options);
    const [name, example] = alike ?? entries[0] ?? [];
    if (name === undefined) throw new Refusal(`${action}: it has no options, got ${describe(options)}`);
    const value = alike && typeof options !== "object" ? describe(options) : JSON.stringify(example);
    throw new Refusal(`${action}: expected options such as { ${name}: ${value} }, got ${describe(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key)) {
      throw new Refusal(`${action}: unknown option ${describe(key)} (it has ${Object.keys(known).join(", ")})`);
    }
  }
}
