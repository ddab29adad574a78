/**
 * The parser's lower half: the stream of tokens, and expressions.
 *
 * @module
 */
import { CLOSE_TEMPLATE, OPEN_TEMPLATE, type Token } from "./lexer.ts";
import { type Position, WgslError } from "./source.ts";
import type { ExpressionSyntax, NameSyntax } from "./syntax.ts";

/** The precedence of binary operators, as in C; the highest binds first. WGSL allows less than C: see `needsParentheses()`. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "|": 3,
  "^": 4,
  "&": 5,
  "==": 6,
  "!=": 6,
  "<": 7,
  ">": 7,
  "<=": 7,
  ">=": 7,
  "<<": 8,
  ">>": 8,
  "+": 9,
  "-": 9,
  "*": 10,
  "/": 10,
  "%": 10,
};
const UNARY: ReadonlySet<string> = new Set(["-", "!", "~", "*", "&"]);

/** The precedence of a binary operator; 0 if it is none. */
function precedenceOf(operator: string): number {
  return Object.hasOwn(PRECEDENCE, operator) ? PRECEDENCE[operator]! : 0;
}

/**
 * Whether an operand of `outer` that is a binary expression of `inner` needs parentheses by WGSL's grammar, which has no
 * precedence among bit operators, comparisons, and `&&` and `||`.
 */
export function needsParentheses(outer: string, inner: string, isRight: boolean): boolean {
  const out = precedenceOf(outer), within = precedenceOf(inner);
  if (out >= 9) return within < out || (isRight && within === out);
  // Shifts and bit operators take unary expressions, or, for the latter, a chain of the same operator.
  if (out === 8) return true;
  if (out >= 3 && out <= 5) return outer !== inner || isRight;
  if (out >= 6) return within < 8;
  return within < 6 && (outer !== inner || isRight);
}

