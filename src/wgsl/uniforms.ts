/**
 * Turns inputs of a variant into uniform buffers. A software driver reads those for all of its lanes at once, where a
 * storage buffer costs it a loop over the lanes: 5 to 17 times as long, as measured. An input that is larger than a uniform
 * buffer may be is bound as several windows, and a load selects among them.
 *
 * @module
 */
import {
  type Declaration,
  type Expression,
  type FunctionDeclaration,
  isBuffer,
  type Module,
  type Name,
  type Statement,
  type Value,
  type Variable,
} from "./ast.ts";
import * as build from "./build.ts";
import { Rewriter } from "./rewrite.ts";
import type { Position } from "./source.ts";
import { arrayOf, F32, type Type, U32, type Vector, vectorOf } from "./types.ts";

/** The most bytes that every device takes for a uniform buffer. */
export const UNIFORM_BYTES = 65536;
/** The most uniform buffers that every device takes in a stage. */
export const MOST_UNIFORM = 12;
/** The most windows for which loads gain. */
export const MOST_WINDOWS = 4;

/** Whether loads of an input of this many bytes can be those of uniform buffers. */
export function fitsUniform(bytes: number): boolean {
  return bytes <= MOST_WINDOWS * UNIFORM_BYTES;
}

/** A uniform buffer, and the part of an input that is bound to it, in bytes. */
export interface Window {
  /** The number of the input's binding in the kernel's file. */
  readonly input: number;
  readonly number: number;
  readonly offset: number;
  readonly size: number;
}

/** Windows after the first get binding numbers from here on. */
const FURTHER = 32;

/**
 * `module` with its inputs as uniform buffers where they fit, and what to bind to those.
 *
 * @param bytes the inputs' sizes, by the numbers of their bindings; those without a size, or of 0, stay as they are.
 */
export function asUniforms(
  module: Module,
  bytes: ReadonlyMap<number, number>,
): { readonly module: Module; readonly windows: readonly Window[] } {
  const pass = new Uniforms(module, bytes);
  if (!module.declarations.some((one) => pass.fits(one))) return { module, windows: [] };
  for (const declaration of module.declarations) pass.declaration(declaration);
  if (pass.windows.length === 0) return { module, windows: [] };
  return { module: { ...module, declarations: pass.declarations, names: pass.names }, windows: pass.windows };
}

/** The vectors in which the elements of a uniform buffer, which are 16 bytes apart, are declared; null if there are none. */
function vectorFor(element: Type): Vector | null {
  const scalar = element.kind === "vector" && element.size === 4 ? element.element : element;
  return scalar === F32 || scalar === U32 ? vectorOf(4, scalar) : null;
}

type Load = (at: Position, index: Expression) => Expression;

class Uniforms extends Rewriter {
  readonly declarations: Declaration[] = [];
  readonly windows: Window[] = [];
  readonly names: Set<string>;
  readonly #bytes: ReadonlyMap<number, number>;
  /** What a load of an input becomes. */
  readonly #loads = new Map<Variable, Load>();

  constructor(module: Module, bytes: ReadonlyMap<number, number>) {
    super();
    this.names = new Set(module.names);
    this.#bytes = bytes;
  }

