/**
 * Parses JSON from files, which may be damaged or malicious.
 *
 * @module
 */
import { printable, quote } from "../foreign_text.ts";

/** The most levels of lists and objects. Our files have at most 6; functions that walk a value recursively need a limit. */
const MAX_DEPTH = 32;

/** Keys that would stop a value from being converted to a text: every page and message does that. */
const FORBIDDEN = ["toString", "valueOf"];

/**
 * Parses a text as JSON.
 *
 * @throws {SyntaxError} if it is not JSON, is nested more than 32 deep, or has an object with the key `toString` or `valueOf`. The
 * message can be printed.
 */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(printable(error instanceof Error ? error.message : String(error), 200));
  }
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    const inner: unknown[] = [];
    for (const one of level) {
      if (typeof one !== "object" || one === null) continue;
      if (depth === MAX_DEPTH) throw new SyntaxError(`it is nested more than ${MAX_DEPTH} deep`);
      if (Array.isArray(one)) {
        for (const item of one) if (typeof item === "object") inner.push(item);
        continue;
      }
      for (const [key, item] of Object.entries(one)) {
        if (FORBIDDEN.includes(key)) throw new SyntaxError(`it has the key ${quote(key)}, which is not allowed`);
        if (typeof item === "object") inner.push(item);
      }
    }
    level = inner;
  }
  return value;
}
