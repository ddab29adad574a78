/**
 * Constant expressions of a function's body, compiled: an expanded loop computes the same ones over and over, with other
 * values of its variable.
 *
 * @module
 */
import type { BinaryOperator } from "./ast.ts";
import { type ConstantValue, foldBinary, foldConversion, foldUnary, misfit, UNKNOWN } from "./fold.ts";
import type { Scope } from "./scope.ts";
import type { ExpressionSyntax } from "./syntax.ts";
import { ABSTRACT_INT, BOOL, I32, isInteger, type Scalar, SCALARS, U32 } from "./types.ts";

/** A constant expression of integers or truth values. `value` throws a `RangeError` where it has none. */
export interface ConstantExpression {
  readonly type: Scalar;
  /** The variable of an expanded loop is in it. */
  readonly varies: boolean;
  value(): ConstantValue;
}

/** The constant expressions of one body. */
export class ConstantExpressions {
  readonly #compiled = new Map<ExpressionSyntax, ConstantExpression | null>();
  readonly #scope: Scope;

  /** @param scope where the expressions are, at the time that they are asked for. */
  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * The expression, compiled the first time; null if it is not constant, or if only the tree can say what is wrong with it.
   */
  find(syntax: ExpressionSyntax): ConstantExpression | null {
    let found = this.#compiled.get(syntax);
    if (found === undefined) this.#compiled.set(syntax, found = settled(this.#compile(syntax)));
    return found;
  }

  #compile(syntax: ExpressionSyntax): ConstantExpression | null {
    switch (syntax.kind) {
      case "number":
        return constant(SCALARS[syntax.type]!, syntax.value);
      case "boolean":
        return constant(BOOL, syntax.value);
      case "name": {
        const meaning = syntax.template.length === 0 ? this.#scope.find(syntax.name) : null;
        if (meaning?.kind === "literal") return constant(meaning.type, meaning.value);
        return meaning?.kind === "counter" ? { type: meaning.type, varies: true, value: () => meaning.value } : null;
      }
      case "unary": {
        const { operator } = syntax, operand = this.find(syntax.operand);
        if (!operand || operator === "*" || operator === "&") return null;
        if ((operator === "!") !== (operand.type === BOOL) || (operator === "-" && operand.type === U32)) return null;
        const { type, varies } = operand;
        return { type, varies, value: () => foldUnary(operator as "-", operand.value(), type) };
      }
      case "binary": {
        const left = this.find(syntax.left), right = this.find(syntax.right);
        return left && right && compiledBinary(syntax.operator as BinaryOperator, left, right);
      }
      case "call":
        return this.#conversion(syntax);
      default:
        return null;
    }
  }

  /** `u32(x)` or `i32(x)`. */
  #conversion({ callee: { name, template }, arguments: given }: Extract<ExpressionSyntax, { kind: "call" }>) {
    const type = name === "u32" ? U32 : name === "i32" ? I32 : null, [first] = given;
    if (!type || !first || given.length > 1 || template.length > 0 || this.#scope.find(name)) return null;
    const inner = this.find(first);
    if (!inner || !isInteger(inner.type)) return null;
    const convert = (): ConstantValue => {
      const value = foldConversion(inner.value(), inner.type, type);
      return value === UNKNOWN ? unknown() : value;
    };
    return { type, varies: inner.varies, value: convert };
  }
}

/** Floats are left to the tree, which rounds them. */
function constant(type: Scalar, value: ConstantValue): ConstantExpression | null {
  return type === BOOL || isInteger(type) ? { type, varies: false, value: () => value } : null;
}

/** An expression that does not vary is computed now; null if it has no value: the tree then makes the error message. */
function settled(found: ConstantExpression | null): ConstantExpression | null {
  if (!found || found.varies) return found;
  try {
    return constant(found.type, found.value());
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function compiledBinary(
  operator: BinaryOperator,
  left: ConstantExpression,
  right: ConstantExpression,
): ConstantExpression | null {
  // An abstract integer gets the type of the other operand.
  const type = left.type === ABSTRACT_INT ? right.type : left.type;
  if (right.type !== type && right.type !== ABSTRACT_INT) return null;
  if ((type === BOOL) !== (operator === "&&" || operator === "||")) return null;
  const varies = left.varies || right.varies;
  switch (operator) {
    case "&&":
      return { type: BOOL, varies, value: () => left.value() && right.value() };
    case "||":
      return { type: BOOL, varies, value: () => left.value() || right.value() };
    case "<":
      return { type: BOOL, varies, value: () => left.value() < right.value() };
    case "<=":
    case ">":
    case ">=":
    case "==":
    case "!=":
      return { type: BOOL, varies, value: () => compared(foldBinary(operator, left.value(), right.value(), type)) };
    case "+":
      return { type, varies, value: () => checked((left.value() as number) + (right.value() as number), type) };
    case "-":
      return { type, varies, value: () => checked((left.value() as number) - (right.value() as number), type) };
    case "*":
      return { type, varies, value: () => checked((left.value() as number) * (right.value() as number), type) };
    case "/":
    case "%":
      return { type, varies, value: () => compared(foldBinary(operator, left.value(), right.value(), type)) };
    default:
      return null;
  }
}

function compared(value: ConstantValue | typeof UNKNOWN): ConstantValue {
  return value === UNKNOWN ? unknown() : value;
}

function unknown(): never {
  throw new RangeError("the value is not known");
}

function checked(value: number, type: Scalar): number {
  // Most numbers are small.
  if (value >= 0 && value < 2 ** 31) return value;
  const wrong = misfit(value, type);
  if (wrong) throw new RangeError(wrong);
  return value;
}