/** Reads expressions from tokens. */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  #index = 0;
  /** Every name so far. */
  readonly names: Set<string> = new Set();

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The next token. */
  get token(): Token {
    return this.#tokens[this.#index]!;
  }

  /** The token after that. */
  get peek(): Token {
    return this.#tokens[Math.min(this.#index + 1, this.#tokens.length - 1)]!;
  }

  get atEnd(): boolean {
    return this.#index >= this.#tokens.length - 1;
  }

  /** The line of a mark ends here. */
  get atLineEnd(): boolean {
    return this.token.kind === "end";
  }

  /** The next token, for messages. */
  get found(): string {
    const { kind, text } = this.token;
    if (kind === "end") return this.atEnd ? "the end of the file" : "the end of the line";
    return kind === "mark" ? `the mark @${text}, which must stand before a statement` : `"${text.trim()}"`;
  }

  fail(problem: string, at: Position = this.token): never {
    throw new WgslError(at, problem);
  }

  next(): Token {
    const token = this.token;
    if (!this.atEnd) this.#index++;
    return token;
  }

  /** Goes past the next token if it is this one. */
  takes(text: string): boolean {
    if (this.token.text !== text || this.token.kind === "mark" || this.token.kind === "end") return false;
    this.next();
    return true;
  }

  expect(text: string): void {
    if (!this.takes(text)) this.fail(`expected "${text.trim()}", found ${this.found}`);
  }

  word(): string {
    if (this.token.kind !== "name") this.fail(`expected a name, found ${this.found}`);
    return this.next().text;
  }

  name(): string {
    const name = this.word();
    this.names.add(name);
    return name;
  }

  /** Expressions with commas between them, and the bracket that closes them. */
  expressions(close: string): ExpressionSyntax[] {
    const list: ExpressionSyntax[] = [];
    while (!this.takes(close)) {
      list.push(this.expression());
      if (!this.takes(",")) {
        this.expect(close);
        break;
      }
    }
    return list;
  }

  type(): NameSyntax {
    const at = this.token, name = this.name();
    return { kind: "name", at, name, template: this.takes(OPEN_TEMPLATE) ? this.expressions(CLOSE_TEMPLATE) : [] };
  }

  expression(least = 1): ExpressionSyntax {
    let left = this.unary();
    for (;;) {
      const { text: operator, kind } = this.token, precedence = kind === "symbol" ? precedenceOf(operator) : 0;
      if (precedence < least || precedence === 0) return left;
      const at = this.next(), right = this.expression(precedence + 1);
      this.#checkOperand(at, left, false);
      this.#checkOperand(at, right, true);
      left = { kind: "binary", at, operator, left, right };
    }
  }

  /** Where C's precedence surprises, WGSL has none and requires parentheses. */
  #checkOperand(at: Token, operand: ExpressionSyntax, isRight: boolean): void {
    if (operand.kind !== "binary" || this.#parenthesized.has(operand)) return;
    if (needsParentheses(at.text, operand.operator, isRight)) {
      this.fail(`"${operand.operator}" beside "${at.text}" needs parentheses`, at);
    }
  }

  readonly #parenthesized = new WeakSet<ExpressionSyntax>();

  /** An operand with its unary operators, indices and members. */
  unary(): ExpressionSyntax {
    const at = this.token;
    if (at.kind === "symbol" && (UNARY.has(at.text) || at.text === "--" || at.text === "&&")) {
      // The lexer joins `--x` and `&&x`.
      if (at.text.length > 1) this.fail(`unexpected "${at.text}"`);
      this.next();
      return { kind: "unary", at, operator: at.text, operand: this.unary() };
    }
    return this.#suffixed(this.#primary());
  }

  #primary(): ExpressionSyntax {
    const at = this.token;
    if (at.kind === "number") {
      this.next();
      return numberOf(at);
    }
    if (at.kind === "name") {
      if (at.text === "true" || at.text === "false") {
        this.next();
        return { kind: "boolean", at, value: at.text === "true" };
      }
      const callee = this.type();
      return this.takes("(") ? { kind: "call", at, callee, arguments: this.expressions(")") } : callee;
    }
    if (this.takes("(")) {
      const inner = this.expression();
      this.expect(")");
      this.#parenthesized.add(inner);
      return inner;
    }
    return this.fail(`expected an expression, found ${this.found}`);
  }

  #suffixed(base: ExpressionSyntax): ExpressionSyntax {
    for (;;) {
      const at = this.token;
      if (this.takes("[")) {
        const index = this.expression();
        this.expect("]");
        base = { kind: "index", at: base.at, base, index };
      } else if (at.text === "." && this.takes(".")) {
        base = { kind: "member", at, base, name: this.word() };
      } else return base;
    }
  }
}

function numberOf(at: Token): ExpressionSyntax {
  const hex = /^0[xX]/.test(at.text),
    suffix = /[iu]$/.test(at.text) || (!hex || /[.pP]/.test(at.text)) && /f$/.test(at.text);
  const kind = suffix ? at.text.at(-1)! : "", digits = suffix ? at.text.slice(0, -1) : at.text;
  const value = hex ? hexOf(digits) : Number(digits);
  if (!Number.isFinite(value)) throw new WgslError(at, `"${at.text}" is not a number`);
  const whole = hex ? !/[.pP]/.test(digits) : !/[.eE]/.test(digits);
  if (kind === "u" || kind === "i") {
    const [low, high] = kind === "u" ? [0, 2 ** 32 - 1] : [0, 2 ** 31];
    if (!whole || value < low || value > high) throw new WgslError(at, `${at.text} does not fit ${kind}32`);
    return { kind: "number", at, value, type: kind === "u" ? "u32" : "i32" };
  }
  if (kind === "f") return { kind: "number", at, value: Math.fround(value), type: "f32" };
  return { kind: "number", at, value, type: whole ? "abstract-int" : "abstract-float" };
}

/** A hexadecimal number, which may have a fraction and a power of two. */
function hexOf(text: string): number {
  const [digits, power = "0"] = text.slice(2).split(/[pP]/), [whole = "", fraction = ""] = digits!.split(".");
  const parsed = parseInt(whole + fraction || "x", 16);
  return parsed * 2 ** (Number(power) - 4 * fraction.length);
}
