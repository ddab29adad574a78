/**
 * Text to tokens. Comments are dropped, except marks: `// @if X` becomes a "mark" token, followed by the tokens of X and
 * an "end" token, and `// @include "NAME"` becomes the tokens of that file.
 *
 * @module
 */
import { type Kernel, type Position, type Source, WgslError } from "./source.ts";

/** What a token is: an "end" closes a mark's line, or the file. */
export type TokenKind = "name" | "number" | "symbol" | "mark" | "end";

/** A word, a number, a symbol, a mark's name, or an end. */
export interface Token extends Position {
  readonly kind: TokenKind;
  /** For brackets of template arguments, `<` or `>` and a space, so that they differ from the operators. */
  readonly text: string;
}

/** `<` and `>` around template arguments. */
export const OPEN_TEMPLATE = "< ", CLOSE_TEMPLATE = "> ";

/** The marks, and whether something follows them on their line. */
const MARKS: Readonly<Record<string, "required" | "optional">> = {
  if: "required",
  where: "required",
  unroll: "optional",
};
const MOST_INCLUDES = 8;
const SPACE = 0x20, SLASH = 0x2f;

/** A comment, a name, a number, or a symbol: the first character tells which. */
const TOKEN =
  /\/\/[^\n]*|\/\*[^]*?\*\/|[A-Za-z_]\w*|0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?[iuf]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[iuf]?|->|\+\+|--|&&|\|\||==|!=|<=|<<=|<<|[-+*/%&|^]=|[-+*/%&|^!~<>=.,:;@(){}[\]]/y;
const NUMBER = /^\.?\d/;
/** `// @word rest`. */
const MARK = /^\/\/\s*@(\w*)[ \t]*(.*)$/;

/** The tokens of a kernel and of the files that it includes; the last is an "end". Template brackets differ from operators. */
export function tokensOf(kernel: Kernel): readonly Token[] {
  const tokens: Token[] = [];
  lex(kernel, 0, kernel.source.length, kernel.includes ?? {}, 0, tokens);
  tokens.push({ kind: "end", text: "", source: kernel, offset: kernel.source.length });
  markTemplates(tokens);
  return joinShifts(tokens);
}

function lex(
  source: Source,
  start: number,
  end: number,
  includes: Readonly<Record<string, Kernel>>,
  depth: number,
  tokens: Token[],
): void {
  const { source: text } = source;
  for (let offset = start; offset < end;) {
    const first = text.charCodeAt(offset);
    if (first <= SPACE) {
      offset++;
      continue;
    }
    TOKEN.lastIndex = offset;
    if (!TOKEN.test(text)) throw new WgslError({ source, offset }, `unexpected "${text[offset]}"`);
    const next = TOKEN.lastIndex, word = text.slice(offset, next);
    if (isLetter(first)) tokens.push({ kind: "name", text: word, source, offset });
    else if (NUMBER.test(word)) tokens.push({ kind: "number", text: word, source, offset });
    else if (first !== SLASH || (next - offset === 1) || word === "/=") {
      tokens.push({ kind: "symbol", text: word, source, offset });
    } else if (text.charCodeAt(offset + 1) === SLASH) lexMark(source, offset, word, includes, depth, tokens);
    offset = next;
  }
}

/** Whether a name begins with this character. */
function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || code === 0x5f;
}

function lexMark(
  source: Source,
  offset: number,
  comment: string,
  includes: Readonly<Record<string, Kernel>>,
  depth: number,
  tokens: Token[],
): void {
  const found = MARK.exec(comment);
  if (!found) return;
  const mark = found[1]!, rest = found[2]!.trim(), at = { source, offset };
  if (mark === "include") return include(at, rest, includes, depth, tokens);
  const argument = Object.hasOwn(MARKS, mark) ? MARKS[mark] : undefined;
  if (!argument) throw new WgslError(at, `unknown mark @${mark}: the marks are @if, @where, @unroll and @include`);
  if (argument === "required" && rest === "") throw new WgslError(at, `@${mark} needs an expression`);
  tokens.push({ kind: "mark", text: mark, source, offset });
  const end = offset + comment.length;
  if (rest !== "") lex(source, end - found[2]!.length, end, includes, depth, tokens);
  tokens.push({ kind: "end", text: "", source, offset: end });
}

function include(
  at: Position,
  quoted: string,
  includes: Readonly<Record<string, Kernel>>,
  depth: number,
  tokens: Token[],
): void {
  const name = /^"([^"]+)"$/.exec(quoted)?.[1];
  if (name === undefined) throw new WgslError(at, '@include needs a file\'s name, such as "matmul/tile.wgsl"');
  const included = Object.hasOwn(includes, name) ? includes[name] : undefined;
  if (!included) throw new WgslError(at, `there is no file "${name}" to include`);
  if (depth === MOST_INCLUDES) throw new WgslError(at, `"${name}" is included too deeply`);
  lex(included, 0, included.source.length, { ...includes, ...included.includes }, depth + 1, tokens);
}

/** WGSL's template list discovery: a `<` after a name opens a list if its `>` comes before any token that cannot be in a list. */
function markTemplates(tokens: Token[]): void {
  const candidates: { readonly index: number; readonly depth: number }[] = [];
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    if (kind === "name" || kind === "number") continue;
    if (kind !== "symbol") {
      depth = candidates.length = 0;
    } else if (text === "<") {
      if (tokens[i - 1]?.kind === "name") candidates.push({ index: i, depth });
    } else if (text === ">") {
      const last = candidates.at(-1);
      if (last?.depth !== depth) continue;
      candidates.pop();
      tokens[last.index] = { ...tokens[last.index]!, text: OPEN_TEMPLATE };
      tokens[i] = { ...tokens[i]!, text: CLOSE_TEMPLATE };
    } else if (text === "(" || text === "[") {
      depth++;
    } else if (text === ")" || text === "]") {
      while (candidates.length > 0 && candidates.at(-1)!.depth >= depth) candidates.pop();
      depth = Math.max(0, depth - 1);
    } else if (text === ";" || text === "{" || text === ":" || text === "=") {
      depth = candidates.length = 0;
    } else if (text === "&&" || text === "||") {
      while (candidates.length > 0 && candidates.at(-1)!.depth >= depth) candidates.pop();
    }
  }
}

/** `>` and what touches it, where they are operators: `>=`, `>>`, `>>=`. */
function joinShifts(tokens: readonly Token[]): Token[] {
  const joined: Token[] = [];
  for (const token of tokens) {
    const last = token.text === ">" || token.text === "=" ? joined.at(-1) : undefined;
    const joins = last?.text === ">" || (last?.text === ">>" && token.text === "=");
    if (joins && last.source === token.source && last.offset + last.text.length === token.offset) {
      joined[joined.length - 1] = { ...last, text: last.text + token.text };
    } else joined.push(token);
  }
  return joined;
}
