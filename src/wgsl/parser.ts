/**
 * Tokens to the tree of `syntax.ts`: declarations and statements. `expression_parser.ts` has the expressions.
 *
 * @module
 */
import { ExpressionParser } from "./expression_parser.ts";
import { CLOSE_TEMPLATE, OPEN_TEMPLATE, tokensOf } from "./lexer.ts";
import type { Kernel, Position } from "./source.ts";
import type {
  AttributeSyntax,
  ClauseSyntax,
  DeclarationSyntax,
  ExpressionSyntax,
  FileSyntax,
  Mark,
  ParameterSyntax,
  StatementSyntax,
} from "./syntax.ts";

const parsed = new WeakMap<Kernel, FileSyntax>();

/** The tree of a kernel and what it includes; parsed once. Throws a `WgslError` where it is not WGSL as we use it. */
export function parse(kernel: Kernel): FileSyntax {
  let file = parsed.get(kernel);
  if (!file) parsed.set(kernel, file = new Parser(tokensOf(kernel)).file());
  return file;
}

/** A type that stands alone, such as `vec4f`. @param file for messages. */
export function parseType(file: string, text: string): ExpressionSyntax {
  const parser = new Parser(tokensOf({ file, source: text })), type = parser.type();
  if (!parser.atEnd) parser.fail(`unexpected ${parser.found}`);
  return type;
}

