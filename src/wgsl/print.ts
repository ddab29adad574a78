/**
 * The text of a variant: compact and without comments, because compilers are slow on long texts. Every statement is on
 * its own line, so that the line of a compiler's error leads back to the source.
 *
 * @module
 */
import type { Declaration, Expression, Literal, Module, Statement, Variable } from "./ast.ts";
import { needsParentheses } from "./expression_parser.ts";
import { lineOf, type Position } from "./source.ts";
import { BOOL, F32, I32, type Struct, type Type, typeName } from "./types.ts";

const printed = new WeakMap<Module, string>();

/** The text of `module`, which is WGSL; made once. */
export function print(module: Module): string {
  let text = printed.get(module);
  if (text === undefined) printed.set(module, text = new Printer(module).lines.join("\n") + "\n");
  return text;
}

/**
 * Where a line (from 1) of the text of `module` comes from: `FILE:LINE:COLUMN` of the statement, and the text of its first
 * line. Null where there is no such line.
 */
export function sourceOf(module: Module, line: number): { readonly at: string; readonly text: string } | null {
  const position = new Printer(module).positions[line - 1];
  if (!position) return null;
  const { line: number, column, text } = lineOf(position);
  return { at: `${position.source.file}:${number}:${column}`, text };
}

class Printer {
  readonly lines: string[] = [];
  /** Where each line comes from. */
  readonly positions: Position[] = [];

  /** The names of structs, which may have to change where several kernels are merged. */
  readonly #structs = new Map<Struct, string>();

  constructor({ declarations }: Module) {
    const taken = new Set(declarations.flatMap((one) => one.kind === "struct" ? [] : [one.name]));
    for (const one of declarations) {
      if (one.kind !== "struct") continue;
      let { name } = one;
      while (taken.has(name)) name += "_";
      taken.add(name);
      this.#structs.set(one, name);
    }
    for (const declaration of declarations) this.#declaration(declaration);
  }

