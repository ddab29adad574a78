/**
 * Makes one variant of a kernel: the tree of a readable `.wgsl` file with the values of its `const` and `alias` declarations
 * set, the statements that `// @if CONSTANT` or `// @where EXPRESSION` excludes dropped, the loops marked `// @unroll` expanded, and
 * private arrays whose indices are then all constant turned into one variable per element, which drivers keep in registers.
 *
 * @module
 */
import type {
  Constant,
  Declaration,
  Expression,
  FunctionDeclaration,
  Literal,
  Module,
  Name,
  Value,
  Variable,
} from "./ast.ts";
import * as build from "./build.ts";
import { BUILTIN_VALUES } from "./builtins.ts";
import { bodyOf, type Surroundings } from "./function_body.ts";
import { parse, parseType } from "./parser.ts";
import { Rewriter } from "./rewrite.ts";
import { holds, Resolver } from "./resolve.ts";
import { type Meaning, Scope } from "./scope.ts";
import { type Kernel, type Position, WgslError } from "./source.ts";
import type { AttributeSyntax, DeclarationSyntax, FileSyntax } from "./syntax.ts";
import { arrayOf, type Scalar, type Struct, type Type } from "./types.ts";

export type { Kernel };

/** New values for a kernel's `const` declarations (numbers, booleans, lists for arrays) and `alias` ones (a type). */
export type Constants = Readonly<Record<string, number | boolean | string | readonly number[]>>;

/**
 * The tree of `kernel` with `constants` set. It has what the entry point needs, and all buffers; without an entry point, it
 * has everything. Throws a `WgslError` where the kernel is not right, or a name or a value does not fit: that is our bug.
 */
export function specialize(kernel: Kernel, constants: Constants): Module {
  return new Specializer(kernel, parse(kernel), constants).make();
}

type Of<K extends DeclarationSyntax["kind"]> = Extract<DeclarationSyntax, { readonly kind: K }>;

