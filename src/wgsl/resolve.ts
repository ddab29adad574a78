/**
 * Expressions and types of a file's tree (`syntax.ts`) to those of a variant (`ast.ts`), in a scope.
 *
 * @module
 */
import type { BinaryOperator, Expression, Literal, Unary } from "./ast.ts";
import * as build from "./build.ts";
import { isBuiltin } from "./builtins.ts";
import type { ConstantExpressions } from "./constants.ts";
import type { Meaning, Scalars, Scope } from "./scope.ts";
import { type Position, WgslError } from "./source.ts";
import type { ExpressionSyntax, NameSyntax } from "./syntax.ts";
import { arrayOf, isInteger, pointerTo, type Scalar, SCALARS, type Type, vectorOf, VOID } from "./types.ts";

/** `vec4f` and its like. */
const VECTOR = /^vec([234])([fiu]?)$/;
const SUFFIXES: Readonly<Record<string, Scalar>> = { f: SCALARS["f32"]!, i: SCALARS["i32"]!, u: SCALARS["u32"]! };

/** Makes expressions and types in a scope. */
export class Resolver {
  /**
   * @param whole is called with each array that is used other than by constant indices.
   * @param constants compiles the constant expressions of expanded loops; null outside of functions.
   */
  constructor(
    readonly scope: Scope,
    readonly whole: (array: Scalars) => void = () => {},
    readonly constants: ConstantExpressions | null = null,
  ) {}

  expression(syntax: ExpressionSyntax): Expression {
    const { at } = syntax;
    if (syntax.kind === "binary" || syntax.kind === "call") {
      const known = this.#known(syntax);
      if (known) return known;
    }
    switch (syntax.kind) {
      case "number":
        return build.literal(at, SCALARS[syntax.type]!, syntax.value);
      case "boolean":
        return build.literal(at, SCALARS["bool"]!, syntax.value);
      case "name":
        return this.#name(syntax);
      case "unary":
        return build.unary(at, syntax.operator as Unary["operator"], this.expression(syntax.operand));
      case "binary": {
        const left = this.expression(syntax.left), right = this.expression(syntax.right);
        return build.binary(at, syntax.operator as BinaryOperator, left, right);
      }
      case "call":
        return this.call(at, syntax.callee, syntax.arguments);
      case "index":
        return this.#index(at, syntax.base, syntax.index);
      case "member":
        return build.member(at, this.expression(syntax.base), syntax.name);
    }
  }

  /** The value of a constant expression, by compiled code; null if it has to be made from its parts. */
  #known(syntax: ExpressionSyntax): Literal | null {
    const found = this.constants?.find(syntax);
    if (!found) return null;
    try {
      return { kind: "literal", at: syntax.at, type: found.type, value: found.value() };
    } catch (error) {
      // Evaluating the tree gives the error with its position.
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  /** An expression whose value is not abstract. */
  value(syntax: ExpressionSyntax): Expression {
    return build.concrete(this.expression(syntax));
  }

  /** The value of a constant expression. @param what names it in the message, as in "the count of an array". */
  constant(syntax: ExpressionSyntax, what: string): Literal {
    const value = this.expression(syntax);
    if (value.kind !== "literal") throw new WgslError(syntax.at, `${what} is not constant`);
    return value;
  }

  /** A constant integer. */
  integer(syntax: ExpressionSyntax, what: string): number {
    const { type, value } = this.constant(syntax, what);
    if (!isInteger(type)) throw new WgslError(syntax.at, `${what} is not an integer`);
    return Number(value);
  }

  /** What the name means; an error where it means nothing here. */
  meaning(at: Position, name: string): Meaning {
    const found = this.scope.find(name);
    if (!found) throw new WgslError(at, `unknown name ${name}`);
    if (found.kind === "dropped") throw new WgslError(at, `${name} is dropped by @${found.mark.name}`);
    return found;
  }

  #name({ at, name, template }: NameSyntax): Expression {
    const found = template.length === 0 ? this.meaning(at, name) : null;
    switch (found?.kind) {
      case "literal":
      case "counter":
        return { kind: "literal", at, type: found.type, value: found.value };
      case "variable":
      case "value":
      case "constant":
        return build.name(at, found);
      case "scalars":
        this.whole(found);
        return build.name(at, found.array);
      default:
        throw new WgslError(at, `${name} is not a value`);
    }
  }

  #index(at: Position, base: ExpressionSyntax, given: ExpressionSyntax): Expression {
    const index = this.expression(given);
    if (base.kind === "name" && index.kind === "literal" && isInteger(index.type)) {
      const found = this.meaning(base.at, base.name),
        element = found.kind === "scalars" && found.elements[Number(index.value)];
      if (element) return build.name(at, element);
    }
    return build.index(at, this.expression(base), index);
  }

  call(at: Position, callee: NameSyntax, given: readonly ExpressionSyntax[]): Expression {
    const { name, template } = callee, values = () => given.map((one) => this.expression(one));
    const found = this.scope.find(name);
    if (found && template.length === 0) {
      if (found.kind === "function") return build.call(at, found, values(), found.returns ?? VOID);
      if (found.kind === "type") return build.construct(at, found.type, values());
      this.meaning(at, name);
      throw new WgslError(at, `${name} is not a function`);
    }
    if (name === "bitcast" && template.length === 1) {
      return build.builtin(at, name, values(), this.type(template[0]!));
    }
    if (isBuiltin(name) && template.length === 0) return build.builtin(at, name, values());
    const type = this.#predeclared(callee);
    if (!type) throw new WgslError(at, `unknown function ${name}`);
    return build.construct(at, type, values());
  }

  type(syntax: ExpressionSyntax): Type {
    if (syntax.kind !== "name") throw new WgslError(syntax.at, "expected a type");
    const { at, name, template } = syntax, found = template.length === 0 ? this.scope.find(name) : null;
    if (found?.kind === "type") return found.type;
    const type = found ? null : this.#predeclared(syntax);
    if (!type) throw new WgslError(at, `unknown type ${name}`);
    return type;
  }

  /** A type that WGSL has by name; null if it has none of that name. */
  #predeclared({ at, name, template }: NameSyntax): Type | null {
    const [first, second] = template;
    if (!first) {
      if (Object.hasOwn(SCALARS, name)) return SCALARS[name]!;
      const [, size, suffix] = VECTOR.exec(name) ?? [];
      return size && suffix ? vectorOf(Number(size) as 2 | 3 | 4, SUFFIXES[suffix]!) : null;
    }
    const [, size, suffix] = VECTOR.exec(name) ?? [];
    if (size && !suffix && !second) {
      const element = this.type(first);
      if (element.kind !== "scalar") throw new WgslError(at, `a vector of no scalars`);
      return vectorOf(Number(size) as 2 | 3 | 4, element);
    }
    if (name === "array" && template.length <= 2) {
      const count = second ? this.integer(second, "the count of an array") : null;
      if (count !== null && count < 1) throw new WgslError(at, `an array of ${count} elements`);
      return arrayOf(this.type(first), count);
    }
    if (name === "ptr" && second && first.kind === "name") return pointerTo(this.type(second), first.name);
    return null;
  }
}

/** Whether a mark's expression holds: a truth value, or an integer that is not 0. */
export function holds(resolver: Resolver, syntax: ExpressionSyntax, mark: string): boolean {
  const { type, value } = resolver.constant(syntax, `the expression of @${mark}`);
  if (typeof value === "number" && !isInteger(type)) {
    throw new WgslError(syntax.at, `@${mark} takes a truth value or an integer`);
  }
  return Boolean(value);
}