  #line(at: Position, text: string): void {
    this.lines.push(text);
    this.positions.push(at);
  }

  #declaration(declaration: Declaration): void {
    const { at, name } = declaration;
    switch (declaration.kind) {
      case "constant":
        return this.#line(at, `const ${name}=${this.#expression(declaration.value)};`);
      case "struct": {
        const members = declaration.members.map((member) => `${member.name}:${this.#type(member.type)}`);
        return this.#line(at, `struct ${this.#type(declaration)}{${members.join(",")}}`);
      }
      case "variable":
        return this.#line(at, this.#variable(declaration));
      case "function": {
        const { parameters, returns, workgroup, body } = declaration;
        if (workgroup) this.#line(at, `@compute @workgroup_size(${workgroup.join(",")})`);
        const list = parameters.map(({ name, type, builtin }) =>
          `${builtin ? `@builtin(${builtin}) ` : ""}${name}:${this.#type(type)}`
        );
        this.#line(at, `fn ${name}(${list.join(",")})${returns ? `->${this.#type(returns)}` : ""}{`);
        this.#block(body);
        return this.#line(at, "}");
      }
    }
  }

  #block(body: readonly Statement[]): void {
    for (const statement of body) this.#statement(statement);
  }

  /** A head, and a body in braces. */
  #braced(at: Position, head: string, body: readonly Statement[], tail = "}"): void {
    this.#line(at, `${head}{`);
    this.#block(body);
    this.#line(at, tail);
  }

  #statement(statement: Statement): void {
    const { at } = statement;
    switch (statement.kind) {
      case "block":
        return this.#braced(at, "", statement.body);
      case "if":
        return this.#if(statement);
      case "for": {
        const { initial, condition, update, body } = statement;
        const part = (one: Statement | null) => one ? this.#simple(one) : "";
        return this.#braced(
          at,
          `for(${part(initial)};${condition ? this.#expression(condition) : ""};${part(update)})`,
          body,
        );
      }
      case "while":
        return this.#braced(at, `while(${this.#expression(statement.condition)})`, statement.body);
      case "loop": {
        const { body, continuing, breakIf } = statement;
        this.#line(at, "loop{");
        this.#block(body);
        if (continuing.length > 0 || breakIf) {
          this.#braced(at, "continuing", continuing, breakIf ? `break if ${this.#expression(breakIf)};}` : "}");
        }
        return this.#line(at, "}");
      }
      case "switch": {
        this.#line(at, `switch(${this.#expression(statement.selector)}){`);
        for (const { values, isDefault, body } of statement.clauses) {
          const labels = [...values.map(literal), ...(isDefault ? ["default"] : [])];
          this.#braced(at, values.length === 0 ? "default" : `case ${labels.join(",")}`, body);
        }
        return this.#line(at, "}");
      }
      default:
        return this.#line(at, `${this.#simple(statement)};`);
    }
  }

  #if(statement: Extract<Statement, { readonly kind: "if" }>, before = ""): void {
    const { at, condition, then, otherwise } = statement, [first] = otherwise ?? [];
    this.#line(at, `${before}if(${this.#expression(condition)}){`);
    this.#block(then);
    if (first?.kind === "if" && otherwise!.length === 1) return this.#if(first, "}else ");
    if (otherwise) {
      this.#line(at, "}else{");
      this.#block(otherwise);
    }
    this.#line(at, "}");
  }

  #type(type: Type): string {
    return typeName(type, (struct) => this.#structs.get(struct) ?? struct.name);
  }

  #variable({ name, type, space, writes, binding, initial }: Variable): string {
    const bound = binding === null ? "" : `@group(0) @binding(${binding}) `;
    const access = space === "storage" ? `,${writes ? "read_write" : "read"}` : "";
    return `${bound}var<${space}${access}> ${name}:${this.#type(type)}${
      initial ? `=${this.#expression(initial)}` : ""
    };`;
  }

  /** A statement that may stand in the head of a loop, without its semicolon; or one without parts. */
  #simple(statement: Statement): string {
    switch (statement.kind) {
      case "declare": {
        const { symbol: { kind, name, type }, initial } = statement, word = kind === "variable" ? "var" : "let";
        return initial ? `${word} ${name}=${this.#expression(initial)}` : `${word} ${name}:${this.#type(type)}`;
      }
      case "assign":
        return `${this.#expression(statement.target)}${statement.operator ?? ""}=${this.#expression(statement.value)}`;
      case "step":
        return this.#expression(statement.target) + statement.operator;
      case "call":
        return this.#expression(statement.call);
      case "discard":
        return `_=${this.#expression(statement.value)}`;
      case "return":
        return statement.value ? `return ${this.#expression(statement.value)}` : "return";
      case "break":
      case "continue":
        return statement.kind;
      default:
        throw new Error(`a ${statement.kind} in the head of a loop`);
    }
  }

  #expression(node: Expression): string {
    switch (node.kind) {
      case "literal":
        return literal(node);
      case "name":
        return node.target.name;
      case "unary": {
        const inner = this.#operand(node.operand);
        return node.operator + (inner.startsWith(node.operator) ? " " : "") + inner;
      }
      case "binary": {
        const { operator, left, right } = node, second = this.#side(operator, right, true);
        // Not `--`, `&&` or a comment.
        const space = second.startsWith("-") || second.startsWith("&") || second.startsWith("*") ? " " : "";
        return this.#side(operator, left, false) + operator + space + second;
      }
      case "call":
        return node.target.name + this.#list(node.arguments);
      case "builtin": {
        const template = node.name === "bitcast" ? `<${this.#type(node.type)}>` : "";
        return node.name + template + this.#list(node.arguments);
      }
      case "construct":
        return this.#type(node.type) + this.#list(node.arguments);
      case "index":
        return `${this.#base(node.base)}[${this.#expression(node.index)}]`;
      case "member":
        return `${this.#base(node.base)}.${node.name}`;
    }
  }

  /** Arguments. `a<b,c>d` would be a template. */
  #list(values: readonly Expression[]): string {
    const texts = values.map((value) => {
      const text = this.#expression(value);
      return value.kind === "binary" && values.length > 1 && text.includes("<") ? `(${text})` : text;
    });
    return `(${texts.join(",")})`;
  }

  /** An operand of a binary operator. `a<b>>c` would be a template. */
  #side(operator: string, node: Expression, isRight: boolean): string {
    const text = this.#expression(node);
    if (node.kind !== "binary") return text;
    return needsParentheses(operator, node.operator, isRight) || node.operator === ">>" ? `(${text})` : text;
  }

  /** The operand of a unary operator. */
  #operand(node: Expression): string {
    return node.kind === "binary" ? `(${this.#expression(node)})` : this.#expression(node);
  }

  /** What is indexed, or whose member is taken. */
  #base(node: Expression): string {
    return node.kind === "binary" || node.kind === "unary" ? `(${this.#expression(node)})` : this.#expression(node);
  }
}

/** A literal, with the suffix of its type. */
function literal({ type, value }: Literal): string {
  if (type === BOOL || typeof value === "boolean") return `${value}`;
  if (type === F32) return `${float(value)}f`;
  if (type === I32) return value === -(2 ** 31) ? "i32(-2147483648)" : `${value}i`;
  return type.name === "u32" ? `${value}u` : abstract(type, value);
}

function abstract(type: Type, value: number): string {
  const text = Object.is(value, -0) ? "-0" : `${value}`;
  return typeName(type) === "abstract-float" && !/[.e]/.test(text) ? `${text}.0` : text;
}

/** The fewest digits that give this f32. */
function float(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const whole = `${value}`;
  if (whole.length < 9) return whole;
  for (let digits = 6; digits < 9; digits++) {
    const text = `${Number(value.toPrecision(digits))}`;
    if (Math.fround(Number(text)) === value) return text;
  }
  return `${Number(value.toPrecision(9))}`;
}