class Specializer implements Surroundings {
  readonly module: Scope = new Scope((name) => this.#find(name));
  readonly #resolver = new Resolver(this.module);
  readonly #syntax = new Map<string, DeclarationSyntax>();
  readonly #meanings = new Map<string, Meaning>();
  /** The names whose declarations are being made now. */
  readonly #pending = new Set<string>();
  readonly #declarations: Declaration[] = [];
  readonly #names: Set<string>;

  constructor(readonly kernel: Kernel, readonly file: FileSyntax, readonly constants: Constants) {
    this.#names = new Set(file.names);
  }

  make(): Module {
    const { file, kernel } = this;
    for (const declaration of file.declarations) if (declaration.marks.length === 0) this.#add(declaration);
    for (const declaration of file.declarations) if (declaration.marks.length > 0) this.#addMarked(declaration);
    for (const name of Object.keys(this.constants)) {
      const kind = this.#syntax.get(name)?.kind;
      if (kind !== "const" && kind !== "alias") throw new WgslError(file.at, `${kernel.file} has no constant ${name}`);
    }
    const all = file.declarations.filter((one) => this.#syntax.get(one.name) === one);
    const isKept = (one: DeclarationSyntax) => one.kind === "var" && one.attributes.length > 0;
    const isEntry = (one: DeclarationSyntax) => one.kind === "function" && hasAttribute(one.attributes, "compute");
    // Buffers are bound whether they are used or not.
    for (const one of all.filter(isKept)) this.#find(one.name);
    for (const one of all.filter(isEntry)) this.#find(one.name);
    const needed = this.#declarations.length;
    // The rest is made only to find the errors in it.
    for (const { name } of all) this.#find(name);
    const declarations = all.some(isEntry) ? this.#declarations.slice(0, needed) : this.#declarations;
    return { file: kernel.file, declarations: withoutUnused(declarations), names: this.#names };
  }

  fresh(name: string): string {
    while (this.#names.has(name)) name += "_";
    return name;
  }

  #add(declaration: DeclarationSyntax): void {
    const { name, at } = declaration;
    if (this.#syntax.has(name)) throw new WgslError(at, `${name} is declared twice`);
    this.#syntax.set(name, declaration);
  }

  #addMarked(declaration: DeclarationSyntax): void {
    for (const mark of declaration.marks) {
      if (mark.name !== "if") throw new WgslError(mark.at, `@${mark.name} stands before no statement`);
      if (!holds(this.#resolver, mark.argument!, "if")) {
        if (!this.#syntax.has(declaration.name)) this.#meanings.set(declaration.name, { kind: "dropped", mark });
        return;
      }
    }
    this.#meanings.delete(declaration.name);
    this.#add(declaration);
  }

  #find(name: string): Meaning | null {
    const known = this.#meanings.get(name), syntax = this.#syntax.get(name);
    if (known || !syntax) return known ?? null;
    if (this.#pending.has(name)) throw new WgslError(syntax.at, `${name} needs itself`);
    this.#pending.add(name);
    const made = this.#make(syntax);
    this.#pending.delete(name);
    this.#meanings.set(name, made);
    return made;
  }

  #make(syntax: DeclarationSyntax): Meaning {
    switch (syntax.kind) {
      case "alias":
        return { kind: "type", type: this.#alias(syntax) };
      case "const":
        return this.#const(syntax);
      case "struct": {
        const members = syntax.members.map(({ name, type }) => ({ name, type: this.#resolver.type(type) }));
        return {
          kind: "type",
          type: this.#declare<Struct>({ kind: "struct", at: syntax.at, name: syntax.name, members }),
        };
      }
      case "var":
        return this.#declare(this.#variable(syntax));
      case "function":
        return this.#declare(this.#function(syntax));
    }
  }

  #declare<D extends Declaration>(declaration: D): D {
    this.#declarations.push(declaration);
    return declaration;
  }

  #alias({ at, name, type }: Of<"alias">): Type {
    const given = this.#given(name);
    if (given === undefined) return this.#resolver.type(type);
    if (typeof given !== "string") throw new WgslError(at, `${given} is not a type`);
    return this.#resolver.type(parseType(this.kernel.file, given));
  }

  #given(name: string): Constants[string] | undefined {
    return Object.hasOwn(this.constants, name) ? this.constants[name] : undefined;
  }

  /** A scalar is its value; the rest is declared. */
  #const({ at, name, type: typed, initial }: Of<"const">): Literal | Constant {
    const type = typed && this.#resolver.type(typed), given = this.#given(name);
    const value = given === undefined ? this.#resolver.expression(initial) : valueOf(at, given, type);
    const found = type && given === undefined ? build.converted(value, type) : value;
    if (found.kind === "literal") return found;
    return this.#declare<Constant>({ kind: "constant", at, name, type: found.type, value: found });
  }

  #variable({ at, name, space: [space = "", access = "read"], type: typed, initial, attributes }: Of<"var">): Variable {
    const type = this.#resolver.type(typed), isBuffer = space === "storage" || space === "uniform";
    if (!isBuffer && space !== "private" && space !== "workgroup") {
      throw new WgslError(at, `var<${space}> at module scope`);
    }
    const writes = !isBuffer || access === "read_write";
    if (isBuffer && access !== "read" && access !== "read_write") throw new WgslError(at, `unknown access ${access}`);
    const binding = isBuffer ? this.#attribute(at, attributes, "binding") : null;
    if (isBuffer && this.#attribute(at, attributes, "group") !== 0) {
      throw new WgslError(at, "all buffers are in group 0");
    }
    const value = initial && build.converted(this.#resolver.expression(initial), type);
    return { kind: "variable", at, name, type, space, writes, binding, initial: value };
  }

  #attribute(at: Position, attributes: readonly AttributeSyntax[], name: string): number {
    const [value] = attributes.find((one) => one.name === name)?.arguments ?? [];
    if (!value) throw new WgslError(at, `@${name} is missing`);
    return this.#resolver.integer(value, `@${name}`);
  }

  #function({ at, name, parameters: given, returns: typed, attributes, body }: Of<"function">): FunctionDeclaration {
    const isEntry = hasAttribute(attributes, "compute");
    const parameters = given.map(({ at, name, type, attributes }): Value => {
      const known = this.#resolver.type(type), builtin = isEntry ? builtinOf(at, attributes, known) : null;
      return { kind: "value", at, name, type: known, builtin };
    });
    const returns = typed && this.#resolver.type(typed);
    const workgroup = isEntry ? this.#workgroup(at, attributes) : null;
    return {
      kind: "function",
      at,
      name,
      parameters,
      returns,
      workgroup,
      body: bodyOf(body, parameters, returns, this),
    };
  }

  #workgroup(at: Position, attributes: readonly AttributeSyntax[]): readonly [number, number, number] {
    const extents = attributes.find(({ name }) => name === "workgroup_size")?.arguments;
    if (!extents?.length) throw new WgslError(at, "@workgroup_size is missing");
    const [x = 1, y = 1, z = 1] = extents.map((extent) => this.#resolver.integer(extent, "@workgroup_size"));
    return [x, y, z];
  }
}

/** Finds the constants that are used. */
class ConstantFinder extends Rewriter {
  readonly found = new Set<Declaration>();

  override name(old: Name): Expression {
    if (old.target.kind === "constant") this.found.add(old.target);
    return old;
  }
}

/** Without the constants of which only elements are used, which are literals. */
function withoutUnused(declarations: readonly Declaration[]): readonly Declaration[] {
  if (!declarations.some(({ kind }) => kind === "constant")) return declarations;
  const finder = new ConstantFinder();
  for (const one of declarations) {
    if (one.kind === "function") finder.function(one);
    else if (one.kind === "constant") finder.expression(one.value);
    else if (one.kind === "variable") finder.optional(one.initial);
  }
  return declarations.filter((one) => one.kind !== "constant" || finder.found.has(one));
}

function hasAttribute(attributes: readonly AttributeSyntax[], name: string): boolean {
  return attributes.some((one) => one.name === name);
}

/** The built-in value that a parameter of the entry point is. */
function builtinOf(at: Position, attributes: readonly AttributeSyntax[], type: Type): string {
  const [value] = attributes.find(({ name }) => name === "builtin")?.arguments ?? [];
  if (value?.kind !== "name") throw new WgslError(at, "@builtin is missing");
  const known = Object.hasOwn(BUILTIN_VALUES, value.name) ? BUILTIN_VALUES[value.name] : undefined;
  if (!known) throw new WgslError(value.at, `unknown built-in value ${value.name}`);
  return known === type ? value.name : build.refuseType(at, known, type);
}

/** A constant's new value, of the declared type; a list may have another length than the declaration's. */
function valueOf(at: Position, given: Constants[string], type: Type | null): Expression {
  const list = typeof given === "object", wanted = list && type?.kind === "array" ? type.element : type;
  if (wanted?.kind !== "scalar" || list !== (type?.kind === "array") || typeof given === "string") {
    throw new WgslError(at, `${JSON.stringify(given)} is not a value of this constant`);
  }
  if (!list) return build.literal(at, wanted, given);
  const items = given.map((item) => build.literal(at, wanted as Scalar, item));
  return build.construct(at, arrayOf(wanted, items.length), items);
}
