/**
 * Constant evaluation: operators and conversions of known numbers, with the result that a GPU would compute, bit for bit.
 * Where WGSL has an error, such as an integer that does not fit its type, so have we.
 *
 * @module
 */
import type { BinaryOperator } from "./ast.ts";
import { ABSTRACT_FLOAT, ABSTRACT_INT, BOOL, F32, I32, type Scalar, U32 } from "./types.ts";

/** A constant's value. */
export type ConstantValue = number | boolean;

/** The value is no error, but cannot be known here. */
export const UNKNOWN = Symbol("unknown");

const RANGES: ReadonlyMap<Scalar, readonly [low: number, high: number]> = new Map([
  [I32, [-(2 ** 31), 2 ** 31 - 1]],
  [U32, [0, 2 ** 32 - 1]],
  [ABSTRACT_INT, [-(2 ** 53), 2 ** 53]],
]);

/** What is wrong with `value` as a `type`; null where it fits. */
export function misfit(value: ConstantValue, type: Scalar): string | null {
  if (type === BOOL) return typeof value === "boolean" ? null : `${value} is not a bool`;
  if (typeof value === "boolean") return `${value} is not a number`;
  const range = RANGES.get(type);
  if (!range) return Number.isFinite(Math.fround(value)) ? null : `${value} cannot be a constant`;
  if (!Number.isInteger(value)) return `${value} is not an integer`;
  return value < range[0] || value > range[1] ? `${value} does not fit ${type.name}` : null;
}

/** `left operator right` for two values of `type`. Throws a `RangeError` that says what is wrong. */
export function foldBinary(
  operator: BinaryOperator,
  left: ConstantValue,
  right: ConstantValue,
  type: Scalar,
): ConstantValue | typeof UNKNOWN {
  const compared = compare(operator, left, right);
  if (compared !== null) return compared;
  if (typeof left === "boolean" || typeof right === "boolean") return operator === "&" ? left && right : left || right;
  if (type === F32 || type === ABSTRACT_FLOAT) return foldFloat(operator, left, right, type);
  const value = foldInteger(operator, left, right, type), wrong = misfit(value, type);
  if (wrong) throw new RangeError(wrong);
  return value;
}

function compare(operator: BinaryOperator, left: ConstantValue, right: ConstantValue): boolean | null {
  switch (operator) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    case "&&":
      return Boolean(left && right);
    case "||":
      return Boolean(left || right);
    default:
      return null;
  }
}

/** Rounded to f64 and then to f32, sums, products and quotients are those of f32. */
function foldFloat(
  operator: BinaryOperator,
  left: number,
  right: number,
  type: Scalar,
): number | typeof UNKNOWN {
  const exact = operator === "+"
    ? left + right
    : operator === "-"
    ? left - right
    : operator === "*"
    ? left * right
    : operator === "/"
    ? left / right
    : NaN;
  const value = type === F32 ? Math.fround(exact) : exact;
  return Number.isFinite(value) ? value : UNKNOWN;
}

function foldInteger(operator: BinaryOperator, left: number, right: number, type: Scalar): number {
  const bits = (value: number) => type === U32 ? value >>> 0 : value;
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
    case "%":
      if (right === 0) throw new RangeError(`${left} ${operator} 0 has no value`);
      // Not -0.
      return (operator === "/" ? Math.trunc(left / right) : left % right) + 0;
    case "&":
      return bits(left & right);
    case "|":
      return bits(left | right);
    case "^":
      return bits(left ^ right);
    default:
      if (right < 0 || right > 31) throw new RangeError(`a shift by ${right} has no value`);
      if (operator === "<<") return type === ABSTRACT_INT ? left * 2 ** right : bits(left << right);
      return type === U32 ? left >>> right : type === I32 ? left >> right : Math.floor(left / 2 ** right);
  }
}

/** `-x`, `!x` or `~x`. */
export function foldUnary(operator: "-" | "!" | "~", value: ConstantValue, type: Scalar): ConstantValue {
  if (operator === "!") return !value;
  const number = Number(value);
  if (operator === "~") return type === U32 ? ~number >>> 0 : ~number;
  const negative = type === F32 || type === ABSTRACT_FLOAT ? -number : 0 - number, wrong = misfit(negative, type);
  if (wrong) throw new RangeError(wrong);
  return negative;
}

/** `to(value)`, such as `u32(-1i)`: integers keep their bits, and floats lose their fraction. */
export function foldConversion(value: ConstantValue, from: Scalar, to: Scalar): ConstantValue | typeof UNKNOWN {
  if (to === BOOL) return Boolean(value);
  const number = Number(value);
  if (to === F32) return Number.isFinite(Math.fround(number)) ? Math.fround(number) : UNKNOWN;
  if (from === F32 || from === ABSTRACT_FLOAT) {
    const whole = Math.trunc(number) + 0;
    return misfit(whole, to) ? UNKNOWN : whole;
  }
  if (from === ABSTRACT_INT && misfit(number, to)) throw new RangeError(misfit(number, to)!);
  return to === U32 ? number >>> 0 : number | 0;
}