const ASSIGNMENTS: ReadonlySet<string> = new Set(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="]);
/** What other files of WGSL may have at module scope. */
const UNSUPPORTED: ReadonlySet<string> = new Set(["enable", "requires", "diagnostic", "override", "const_assert"]);

class Parser extends ExpressionParser {
  file(): FileSyntax {
    const at = this.token, declarations: DeclarationSyntax[] = [];
    for (;;) {
      const marks = this.#marks();
      if (this.atEnd && marks.length === 0) break;
      if (marks.length === 0 && this.takes(";")) continue;
      declarations.push(this.#declaration(marks));
    }
    return { at, declarations, names: this.names };
  }

  #marks(): Mark[] {
    const marks: Mark[] = [];
    while (this.token.kind === "mark") {
      const at = this.next(), argument = this.atLineEnd ? null : this.expression();
      if (!this.atLineEnd) this.fail(`unexpected ${this.found} after the expression of @${at.text}`);
      this.next();
      marks.push({ name: at.text as Mark["name"], at, argument });
    }
    return marks;
  }

  // --- declarations --------------------------------------------------------------------------------------------------

  #declaration(marks: readonly Mark[]): DeclarationSyntax {
    const attributes = this.#attributes(), at = this.token;
    if (at.kind !== "name") this.fail(`expected a declaration, found ${this.found}`);
    if (UNSUPPORTED.has(at.text)) this.fail(`"${at.text}" is not supported`);
    this.next();
    switch (at.text) {
      case "alias": {
        const name = this.name();
        this.expect("=");
        const type = this.type();
        this.expect(";");
        return { kind: "alias", at, marks, name, type };
      }
      case "const": {
        const name = this.name(), type = this.takes(":") ? this.type() : null;
        this.expect("=");
        const initial = this.expression();
        this.expect(";");
        return { kind: "const", at, marks, name, type, initial };
      }
      case "struct":
        return { kind: "struct", at, marks, name: this.name(), members: this.#list("{", "}") };
      case "var": {
        const space = this.#space(), name = this.name();
        this.expect(":");
        const type = this.type(), initial = this.takes("=") ? this.expression() : null;
        this.expect(";");
        return { kind: "var", at, marks, name, space, type, initial, attributes };
      }
      case "fn": {
        const name = this.name(), parameters = this.#list("(", ")");
        const returns = this.takes("->") ? this.type() : null;
        return { kind: "function", at, marks, name, parameters, returns, attributes, body: this.#block() };
      }
      default:
        return this.fail(`expected a declaration, found "${at.text}"`, at);
    }
  }

  #space(): string[] {
    const space: string[] = [];
    if (!this.takes(OPEN_TEMPLATE)) return space;
    do space.push(this.word()); while (this.takes(","));
    this.expect(CLOSE_TEMPLATE);
    return space;
  }

  #attributes(): AttributeSyntax[] {
    const attributes: AttributeSyntax[] = [];
    while (this.token.text === "@") {
      const at = this.next(), name = this.word();
      attributes.push({ at, name, arguments: this.takes("(") ? this.expressions(")") : [] });
    }
    return attributes;
  }

  /** Parameters, or members, with their brackets. */
  #list(open: string, close: string): ParameterSyntax[] {
    const list: ParameterSyntax[] = [];
    this.expect(open);
    while (!this.takes(close)) {
      const attributes = this.#attributes(), at = this.token, name = this.name();
      this.expect(":");
      list.push({ at, name, type: this.type(), attributes });
      if (!this.takes(",")) {
        this.expect(close);
        break;
      }
    }
    return list;
  }

  // --- statements ----------------------------------------------------------------------------------------------------

  #block(): StatementSyntax[] {
    const open = this.token;
    this.expect("{");
    return this.#statements(open);
  }

  /** Statements up to the brace that closes `open`. */
  #statements(open: Position): StatementSyntax[] {
    const statements: StatementSyntax[] = [];
    for (;;) {
      const marks = this.#marks();
      if (this.atEnd) this.fail("this { is not closed", open);
      if (this.token.text === "}") {
        if (marks.length > 0) this.fail(`@${marks[0]!.name} stands before no statement`, marks[0]!.at);
        this.next();
        return statements;
      }
      if (marks.length === 0 && this.takes(";")) continue;
      statements.push(this.#statement(marks));
    }
  }

  #statement(marks: readonly Mark[]): StatementSyntax {
    const at = this.token;
    switch (at.text) {
      case "{":
        return { kind: "block", at, marks, body: this.#block() };
      case "if":
        return this.#if(marks);
      case "for":
        return this.#for(marks);
      case "while":
        this.next();
        return { kind: "while", at, marks, condition: this.expression(), body: this.#block() };
      case "loop":
        return this.#loop(marks);
      case "switch":
        return this.#switch(marks);
      case "break":
      case "continue":
        this.next();
        this.expect(";");
        return { kind: at.text, at, marks };
      case "return": {
        this.next();
        const value = this.token.text === ";" ? null : this.expression();
        this.expect(";");
        return { kind: "return", at, marks, value };
      }
      default: {
        const statement = this.#simple(marks);
        this.expect(";");
        return statement;
      }
    }
  }

  /** A declaration, an assignment, a step or a call, as it may stand in the head of a loop too. */
  #simple(marks: readonly Mark[]): StatementSyntax {
    const at = this.token;
    switch (at.text) {
      case "var":
      case "let":
      case "const": {
        this.next();
        if (at.text === "var") {
          const [space = "function"] = this.#space();
          if (space !== "function") this.fail(`a variable of a function cannot be in ${space}`, at);
        }
        const name = this.name(), type = this.takes(":") ? this.type() : null;
        const initial = this.takes("=") ? this.expression() : null;
        if (!initial && (at.text !== "var" || !type)) this.fail(`"${name}" needs a value`, at);
        return { kind: at.text, at, marks, name, type, initial };
      }
      case "_": {
        this.next();
        this.expect("=");
        return { kind: "discard", at, marks, value: this.expression() };
      }
    }
    const target = this.unary(), operator = this.token;
    if (operator.text === "++" || operator.text === "--") {
      this.next();
      return { kind: "step", at, marks, target, operator: operator.text };
    }
    if (ASSIGNMENTS.has(operator.text)) {
      this.next();
      return { kind: "assign", at, marks, operator: operator.text, target, value: this.expression() };
    }
    if (target.kind !== "call") this.fail(`expected a statement, found ${this.found}`);
    return { kind: "call", at, marks, call: target };
  }

  #if(marks: readonly Mark[]): StatementSyntax {
    const at = this.next(), condition = this.expression(), then = this.#block();
    if (!this.takes("else")) return { kind: "if", at, marks, condition, then, otherwise: null };
    const otherwise = this.token.text === "if" ? [this.#if([])] : this.#block();
    return { kind: "if", at, marks, condition, then, otherwise };
  }

  #for(marks: readonly Mark[]): StatementSyntax {
    const at = this.next();
    this.expect("(");
    const initial = this.token.text === ";" ? null : this.#simple([]);
    this.expect(";");
    const condition: ExpressionSyntax | null = this.token.text === ";" ? null : this.expression();
    this.expect(";");
    const update = this.token.text === ")" ? null : this.#simple([]);
    this.expect(")");
    return { kind: "for", at, marks, initial, condition, update, body: this.#block() };
  }

  #loop(marks: readonly Mark[]): StatementSyntax {
    const at = this.next(), open = this.token, body: StatementSyntax[] = [];
    this.expect("{");
    let continuing: StatementSyntax[] = [], breakIf: ExpressionSyntax | null = null;
    for (;;) {
      if (this.atEnd) this.fail("this { is not closed", open);
      const marked = this.#marks();
      if (marked.length === 0 && this.takes("}")) break;
      if (marked.length === 0 && this.takes("continuing")) {
        [continuing, breakIf] = this.#continuing();
        this.expect("}");
        break;
      }
      body.push(this.#statement(marked));
    }
    return { kind: "loop", at, marks, body, continuing, breakIf };
  }

  #continuing(): [StatementSyntax[], ExpressionSyntax | null] {
    const open = this.token, statements: StatementSyntax[] = [];
    this.expect("{");
    while (this.token.text !== "}") {
      if (this.atEnd) this.fail("this { is not closed", open);
      if (this.token.text === "break" && this.peek.text === "if") {
        this.next();
        this.next();
        const condition = this.expression();
        this.expect(";");
        this.expect("}");
        return [statements, condition];
      }
      statements.push(this.#statement(this.#marks()));
    }
    this.next();
    return [statements, null];
  }

  #switch(marks: readonly Mark[]): StatementSyntax {
    const at = this.next(), selector = this.expression(), clauses: ClauseSyntax[] = [], open = this.token;
    this.expect("{");
    while (!this.takes("}")) {
      if (this.atEnd) this.fail("this { is not closed", open);
      const values: (ExpressionSyntax | null)[] = [];
      if (this.takes("default")) values.push(null);
      else {
        if (!this.takes("case")) this.fail(`expected "case" or "default", found ${this.found}`);
        do {
          if (this.token.text === ":" || this.token.text === "{") break;
          values.push(this.takes("default") ? null : this.expression());
        } while (this.takes(","));
      }
      this.takes(":");
      clauses.push({ values, body: this.#block() });
    }
    return { kind: "switch", at, marks, selector, clauses };
  }
}
