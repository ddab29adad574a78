/**
 * Checks of arguments: options objects, flags and pairs, and the description of a value in an error's message.
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

/**
 * Refuses options that `action` does not have, since a misspelt one would be ignored otherwise, and anything that is not an
 * options object, such as a value that would be a positional argument in Python.
 *
 * @param known each option with an example of its value.
 * @param Refusal the error to throw. Default `ShapeError`.
 */
export function checkOptions(
  options: unknown,
  known: Readonly<Record<string, unknown>>,
  action: string,
  Refusal: new (message: string) => WgradError = ShapeError,
): void {
  if (!isPlain(options)) {
    // The value is most likely meant for the first option of its type.
    const entries = Object.entries(known), alike = entries.find(([, example]) => typeof example === typeof options);
    const [name, example] = alike ?? entries[0]!;
    const value = alike && typeof options !== "object" ? describe(options) : JSON.stringify(example);
    throw new Refusal(`${action}: expected options such as { ${name}: ${value} }, got ${describe(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(known, key)) {
      throw new Refusal(`${action}: unknown option ${describe(key)} (it has ${Object.keys(known).join(", ")})`);
    }
  }
}

/** `value`, if it is true or false; anything else is refused. */
export function checkFlag(
  value: boolean,
  what: string,
  Refusal: new (message: string) => WgradError = ShapeError,
): boolean {
  if (typeof value !== "boolean") throw new Refusal(`${what} must be true or false, got ${describe(value)}`);
  return value;
}

/** Height, then width. */
export type Pair = readonly [number, number];

/** A number or a pair, as a pair of integers of at least `least`. */
export function pair(value: number | readonly number[], least: number, action: string): Pair {
  const both = typeof value === "number" ? [value, value] : value;
  if (!Array.isArray(both) || both.length !== 2 || both.some((one) => !Number.isInteger(one) || one < least)) {
    throw new ShapeError(`${action}: expected an integer of at least ${least}, or two of them, got ${value}`);
  }
  return both as unknown as Pair;
}
