/**
 * The body of a function: statements of a file's tree (`syntax.ts`) to those of a variant (`ast.ts`). Drops statements by
 * marks and constant conditions, expands the loops that are marked, and turns private arrays into one variable per element.
 *
 * @module
 */
import type { BinaryOperator, Clause, Expression, Literal, Statement, Value, Variable } from "./ast.ts";
import * as build from "./build.ts";
import { holds, Resolver } from "./resolve.ts";
import { ConstantExpressions } from "./constants.ts";
import { type Counter, type Meaning, type Scalars, Scope } from "./scope.ts";
import { type Position, WgslError } from "./source.ts";
import type { ExpressionSyntax, StatementSyntax } from "./syntax.ts";
import { BOOL, isInteger, type Type } from "./types.ts";

/** The most times that a loop is expanded: more is a mistake. */
const MOST_TURNS = 65536;

/** A statement that `break` or `continue` can leave. */
interface Breakable {
  readonly kind: "loop" | "switch" | "expanded";
  /** Whether a `break` leaves it. */
  broken: boolean;
}

type Of<K extends StatementSyntax["kind"]> = Extract<StatementSyntax, { readonly kind: K }>;

/** What function bodies need from the module. */
export interface Surroundings {
  /** The names at module scope. */
  readonly module: Scope;
  /** `name`, with underscores added until nothing else has it. */
  fresh(name: string): string;
}

/**
 * The statements of a body.
 *
 * @param parameters the names that are declared in front of them.
 * @param returns null where the function returns nothing.
 */
export function bodyOf(
  syntax: readonly StatementSyntax[],
  parameters: readonly Value[],
  returns: Type | null,
  surroundings: Surroundings,
): readonly Statement[] {
  // Every array becomes scalars, unless a use needs the whole array: then the body is made again.
  const whole = new Set<StatementSyntax>();
  for (;;) {
    const count = whole.size, body = new Body(returns, surroundings, whole).make(syntax, parameters);
    if (whole.size === count) return body;
  }
}

class Body {
  readonly #returns: Type | null;
  readonly #surroundings: Surroundings;
  /** The declarations of the arrays that stay arrays. */
  readonly #whole: Set<StatementSyntax>;
  readonly #module: Resolver;
  readonly #scope: Scope;
  readonly #resolver: Resolver;
  readonly #around: Breakable[] = [];
  /** The variables of the loops that are expanded. */
  readonly #counters = new Map<StatementSyntax, Counter>();
  /** The next values of these variables. */
  readonly #updates = new Map<StatementSyntax, ExpressionSyntax>();

