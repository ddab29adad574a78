/**
 * Values as PyTorch prints them in a module's text.
 *
 * @module
 */
import type { Pair } from "../ops/options.ts";

/** A number as Python prints one: "1e-05". */
export function pythonNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) return String(value);
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** A float as Python prints it: "1.0", "1e-05". */
export function pythonFloat(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : pythonNumber(value);
}

/** "True" or "False". */
export const pythonBool = (value: boolean): string => value ? "True" : "False";

/** A pair: "(2, 3)". */
export const tuple = ([h, w]: Pair): string => `(${h}, ${w})`;

/** An option that may be one number or a pair. */
export const either = (size: number | Pair): string => typeof size === "number" ? `${size}` : tuple(size);
