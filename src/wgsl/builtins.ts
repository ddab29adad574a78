/**
 * The functions that WGSL has, as far as our kernels use them, and similar ones, with the types of their arguments and results.
 *
 * @module
 */
import {
  BOOL,
  isFloat,
  isInteger,
  type Scalar,
  scalarOf,
  type Type,
  U32,
  vectorOf,
  VOID,
  withScalar,
} from "./types.ts";

/** The kinds of arguments that a function takes. */
type Kind = "float" | "number" | "integer" | "any";

/** Functions of `count` arguments of one type, which is that of the result too. */
const COMPONENTWISE: Readonly<Record<string, readonly [count: number, kind: Kind]>> = {
  abs: [1, "number"],
  acos: [1, "float"],
  asin: [1, "float"],
  atan: [1, "float"],
  atan2: [2, "float"],
  ceil: [1, "float"],
  clamp: [3, "number"],
  cos: [1, "float"],
  cosh: [1, "float"],
  countLeadingZeros: [1, "integer"],
  countOneBits: [1, "integer"],
  countTrailingZeros: [1, "integer"],
  exp: [1, "float"],
  exp2: [1, "float"],
  floor: [1, "float"],
  fma: [3, "float"],
  fract: [1, "float"],
  inverseSqrt: [1, "float"],
  log: [1, "float"],
  log2: [1, "float"],
  max: [2, "number"],
  min: [2, "number"],
  pow: [2, "float"],
  reverseBits: [1, "integer"],
  round: [1, "float"],
  saturate: [1, "float"],
  sign: [1, "number"],
  sin: [1, "float"],
  sinh: [1, "float"],
  sqrt: [1, "float"],
  step: [2, "float"],
  tan: [1, "float"],
  tanh: [1, "float"],
  trunc: [1, "float"],
};
/** Functions without a result. */
const BARRIERS: ReadonlySet<string> = new Set(["workgroupBarrier", "storageBarrier"]);
const OTHERS: ReadonlySet<string> = new Set(["all", "any", "arrayLength", "bitcast", "dot", "select"]);

/** Whether WGSL has a function of this name. */
export function isBuiltin(name: string): boolean {
  return Object.hasOwn(COMPONENTWISE, name) || BARRIERS.has(name) || OTHERS.has(name);
}

/** Whether all invocations of a workgroup must come to a call. */
export function isBarrier(name: string): boolean {
  return BARRIERS.has(name);
}

/** Whether the arguments of a function are of one type, so that those that are abstract become that of the others. */
export function unifies(name: string, argument: number): boolean {
  return Object.hasOwn(COMPONENTWISE, name) || name === "dot" || (name === "select" && argument < 2);
}

/**
 * The type of a call's result; null where the arguments' types do not fit.
 * @param template the T of `bitcast<T>`.
 */
export function resultOf(name: string, types: readonly Type[], template: Type | null): Type | null {
  const [first, second] = types;
  if (BARRIERS.has(name)) return types.length === 0 ? VOID : null;
  if (!first) return null;
  const same = types.every((type) => type === first), scalar = scalarOf(first);
  if (Object.hasOwn(COMPONENTWISE, name)) {
    const [count, kind] = COMPONENTWISE[name]!;
    return types.length === count && same && fits(scalar, kind) ? first : null;
  }
  switch (name) {
    case "all":
    case "any":
      return types.length === 1 && scalar === BOOL ? BOOL : null;
    case "arrayLength":
      return first.kind === "pointer" && first.to.kind === "array" && first.to.count === null ? U32 : null;
    case "bitcast":
      return types.length === 1 && template && fits(scalar, "number") && sizeOf(first) === sizeOf(template)
        ? template
        : null;
    case "dot":
      return types.length === 2 && same && first.kind === "vector" && fits(scalar, "number") ? first.element : null;
    default: {
      const condition = types[2];
      const fitting = condition === BOOL || (scalar && condition === withScalar(first, BOOL));
      return types.length === 3 && first === second && scalar && fitting ? first : null;
    }
  }
}

function fits(scalar: Scalar | null, kind: Kind): boolean {
  if (!scalar) return false;
  if (kind === "float") return isFloat(scalar);
  return kind === "integer" ? isInteger(scalar) : scalar !== BOOL;
}

function sizeOf(type: Type): number {
  return type.kind === "vector" ? type.size : scalarOf(type) ? 1 : 0;
}

/** The built-in values that a parameter of the entry point may be, and their types. */
export const BUILTIN_VALUES: Readonly<Record<string, Type>> = {
  "workgroup_id": vectorOf(3, U32),
  "num_workgroups": vectorOf(3, U32),
  "local_invocation_id": vectorOf(3, U32),
  "global_invocation_id": vectorOf(3, U32),
  "local_invocation_index": U32,
  "subgroup_size": U32,
  "subgroup_invocation_id": U32,
};