  constructor(returns: Type | null, surroundings: Surroundings, whole: Set<StatementSyntax>) {
    this.#returns = returns;
    this.#surroundings = surroundings;
    this.#whole = whole;
    this.#module = new Resolver(surroundings.module);
    this.#scope = new Scope((name) => surroundings.module.find(name));
    const constants = new ConstantExpressions(this.#scope);
    this.#resolver = new Resolver(this.#scope, (array) => whole.add(array.declaration), constants);
  }

  make(syntax: readonly StatementSyntax[], parameters: readonly Value[]): Statement[] {
    return this.#scope.within(() => {
      for (const parameter of parameters) this.#declare(parameter.at, parameter.name, parameter);
      return this.#statements(syntax);
    });
  }

  #declare(at: Position, name: string, meaning: Meaning): void {
    if (!this.#scope.declare(name, meaning)) throw new WgslError(at, `${name} is declared twice`);
  }

  #block(syntax: readonly StatementSyntax[]): Statement[] {
    return this.#scope.within(() => this.#statements(syntax));
  }

  #statements(syntax: readonly StatementSyntax[]): Statement[] {
    const made: Statement[] = [];
    for (const statement of syntax) {
      if (!this.#isKept(statement)) continue;
      for (const one of this.#statement(statement)) made.push(one);
      // Nothing after that is reached.
      if (made.length > 0 && leaves(made.at(-1)!)) break;
    }
    return made;
  }

  /** Whether no mark drops a statement. The names that a dropped one declares must not be used. */
  #isKept(syntax: StatementSyntax): boolean {
    if (syntax.marks.length === 0) return true;
    for (const mark of syntax.marks) {
      const { name, argument } = mark;
      if (name === "unroll") {
        if (syntax.kind !== "for") throw new WgslError(mark.at, "@unroll stands before no loop");
      } else if (!holds(name === "if" ? this.#module : this.#resolver, argument!, name)) {
        if (syntax.kind === "var" || syntax.kind === "let" || syntax.kind === "const") {
          this.#declare(syntax.at, syntax.name, { kind: "dropped", mark });
        }
        return false;
      }
    }
    return true;
  }

  #statement(syntax: StatementSyntax): Statement[] {
    const { at } = syntax, resolver = this.#resolver;
    switch (syntax.kind) {
      case "let":
      case "const":
      case "var":
        return this.#declaration(syntax);
      case "assign":
        return [this.#assign(syntax)];
      case "step": {
        const target = resolver.expression(syntax.target);
        build.checkTarget(target);
        return [{ kind: "step", at, target, operator: syntax.operator }];
      }
      case "discard":
        return [{ kind: "discard", at, value: resolver.value(syntax.value) }];
      case "call": {
        const call = resolver.expression(syntax.call);
        if (call.kind !== "call" && call.kind !== "builtin") throw new WgslError(at, "this does nothing");
        return [{ kind: "call", at, call }];
      }
      case "block":
        return flattened(at, this.#block(syntax.body));
      case "if":
        return this.#if(syntax);
      case "for":
        return this.#for(syntax);
      case "while": {
        const condition = this.#condition(syntax.condition);
        return [{ kind: "while", at, condition, body: this.#inside("loop", () => this.#block(syntax.body)) }];
      }
      case "loop":
        return this.#inside("loop", () => [this.#loop(syntax)]);
      case "switch":
        return this.#switch(syntax);
      case "break":
      case "continue":
        this.#leave(at, syntax.kind);
        return [{ kind: syntax.kind, at }];
      case "return":
        return [{ kind: "return", at, value: this.#returned(at, syntax.value) }];
    }
  }

  #returned(at: Position, syntax: ExpressionSyntax | null): Expression | null {
    if (!syntax !== !this.#returns) {
      throw new WgslError(at, syntax ? "this function returns nothing" : "a value is missing");
    }
    return syntax && this.#returns ? build.converted(this.#resolver.expression(syntax), this.#returns) : null;
  }

  #declaration(syntax: Of<"let" | "const" | "var">): Statement[] {
    const { at, name, kind } = syntax, resolver = this.#resolver;
    const type = syntax.type && resolver.type(syntax.type),
      given = syntax.initial && resolver.expression(syntax.initial);
    if (kind === "const" && given?.kind === "literal") {
      this.#declare(at, name, type ? build.converted(given, type) as Literal : given);
      return [];
    }
    const initial = given && (type ? build.converted(given, type) : build.concrete(given));
    const known = type ?? initial!.type;
    if (kind !== "var") {
      const symbol: Value = { kind: "value", at, name, type: known, builtin: null };
      this.#declare(at, name, symbol);
      return [{ kind: "declare", at, symbol, initial }];
    }
    const variable = (name: string, type: Type): Variable => (
      { kind: "variable", at, name, type, space: "function", writes: true, binding: null, initial: null }
    );
    const symbol = variable(name, known);
    if (initial || known.kind !== "array" || known.count === null || this.#whole.has(syntax)) {
      this.#declare(at, name, symbol);
      return [{ kind: "declare", at, symbol, initial }];
    }
    const { element, count } = known;
    const elements = Array.from(
      { length: count },
      (_, i) => variable(this.#surroundings.fresh(`${name}__${i}`), element),
    );
    const scalars: Scalars = { kind: "scalars", declaration: syntax, array: symbol, elements };
    this.#declare(at, name, scalars);
    return elements.map((symbol) => ({ kind: "declare", at, symbol, initial: null }));
  }

  #assign({ at, target: to, operator: sign, value: given }: Of<"assign">): Statement {
    const target = this.#resolver.expression(to), value = this.#resolver.expression(given);
    build.checkTarget(target);
    const operator = sign === "=" ? null : sign.slice(0, -1) as BinaryOperator;
    if (!operator) return { kind: "assign", at, operator, target, value: build.converted(value, target.type) };
    const result = build.binary(at, operator, target, value);
    if (result.type !== target.type || result.kind !== "binary") throw new WgslError(at, `${sign} changes the type`);
    return { kind: "assign", at, operator, target, value: result.right };
  }

  #condition(syntax: ExpressionSyntax): Expression {
    return build.converted(this.#resolver.expression(syntax), BOOL);
  }

  /** If the condition is constant, only the branch that runs. */
  #if(syntax: Of<"if">): Statement[] {
    const { at } = syntax, condition = this.#condition(syntax.condition), otherwise = syntax.otherwise ?? [];
    if (condition.kind === "literal") return flattened(at, this.#block(condition.value ? syntax.then : otherwise));
    const then = this.#block(syntax.then), rest = this.#block(otherwise);
    return [{ kind: "if", at, condition, then, otherwise: rest.length > 0 ? rest : null }];
  }

  /** If the selector is constant, only the clause that runs. */
  #switch(syntax: Of<"switch">): Statement[] {
    const { at } = syntax, around: Breakable = { kind: "switch", broken: false };
    const selector = this.#resolver.value(syntax.selector);
    const values = syntax.clauses.map(({ values }) =>
      values.flatMap((value) => {
        if (!value) return [];
        const literal = build.converted(this.#resolver.constant(value, "a case"), selector.type);
        return [literal as Literal];
      })
    );
    this.#around.push(around);
    if (selector.kind === "literal") {
      const matching = values.findIndex((list) => list.some(({ value }) => value === selector.value));
      const chosen = syntax.clauses[matching] ?? syntax.clauses.find(({ values }) => values.includes(null));
      const body = chosen ? this.#block(chosen.body) : [];
      if (!around.broken) {
        this.#around.pop();
        return flattened(at, body);
      }
    }
    const clauses = syntax.clauses.map((clause, i): Clause => (
      { values: values[i]!, isDefault: clause.values.includes(null), body: this.#block(clause.body) }
    ));
    this.#around.pop();
    return [{ kind: "switch", at, selector, clauses }];
  }

  // --- loops ---------------------------------------------------------------------------------------------------------

  #inside<T>(kind: Breakable["kind"], make: () => T): T {
    this.#around.push({ kind, broken: false });
    const made = make();
    this.#around.pop();
    return made;
  }

  #leave(at: Position, word: "break" | "continue"): void {
    const left = this.#around.findLast(({ kind }) => word === "break" || kind !== "switch");
    if (!left) throw new WgslError(at, `${word} in no loop`);
    if (left.kind === "expanded") throw new WgslError(at, `${word} in a loop that @unroll expands`);
    left.broken ||= word === "break";
  }

  #loop({ at, body, continuing, breakIf }: Of<"loop">): Statement {
    return this.#scope.within(() => ({
      kind: "loop",
      at,
      body: this.#statements(body),
      ...this.#scope.within(() => ({
        continuing: this.#statements(continuing),
        breakIf: breakIf && this.#condition(breakIf),
      })),
    }));
  }

  #for(syntax: Of<"for">): Statement[] {
    const mark = syntax.marks.find(({ name }) => name === "unroll"), { at } = syntax;
    if (mark && (!mark.argument || holds(this.#module, mark.argument, "unroll"))) return this.#expanded(syntax);
    return this.#scope.within(() => {
      const one = (part: StatementSyntax | null) => part ? this.#statement(part)[0] ?? null : null;
      const initial = one(syntax.initial), condition = syntax.condition && this.#condition(syntax.condition);
      const update = one(syntax.update), body = this.#inside("loop", () => this.#block(syntax.body));
      return [{ kind: "for", at, initial, condition, update, body }];
    });
  }

  /** The body once for each turn of a loop, its variable replaced by its values. */
  #expanded(syntax: Of<"for">): Statement[] {
    const { at, initial, condition, update, body } = syntax, bound = "a bound of a loop that @unroll expands";
    if (initial?.kind !== "var" || !initial.initial || !condition || !update) {
      fail(at, "@unroll needs a loop that counts");
    }
    const next = this.#next(syntax, initial.name, update);
    const type = initial.type && this.#resolver.type(initial.type);
    const given = this.#resolver.constant(initial.initial, bound);
    const { type: counted, value } = (type ? build.converted(given, type) : build.concrete(given)) as Literal;
    if (!isInteger(counted)) fail(at, "@unroll needs a loop that counts integers");
    let counter = this.#counters.get(syntax);
    if (!counter) this.#counters.set(syntax, counter = { kind: "counter", type: counted, value: 0 });
    const copies: Statement[] = [];
    counter.value = Number(value);
    return this.#scope.within(() => {
      this.#declare(at, initial.name, counter);
      for (let turn = 0; this.#goesOn(condition, bound); turn++) {
        if (turn === MOST_TURNS) fail(at, `a loop of more than ${MOST_TURNS} turns cannot be expanded`);
        for (const one of flattened(at, this.#inside("expanded", () => this.#block(body)))) copies.push(one);
        if (copies.length > 0 && leaves(copies.at(-1)!)) break;
        counter.value = Number((build.converted(this.#resolver.constant(next, bound), counted) as Literal).value);
      }
      return copies;
    });
  }

  #goesOn(condition: ExpressionSyntax, bound: string): boolean {
    const { type, value } = this.#resolver.constant(condition, bound);
    if (type !== BOOL) build.refuseType(condition.at, BOOL, type);
    return Boolean(value);
  }

  /** The expression of a loop variable's next value: `i + 2` for the update `i += 2`. */
  #next(loop: Of<"for">, name: string, update: StatementSyntax): ExpressionSyntax {
    const known = this.#updates.get(loop), { at } = update;
    if (known) return known;
    const target = update.kind === "step" || update.kind === "assign" ? update.target : null;
    if (target?.kind !== "name" || target.name !== name) fail(at, `@unroll needs a loop that counts ${name}`);
    const { operator } = update as Of<"step" | "assign">;
    const by: ExpressionSyntax = update.kind === "assign"
      ? update.value
      : { kind: "number", at, value: 1, type: "abstract-int" };
    // Without the last character, `++` is `+`, `+=` is `+`, and `=` is nothing.
    const next: ExpressionSyntax = operator === "="
      ? by
      : { kind: "binary", at: by.at, operator: operator.slice(0, -1), left: target, right: by };
    this.#updates.set(loop, next);
    return next;
  }
}

function fail(at: Position, problem: string): never {
  throw new WgslError(at, problem);
}

/** A block's statements: in a block only if they declare names. */
function flattened(at: Position, body: Statement[]): Statement[] {
  const scoped = body.some(({ kind }) => kind === "declare");
  return scoped ? [{ kind: "block", at, body }] : body;
}

/** Whether the statements after this one are never reached. */
function leaves(statement: Statement): boolean {
  switch (statement.kind) {
    case "return":
    case "break":
    case "continue":
      return true;
    case "block":
      return statement.body.length > 0 && leaves(statement.body.at(-1)!);
    case "if": {
      const { then, otherwise } = statement;
      return [then, otherwise ?? []].every((branch) => branch.length > 0 && leaves(branch.at(-1)!));
    }
    default:
      return false;
  }
}
