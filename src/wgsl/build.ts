/**
 * Builds expressions of `ast.ts`: gives each its type, refuses what WGSL refuses, makes abstract numbers concrete, and
 * computes what is constant. Everything that makes expressions, makes them here.
 *
 * @module
 */
import type {
  BinaryOperator,
  Builtin,
  Call,
  Constant,
  Expression,
  FunctionDeclaration,
  Literal,
  Unary,
} from "./ast.ts";
import type { Value, Variable } from "./ast.ts";
import { resultOf, unifies } from "./builtins.ts";
import { type ConstantValue, foldBinary, foldConversion, foldUnary, misfit, UNKNOWN } from "./fold.ts";
import { type Position, WgslError } from "./source.ts";
import {
  ABSTRACT_FLOAT,
  ABSTRACT_INT,
  BOOL,
  F32,
  I32,
  isAbstract,
  isFloat,
  isInteger,
  pointerTo,
  type Scalar,
  scalarOf,
  type Type,
  typeName,
  U32,
  vectorOf,
  withScalar,
} from "./types.ts";

const ARITHMETIC: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%"]);
const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
const COMPONENTS: Readonly<Record<string, number>> = { x: 0, y: 1, z: 2, w: 3, r: 0, g: 1, b: 2, a: 3 };

function fail(at: Position, problem: string): never {
  throw new WgslError(at, problem);
}

/** The result of `compute`; its `RangeError` becomes an error with a position. */
function folded<T>(at: Position, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (error instanceof RangeError) fail(at, error.message);
    throw error;
  }
}

export function literal(at: Position, type: Scalar, value: ConstantValue): Literal {
  const wrong = misfit(value, type);
  if (wrong) fail(at, wrong);
  return { kind: "literal", at, type, value: type === F32 ? Math.fround(Number(value)) : value };
}

export function name(at: Position, target: Variable | Value | Constant): Expression {
  return { kind: "name", at, type: target.type, target };
}

// --- conversions of abstract numbers ---------------------------------------------------------------------------------

/** `expression` as a `type`: abstract numbers become concrete, and everything else must have that type. */
export function converted(expression: Expression, type: Type): Expression {
  if (expression.type === type) return expression;
  const value = withConcrete(expression, scalarOf(type));
  return value.type === type ? value : refuseType(expression.at, type, expression.type);
}

/** Says that one type was expected, and another found. */
export function refuseType(at: Position, expected: Type, found: Type): never {
  throw new WgslError(at, `expected ${typeName(expected)}, found ${typeName(found)}`);
}

/** An abstract number as i32 or f32; everything else as it is. */
export function concrete(expression: Expression): Expression {
  if (!isAbstract(expression.type)) return expression;
  return withConcrete(expression, scalarOf(expression.type) === ABSTRACT_INT ? I32 : F32);
}

/** An abstract number as a `scalar`, if it can be one; else the expression as it is. */
function withConcrete(expression: Expression, scalar: Scalar | null): Expression {
  if (expression.kind !== "literal" || !scalar || !isAbstract(expression.type)) return expression;
  if (expression.type === ABSTRACT_INT ? scalar === BOOL : !isFloat(scalar)) return expression;
  return literal(expression.at, scalar, expression.value);
}

/** `operand` with the scalar type of `other`, if it is an abstract number. */
function beside(operand: Expression, other: Expression): Expression {
  if (operand.type === other.type || !isAbstract(operand.type)) return operand;
  return operand.type === ABSTRACT_FLOAT && other.type === ABSTRACT_INT
    ? operand
    : withConcrete(operand, scalarOf(other.type));
}

/** The expressions, with the abstract numbers among them converted to the scalar type of the others. */
function unified(expressions: readonly Expression[]): readonly Expression[] {
  if (!expressions.some(({ type }) => isAbstract(type))) return expressions;
  const known = expressions.find(({ type }) => !isAbstract(type)),
    scalar = known
      ? scalarOf(known.type)
      : expressions.some(({ type }) => type === ABSTRACT_FLOAT)
      ? ABSTRACT_FLOAT
      : ABSTRACT_INT;
  return expressions.map((one) => withConcrete(one, scalar));
}

// --- operators -------------------------------------------------------------------------------------------------------

export function unary(at: Position, operator: Unary["operator"], operand: Expression): Expression {
  const scalar = scalarOf(operand.type), { kind } = operand.type;
  const refuse = () => fail(at, `${operator} of ${typeName(operand.type)}`);
  switch (operator) {
    case "*":
      return operand.type.kind === "pointer"
        ? { kind: "unary", at, type: operand.type.to, operator, operand }
        : refuse();
    case "&": {
      const root = rootOf(operand);
      if (!root) return fail(at, "& of what is no variable");
      return { kind: "unary", at, type: pointerTo(operand.type, root), operator, operand };
    }
    case "!":
      if (scalar !== BOOL) refuse();
      break;
    case "~":
      if (!isInteger(scalar)) refuse();
      break;
    case "-":
      if (!scalar || scalar === BOOL || scalar === U32) refuse();
  }
  if (operand.kind === "literal" && kind === "scalar") {
    return literal(at, operand.type, folded(at, () => foldUnary(operator, operand.value, operand.type)));
  }
  return { kind: "unary", at, type: operand.type, operator, operand };
}

