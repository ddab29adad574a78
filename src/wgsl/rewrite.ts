/**
 * Passes over a variant's tree. A `Rewriter` visits every node and makes new ones where something changes; what stays the
 * same is shared.
 *
 * @module
 */
import type { Clause, Declaration, Expression, FunctionDeclaration, Name, Statement, Value } from "./ast.ts";

/** `list` with each element replaced; the same list if none changes. */
function mapped<T>(list: readonly T[], replace: (one: T) => T): readonly T[] {
  let changed: T[] | null = null;
  for (let i = 0; i < list.length; i++) {
    const one = list[i]!, other = replace(one);
    if (other !== one) (changed ??= list.slice())[i] = other;
  }
  return changed ?? list;
}

/** Visits the parts of nodes; subclasses override what they change. */
export class Rewriter {
  /** What declarations have become so far. */
  readonly #replaced = new Map<Declaration | Value, Declaration | Value>();

  /** From here on, uses of `old`, a declaration or a parameter, are uses of `replacement`. */
  replace<T extends Declaration | Value>(old: T, replacement: T): void {
    this.#replaced.set(old, replacement);
  }

  function(old: FunctionDeclaration): FunctionDeclaration {
    const body = this.body(old.body);
    return body === old.body ? old : { ...old, body };
  }

  body(statements: readonly Statement[]): readonly Statement[] {
    return mapped(statements, (one) => this.statement(one));
  }

  statement(old: Statement): Statement {
    switch (old.kind) {
      case "declare": {
        const initial = this.optional(old.initial);
        return initial === old.initial ? old : { ...old, initial };
      }
      case "assign": {
        const target = this.expression(old.target), value = this.expression(old.value);
        return target === old.target && value === old.value ? old : { ...old, target, value };
      }
      case "step": {
        const target = this.expression(old.target);
        return target === old.target ? old : { ...old, target };
      }
      case "call": {
        const call = this.expression(old.call);
        if (call === old.call) return old;
        if (call.kind !== "call" && call.kind !== "builtin") throw new Error("a call has become a value");
        return { ...old, call };
      }
      case "discard": {
        const value = this.expression(old.value);
        return value === old.value ? old : { ...old, value };
      }
      case "return": {
        const value = this.optional(old.value);
        return value === old.value ? old : { ...old, value };
      }
      case "block": {
        const body = this.body(old.body);
        return body === old.body ? old : { ...old, body };
      }
      case "break":
      case "continue":
        return old;
      default:
        return this.#branching(old);
    }
  }

  #branching(old: Extract<Statement, { readonly kind: "if" | "for" | "while" | "loop" | "switch" }>): Statement {
    switch (old.kind) {
      case "if": {
        const condition = this.expression(old.condition), then = this.body(old.then);
        const otherwise = old.otherwise && this.body(old.otherwise);
        const same = condition === old.condition && then === old.then && otherwise === old.otherwise;
        return same ? old : { ...old, condition, then, otherwise };
      }
      case "for": {
        const initial = old.initial && this.statement(old.initial), condition = this.optional(old.condition);
        const update = old.update && this.statement(old.update), body = this.body(old.body);
        const same = initial === old.initial && condition === old.condition && update === old.update &&
          body === old.body;
        return same ? old : { ...old, initial, condition, update, body };
      }
      case "while": {
        const condition = this.expression(old.condition), body = this.body(old.body);
        return condition === old.condition && body === old.body ? old : { ...old, condition, body };
      }
      case "loop": {
        const body = this.body(old.body), continuing = this.body(old.continuing), breakIf = this.optional(old.breakIf);
        const same = body === old.body && continuing === old.continuing && breakIf === old.breakIf;
        return same ? old : { ...old, body, continuing, breakIf };
      }
      case "switch": {
        const selector = this.expression(old.selector);
        const clauses = mapped(old.clauses, (clause): Clause => {
          const body = this.body(clause.body);
          return body === clause.body ? clause : { ...clause, body };
        });
        return selector === old.selector && clauses === old.clauses ? old : { ...old, selector, clauses };
      }
    }
  }

  optional(old: Expression | null): Expression | null {
    return old && this.expression(old);
  }

  /** A use of a variable, value or constant. */
  name(old: Name): Expression {
    const replaced = this.#replaced.get(old.target);
    if (!replaced || replaced.kind === "function" || replaced.kind === "struct") return old;
    return { ...old, target: replaced };
  }

  expression(old: Expression): Expression {
    switch (old.kind) {
      case "literal":
        return old;
      case "name":
        return this.name(old);
      case "unary": {
        const operand = this.expression(old.operand);
        return operand === old.operand ? old : { ...old, operand };
      }
      case "binary": {
        const left = this.expression(old.left), right = this.expression(old.right);
        return left === old.left && right === old.right ? old : { ...old, left, right };
      }
      case "call": {
        const values = mapped(old.arguments, (one) => this.expression(one)), found = this.#replaced.get(old.target);
        const target = found?.kind === "function" ? found : old.target;
        return values === old.arguments && target === old.target ? old : { ...old, target, arguments: values };
      }
      case "builtin":
      case "construct": {
        const values = mapped(old.arguments, (one) => this.expression(one));
        return values === old.arguments ? old : { ...old, arguments: values };
      }
      case "index": {
        const base = this.expression(old.base), index = this.expression(old.index);
        return base === old.base && index === old.index ? old : { ...old, base, index };
      }
      case "member": {
        const base = this.expression(old.base);
        return base === old.base ? old : { ...old, base };
      }
    }
  }
}