  declaration(old: Declaration): void {
    if (old.kind === "variable" && this.#input(old)) return;
    const replacement = old.kind === "function" ? this.function(old) : old;
    this.declarations.push(replacement);
    if (replacement !== old) this.replace(old, replacement);
  }

  /** Whether it is an input that has a size. */
  fits(one: Declaration): boolean {
    if (!isBuffer(one) || one.space !== "storage" || one.writes || one.type.kind !== "array") return false;
    return one.type.count === null && (this.#bytes.get(one.binding) ?? 0) > 0;
  }

  /** Declares an input's windows, if it can have them. */
  #input(input: Variable): boolean {
    const { binding, type } = input, size = binding === null ? 0 : this.#bytes.get(binding) ?? 0;
    if (!this.fits(input) || type.kind !== "array") return false;
    const vector = vectorFor(type.element), count = Math.ceil(size / UNIFORM_BYTES);
    if (!vector || !fitsUniform(size) || this.windows.length + count > MOST_UNIFORM) return false;
    const parts = Array.from({ length: count }, (_, i) => {
      const offset = i * UNIFORM_BYTES, bytes = Math.ceil(Math.min(size - offset, UNIFORM_BYTES) / 16) * 16;
      const number = i === 0 ? binding! : FURTHER + this.windows.length;
      this.windows.push({ input: binding!, number, offset, size: bytes });
      const name = i === 0 ? input.name : this.#fresh(`${input.name}_${i}`);
      const part: Variable = { ...input, name, type: arrayOf(vector, bytes / 16), space: "uniform", binding: number };
      this.declarations.push(part);
      return part;
    });
    const isScalar = vector !== type.element;
    if (count === 1) this.#loads.set(input, (at, index) => loadOf(at, parts[0]!, index, isScalar));
    else {
      const loader = this.#loader(input, type.element, parts, isScalar);
      this.declarations.push(loader);
      this.#loads.set(input, (at, index) => build.call(at, loader, [index], type.element));
    }
    return true;
  }

  #fresh(name: string): string {
    while (this.names.has(name)) name += "_";
    this.names.add(name);
    return name;
  }

  /** The function that loads an element from its window. */
  #loader(input: Variable, element: Type, parts: readonly Variable[], isScalar: boolean): FunctionDeclaration {
    const { at, name } = input, number = (value: number) => build.literal(at, U32, value);
    const i: Value = { kind: "value", at, name: "i", type: U32, builtin: null }, index = build.name(at, i);
    const window: Value = { ...i, name: "window" },
      value: Variable = {
        ...{ kind: "variable", at, name: "value", type: element, space: "function" },
        ...{ writes: true, binding: null, initial: null },
      };
    // Beyond a window's end another one is selected; what is loaded meanwhile has to be inside.
    const inside = build.binary(at, "&", isScalar ? build.binary(at, ">>", index, number(2)) : index, number(4095));
    const load = (part: Variable) => {
      const vector = build.index(at, build.name(at, part), inside);
      return isScalar ? build.index(at, vector, build.binary(at, "&", index, number(3))) : vector;
    };
    const selections = parts.slice(1).map((part, k): Statement => {
      const isHere = build.binary(at, "==", build.name(at, window), number(k + 1));
      const selected = build.builtin(at, "select", [build.name(at, value), load(part), isHere]);
      return { kind: "assign", at, operator: null, target: build.name(at, value), value: selected };
    });
    const body: Statement[] = [
      { kind: "declare", at, symbol: window, initial: build.binary(at, ">>", index, number(isScalar ? 14 : 12)) },
      { kind: "declare", at, symbol: value, initial: load(parts[0]!) },
      ...selections,
      { kind: "return", at, value: build.name(at, value) },
    ];
    const loader = { at, name: this.#fresh(`${name}_at`), parameters: [i], returns: element, workgroup: null, body };
    return { kind: "function", ...loader };
  }

  override expression(old: Expression): Expression {
    if (old.kind !== "index" || old.base.kind !== "name") return super.expression(old);
    const load = this.#loadFor(old.base);
    return load ? load(old.at, unsigned(this.expression(old.index))) : super.expression(old);
  }

  override name(old: Name): Expression {
    if (this.#loadFor(old)) throw new Error(`${old.target.name} is used as a whole: it cannot be a uniform buffer`);
    return super.name(old);
  }

  #loadFor({ target }: Name): Load | undefined {
    return target.kind === "variable" ? this.#loads.get(target) : undefined;
  }
}

/** An index as u32. */
function unsigned(index: Expression): Expression {
  return build.construct(index.at, U32, [index]);
}

/** An element of a buffer of vectors. */
function loadOf(at: Position, buffer: Variable, index: Expression, isScalar: boolean): Expression {
  const base = build.name(at, buffer);
  if (!isScalar) return build.index(at, base, index);
  const vector = build.index(at, base, build.binary(at, ">>", index, build.literal(at, U32, 2)));
  return build.index(at, vector, build.binary(at, "&", index, build.literal(at, U32, 3)));
}