export function binary(at: Position, operator: BinaryOperator, first: Expression, second: Expression): Expression {
  const { type: common } = first;
  // Most of what loops repeat is arithmetic on two numbers of one type.
  if (common === second.type && (common === F32 || common === U32) && ARITHMETIC.has(operator)) {
    if (first.kind !== "literal" || second.kind !== "literal") {
      return { kind: "binary", at, type: common, operator, left: first, right: second };
    }
  }
  if (operator === "&&" || operator === "||") return logical(at, operator, first, second);
  const shifts = operator === "<<" || operator === ">>";
  const left = shifts ? first : beside(first, second),
    right = shifts ? withConcrete(second, U32) : beside(second, first);
  const type = typeOf(operator, left.type, right.type);
  if (!type) return fail(at, `${typeName(left.type)} ${operator} ${typeName(right.type)}`);
  if (left.kind === "literal" && right.kind === "literal") {
    const { value: a, type: scalar } = left, { value: b } = right;
    const value = folded(at, () => foldBinary(operator, a, b, scalar));
    if (value !== UNKNOWN) return literal(at, type as Scalar, value);
  }
  return { kind: "binary", at, type, operator, left: left, right: right };
}

/** The right side counts only if the left one does not decide. */
function logical(at: Position, operator: "&&" | "||", left: Expression, right: Expression): Expression {
  if (left.type !== BOOL || right.type !== BOOL) {
    fail(at, `${typeName(left.type)} ${operator} ${typeName(right.type)}`);
  }
  if (left.kind === "literal") return left.value === (operator === "||") ? left : right;
  return { kind: "binary", at, type: BOOL, operator, left, right };
}

/** The type of `left operator right`; null where there is none. */
function typeOf(operator: BinaryOperator, left: Type, right: Type): Type | null {
  const scalar = scalarOf(left);
  if (!scalar || !scalarOf(right)) return null;
  if (operator === "<<" || operator === ">>") {
    return isInteger(scalar) && right === withScalar(left, U32) ? left : null;
  }
  if (scalar !== scalarOf(right)) return null;
  if (COMPARISONS.has(operator)) {
    const ordered = scalar !== BOOL || operator === "==" || operator === "!=";
    return left === right && ordered ? withScalar(left, BOOL) : null;
  }
  if (operator === "&" || operator === "|" || operator === "^") {
    const fits = isInteger(scalar) || (scalar === BOOL && operator !== "^");
    return left === right && fits ? left : null;
  }
  if (scalar === BOOL) return null;
  if (left === right) return left;
  // A vector and a scalar.
  return left.kind === "vector" && right.kind === "scalar" ? left : left.kind === "scalar" ? right : null;
}

// --- calls -----------------------------------------------------------------------------------------------------------

export function call(at: Position, target: FunctionDeclaration, values: readonly Expression[], type: Type): Call {
  const { parameters } = target;
  if (values.length !== parameters.length) {
    fail(at, `${target.name} takes ${parameters.length} arguments, not ${values.length}`);
  }
  return { kind: "call", at, type, target, arguments: values.map((value, i) => converted(value, parameters[i]!.type)) };
}

/** A call of a function that WGSL has. @param template the T of `bitcast<T>`. */
export function builtin(
  at: Position,
  name: string,
  given: readonly Expression[],
  template: Type | null = null,
): Expression {
  const alike = unified(given.filter((_, i) => unifies(name, i)));
  const values = given.map((value, i) => concrete(unifies(name, i) ? alike[i]! : value));
  const type = resultOf(name, values.map(({ type }) => type), template);
  if (!type) return fail(at, `${name}(${values.map(({ type }) => typeName(type)).join(", ")}) does not exist`);
  const made: Builtin = { kind: "builtin", at, type, name, arguments: values };
  return name === "select" ? selected(made) : name === "min" || name === "max" ? extreme(made) : made;
}

/** `select(a, b, true)` is b, if a does nothing. */
function selected(made: Builtin): Expression {
  const [ifFalse, ifTrue, condition] = made.arguments as [Expression, Expression, Expression];
  if (condition.kind !== "literal") return made;
  const [kept, dropped] = condition.value ? [ifTrue, ifFalse] : [ifFalse, ifTrue];
  return calls(dropped) ? made : kept;
}

/** The least or the largest of two known integers. */
function extreme(made: Builtin): Expression {
  const [a, b] = made.arguments as [Expression, Expression];
  if (a.kind !== "literal" || b.kind !== "literal" || !isInteger(a.type)) return made;
  const pick = made.name === "min" ? Math.min : Math.max;
  return literal(made.at, a.type, pick(Number(a.value), Number(b.value)));
}

/** Whether a function of the module is called, which may do something. */
function calls(expression: Expression): boolean {
  switch (expression.kind) {
    case "call":
      return true;
    case "unary":
      return calls(expression.operand);
    case "binary":
      return calls(expression.left) || calls(expression.right);
    case "index":
      return calls(expression.base) || calls(expression.index);
    case "member":
      return calls(expression.base);
    case "builtin":
    case "construct":
      return expression.arguments.some(calls);
    default:
      return false;
  }
}

