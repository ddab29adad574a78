/**
 * Types. Each exists once, so that equal types are the same object.
 *
 * @module
 */
import type { Position } from "./source.ts";

/** A number or a truth value. Abstract numbers, without a suffix, get the type that the expression around them needs. */
export interface Scalar {
  readonly kind: "scalar";
  readonly name: "f32" | "i32" | "u32" | "bool" | "abstract-int" | "abstract-float";
}

/** Two to four scalars. */
export interface Vector {
  readonly kind: "vector";
  readonly size: 2 | 3 | 4;
  readonly element: Scalar;
}

/** Elements of one type; `count` is null if the size of the buffer determines it. */
export interface ArrayType {
  readonly kind: "array";
  readonly element: Type;
  readonly count: number | null;
}

/** A structure, which is a declaration as well. */
export interface Struct {
  readonly kind: "struct";
  readonly at: Position;
  readonly name: string;
  readonly members: readonly { readonly name: string; readonly type: Type }[];
}

/** The type of `&variable`. */
export interface Pointer {
  readonly kind: "pointer";
  readonly space: string;
  readonly to: Type;
}

/** The type of a call that returns nothing. */
export interface Void {
  readonly kind: "void";
}

/** The type of an expression. */
export type Type = Scalar | Vector | ArrayType | Struct | Pointer | Void;

const scalar = (name: Scalar["name"]): Scalar => ({ kind: "scalar", name });
export const F32: Scalar = scalar("f32");
export const I32: Scalar = scalar("i32");
export const U32: Scalar = scalar("u32");
export const BOOL: Scalar = scalar("bool");
export const ABSTRACT_INT: Scalar = scalar("abstract-int");
export const ABSTRACT_FLOAT: Scalar = scalar("abstract-float");
export const VOID: Void = { kind: "void" };

/** The scalars by name. */
export const SCALARS: Readonly<Record<string, Scalar>> = {
  f32: F32,
  i32: I32,
  u32: U32,
  bool: BOOL,
  "abstract-int": ABSTRACT_INT,
  "abstract-float": ABSTRACT_FLOAT,
};

const vectors = new Map<Scalar, Map<number, Vector>>();
const arrays = new WeakMap<Type, Map<number | null, ArrayType>>();
const pointers = new WeakMap<Type, Map<string, Pointer>>();

/** The value of `made` at `key`, which is made if there is none. */
function once<K, V>(made: Map<K, V>, key: K, make: () => V): V {
  let value = made.get(key);
  if (value === undefined) made.set(key, value = make());
  return value;
}

export function vectorOf(size: 2 | 3 | 4, element: Scalar): Vector {
  return once(once(vectors, element, () => new Map()), size, () => ({ kind: "vector", size, element }));
}

export function arrayOf(element: Type, count: number | null): ArrayType {
  let made = arrays.get(element);
  if (!made) arrays.set(element, made = new Map());
  return once(made, count, () => ({ kind: "array", element, count }));
}

export function pointerTo(to: Type, space: string): Pointer {
  let made = pointers.get(to);
  if (!made) pointers.set(to, made = new Map());
  return once(made, space, () => ({ kind: "pointer", space, to }));
}

/** A type's name in WGSL, and in messages. @param nameOf of structs. */
export function typeName(type: Type, nameOf: (struct: Struct) => string = ({ name }) => name): string {
  switch (type.kind) {
    case "scalar":
      return type.name;
    case "vector": {
      const { size, element } = type;
      return element === BOOL
        ? `vec${size}<bool>`
        : `vec${size}${element.name[0] === "a" ? `<${element.name}>` : element.name[0]}`;
    }
    case "array":
      return `array<${typeName(type.element, nameOf)}${type.count === null ? "" : `, ${type.count}`}>`;
    case "struct":
      return nameOf(type);
    case "pointer":
      return `ptr<${type.space}, ${typeName(type.to, nameOf)}>`;
    case "void":
      return "nothing";
  }
}

/** The scalar of a scalar or a vector; null for other types. */
export function scalarOf(type: Type): Scalar | null {
  return type.kind === "scalar" ? type : type.kind === "vector" ? type.element : null;
}

export function isAbstract(type: Type): boolean {
  const scalar = scalarOf(type);
  return scalar === ABSTRACT_INT || scalar === ABSTRACT_FLOAT;
}

export function isInteger(scalar: Scalar | null): boolean {
  return scalar === I32 || scalar === U32 || scalar === ABSTRACT_INT;
}

export function isFloat(scalar: Scalar | null): boolean {
  return scalar === F32 || scalar === ABSTRACT_FLOAT;
}

/** Like `type`, of another scalar. */
export function withScalar(type: Type, scalar: Scalar): Type {
  return type.kind === "vector" ? vectorOf(type.size, scalar) : scalar;
}

/** The bytes of a type's alignment and size in memory; null if they are not known. */
export function layoutOf(type: Type): { readonly align: number; readonly size: number } | null {
  switch (type.kind) {
    case "scalar":
      return { align: 4, size: 4 };
    case "vector":
      return { align: type.size === 2 ? 8 : 16, size: 4 * type.size };
    case "array": {
      const element = layoutOf(type.element);
      if (!element || type.count === null) return null;
      return { align: element.align, size: roundUp(element.size, element.align) * type.count };
    }
    case "struct": {
      let align = 1, end = 0;
      for (const member of type.members) {
        const layout = layoutOf(member.type);
        if (!layout) return null;
        align = Math.max(align, layout.align);
        end = roundUp(end, layout.align) + layout.size;
      }
      return { align, size: roundUp(end, align) };
    }
    default:
      return null;
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