/** A value of `type`: of zeros without arguments; converted, repeated or put together from them. */
export function construct(at: Position, type: Type, given: readonly Expression[]): Expression {
  const refuse = () =>
    fail(at, `${typeName(type)}(${given.map(({ type }) => typeName(type)).join(", ")}) does not exist`);
  const made = (values: readonly Expression[]): Expression => ({ kind: "construct", at, type, arguments: values });
  if (given.length === 0) {
    if (type.kind !== "scalar") return made(given);
    return literal(at, type, type === BOOL ? false : 0);
  }
  switch (type.kind) {
    case "scalar": {
      const [value] = given;
      if (given.length !== 1 || value!.type.kind !== "scalar") return refuse();
      if (value!.type === type) return value!;
      if (value!.kind === "literal") {
        const { value: known, type: from } = value!, result = folded(at, () => foldConversion(known, from, type));
        if (result !== UNKNOWN) return literal(at, type, result);
      }
      return made([concrete(value!)]);
    }
    case "vector":
      return made(vectorParts(type.size, type.element, given) ?? refuse());
    case "array":
      if (type.count !== given.length) return refuse();
      return made(given.map((value) => converted(value, type.element)));
    case "struct":
      if (type.members.length !== given.length) return refuse();
      return made(given.map((value, i) => converted(value, type.members[i]!.type)));
    default:
      return refuse();
  }
}

/** The arguments of a vector's constructor; null where they do not fit. */
function vectorParts(size: number, element: Scalar, given: readonly Expression[]): readonly Expression[] | null {
  const values = given.map((value) => withConcrete(value, element)), [first] = values;
  // Converted from another vector.
  if (values.length === 1 && first!.type.kind === "vector") return first!.type.size === size ? values : null;
  const fitting = values.every(({ type }) => scalarOf(type) === element);
  const count = values.reduce((sum, { type }) => sum + (type.kind === "vector" ? type.size : 1), 0);
  return fitting && (count === size || (values.length === 1 && count === 1)) ? values : null;
}

// --- parts -----------------------------------------------------------------------------------------------------------

export function index(at: Position, base: Expression, given: Expression): Expression {
  const { type } = base;
  if (type.kind !== "array" && type.kind !== "vector") return fail(at, `${typeName(type)} has no elements`);
  const position = withConcrete(given, given.kind === "literal" && Number(given.value) < 0 ? I32 : U32);
  if (position.type !== U32 && position.type !== I32) fail(at, `an index of ${typeName(position.type)}`);
  const count = type.kind === "array" ? type.count : type.size;
  if (position.kind === "literal") {
    const known = Number(position.value);
    if (known < 0 || (count !== null && known >= count)) fail(at, `index ${known} of ${typeName(type)}`);
    // An element of a constant is a constant.
    if (base.kind === "name" && base.target.kind === "constant" && base.target.value.kind === "construct") {
      const element = base.target.value.arguments[known];
      if (element?.kind === "literal") return element;
    }
  }
  return { kind: "index", at, type: type.element, base, index: position };
}

export function member(at: Position, base: Expression, name: string): Expression {
  const { type } = base;
  if (type.kind === "struct") {
    const found = type.members.find((one) => one.name === name);
    return found
      ? { kind: "member", at, type: found.type, base, name }
      : fail(at, `${type.name} has no member ${name}`);
  }
  if (type.kind !== "vector") return fail(at, `${typeName(type)} has no member ${name}`);
  const known = name.length <= 4 && [...name].every((c) => Object.hasOwn(COMPONENTS, c) && COMPONENTS[c]! < type.size);
  if (!known || !(/^[xyzw]+$/.test(name) || /^[rgba]+$/.test(name))) {
    fail(at, `${typeName(type)} has no member ${name}`);
  }
  const element = name.length === 1 ? type.element : vectorOf(name.length as 2 | 3 | 4, type.element);
  return { kind: "member", at, type: element, base, name };
}

/** The space of the variable that an expression is, or is a part of; null where it is none. */
function rootOf(expression: Expression): string | null {
  switch (expression.kind) {
    case "name":
      return expression.target.kind === "variable" ? expression.target.space : null;
    case "index":
    case "member":
      return rootOf(expression.base);
    case "unary":
      return expression.operator === "*" && expression.operand.type.kind === "pointer"
        ? expression.operand.type.space
        : null;
    default:
      return null;
  }
}

/** Refuses what cannot be assigned to. */
export function checkTarget(target: Expression): void {
  const isSwizzle = target.kind === "member" && target.base.type.kind === "vector" && target.name.length > 1;
  if (!rootOf(target) || isSwizzle) fail(target.at, "this cannot be assigned to");
  for (let part = target; part.kind === "index" || part.kind === "member" || part.kind === "name";) {
    if (part.kind !== "name") part = part.base;
    else {
      const { target: root } = part;
      if (root.kind === "variable" && root.binding !== null && !root.writes) {
        fail(target.at, `${root.name} is only read`);
      }
      break;
    }
  }
}
