/**
 * Turns a readable `.wgsl` file into the text of one pipeline: replaces the values of its `const` and `alias`
 * declarations, drops what is marked `// @if NAME` or `// @where EXPRESSION`, expands the loops marked `// @unroll` (or `// @unroll NAME`, if the constant NAME is true), and turns private arrays whose indices are then all constant
 * into scalars, which drivers keep in registers.
 *
 * @module
 */

/** A kernel as it lies in `shaders/`. */
export interface Kernel {
  /** The file's name, for error messages. */
  readonly file: string;
  readonly source: string;
}

/** New values for a kernel's `const` declarations (numbers, booleans, lists for arrays) and `alias` ones (a type). */
export type Constants = Readonly<Record<string, number | boolean | string | readonly number[]>>;

/** The text of `kernel` with `constants` baked in. Throws where a name or a value does not fit: that is our bug. */
export function specialize(kernel: Kernel, constants: Constants): string {
  let text = kernel.source;
  for (const [name, value] of Object.entries(constants)) {
    let found = false;
    text = text.replace(new RegExp(`^(const|alias) ${name}\\b(?:: *([^=]+?))? *= *([^;]*);`, "m"), (_, word, type) => {
      found = true;
      if (word === "alias") return `alias ${name} = ${value};`;
      const array = /^array<(\w+), *\w+>$/.exec(type);
      if (!array) return `const ${name}: ${type} = ${literal(value as number, type)};`;
      const list = value as readonly number[];
      const items = list.map((item) => literal(item, array[1]!)).join(", ");
      return `const ${name} = array<${array[1]}, ${list.length}>(${items});`;
    });
    if (!found) throw new Error(`${kernel.file} has no constant ${name}`);
  }
  const scope = constantsOf(text);
  const unrolled = unroll(withoutMarked(text, "if", scope), scope);
  return scalarize(compact(withoutMarked(unrolled, "where", scope)), scope);
}

/** Without comments and indentation: compilers take long enough over unrolled text. */
function compact(text: string): string {
  return text.replace(/[ \t]*\/\/[^\n]*/g, "").replace(/^[ \t]+/gm, "");
}

/** The integers and booleans among the constants of a kernel's text. */
export function constantsOf(text: string): Map<string, number> {
  const scope = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^const (\w+): *(?:[ui]32|bool) *= *([^;]*);/gm)) {
    const known = value === "true" ? 1 : value === "false" ? 0 : evaluate(value!, scope);
    if (known !== null) scope.set(name!, known);
  }
  return scope;
}

/**
 * Drops the statement or block behind each `// @if NAME` whose constant is false, or, when loops are expanded, behind each
 * `// @where EXPRESSION` that is 0.
 */
function withoutMarked(text: string, mark: "if" | "where", scope: ReadonlyMap<string, number>): string {
  let done = "", from = 0;
  for (const found of text.matchAll(new RegExp(`// @${mark} ([^\\n]*)\\n`, "g"))) {
    if (found.index < from || evaluate(found[1]!, scope) !== 0) continue;
    const start = found.index + found[0].length, brace = text.indexOf("{", start), semicolon = text.indexOf(";", start);
    done += text.slice(from, found.index);
    from = (brace >= 0 && brace < semicolon ? closing(text, brace + 1) : semicolon) + 1;
  }
  return done + text.slice(from);
}

function literal(value: number | boolean, type: string): string {
  if (type === "bool") return value ? "true" : "false";
  const number = Number(value);
  if (!Number.isFinite(Math.fround(number))) throw new Error(`${number} cannot be a constant`);
  if (type === "f32") return `f32(${Math.fround(number)})`;
  if (!Number.isInteger(number)) throw new Error(`${number} is not an integer`);
  return type === "u32" ? `${number}u` : `${number}`;
}

/** The integer value of a constant expression over `scope`, or null where it is none. */
export function evaluate(expression: string, scope: ReadonlyMap<string, number>): number | null {
  const tokens = expression.match(/\d+[ui]?|\w+|[-+*/%()]|[^\s]/g) ?? [];
  let at = 0;
  const next = () => tokens[at++];
  const atom = (): number => {
    const token = next();
    if (token === undefined) return NaN;
    if (token === "(") {
      const value = comparison();
      return next() === ")" ? value : NaN;
    }
    if (token === "-") return -atom();
    if (token === "u32" || token === "i32") return atom();
    if (token === "select") {
      const [open, ifFalse, comma, ifTrue, second, condition, close] = [
        next(),
        sum(),
        next(),
        sum(),
        next(),
        sum(),
        next(),
      ];
      return `${open}${comma}${second}${close}` === "(,,)" ? (condition ? ifTrue : ifFalse) : NaN;
    }
    if (/^\d/.test(token)) return parseInt(token);
    return scope.get(token) ?? NaN;
  };
  const comparison = (): number => {
    const left = sum();
    if (tokens[at] !== "<") return left;
    at++;
    const right = sum();
    return Number.isNaN(left + right) ? NaN : Number(left < right);
  };
  const product = (): number => {
    let value = atom();
    for (let sign = tokens[at]; sign === "*" || sign === "/" || sign === "%"; sign = tokens[at]) {
      at++;
      const right = atom();
      value = sign === "*" ? value * right : sign === "/" ? Math.trunc(value / right) : value % right;
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    for (let sign = tokens[at]; sign === "+" || sign === "-"; sign = tokens[at]) {
      at++;
      value = sign === "+" ? value + product() : value - product();
    }
    return value;
  };
  const value = comparison();
  return at === tokens.length && Number.isInteger(value) ? value : null;
}

const LOOP = /\/\/ @unroll *(\w*)\s*for \(var (\w+)(?:: *\w+)? = ([^;]+); *\2 < ([^;]+); *\2(?:\+\+| \+= ([^)]+))\) \{/;

/** Expands every marked loop whose bounds are constant; bounds may use the variables of marked loops around it. */
function unroll(text: string, scope: ReadonlyMap<string, number>): string {
  let done = "";
  for (let loop = LOOP.exec(text); loop; loop = LOOP.exec(text)) {
    const [head, condition, name, from, to, by] = loop as unknown as [string, string, string, string, string, string?];
    const start = loop.index + head.length, end = closing(text, start);
    if (condition && !scope.get(condition)) {
      done += text.slice(0, start);
      text = text.slice(start);
      continue;
    }
    const first = evaluate(from, scope), last = evaluate(to, scope), step = evaluate(by ?? "1", scope);
    if (first === null || last === null || !step) throw new Error(`cannot unroll "${head}"`);
    const suffix = /^\d+u$/.test(from.trim()) || /u\b/.test(from) ? "u" : "";
    const body = text.slice(start, end), variable = new RegExp(`\\b${name}\\b`, "g");
    // Blocks cost the compiler time: only what declares names needs one.
    const scoped = /\b(let|var|const)\b/.test(body.replace(/for \(var/g, ""));
    let copies = "";
    for (let i = first; i < last; i += step) {
      const copy = unroll(body.replace(variable, `${i}${suffix}`), scope);
      copies += scoped ? `{${copy}}\n` : copy;
    }
    done += text.slice(0, loop.index) + copies;
    text = text.slice(end + 1);
  }
  return done + text;
}

/** Where the brace, or another of `pair`, that was opened just before `start` closes. */
export function closing(text: string, start: number, pair = "{}"): number {
  let depth = 1;
  for (let i = start; i < text.length; i++) {
    if (text[i] === pair[0]) depth++;
    else if (text[i] === pair[1] && --depth === 0) return i;
  }
  throw new Error(`a ${pair[0]} is not closed`);
}

/** Replaces function-scope arrays whose indices are all constant by one scalar variable per element. */
function scalarize(text: string, scope: ReadonlyMap<string, number>): string {
  for (const name of new Set(Array.from(text.matchAll(/\bvar (\w+): *array</g), (match) => match[1]!))) {
    const uses = new RegExp(`(?<![\\w.])${name}\\b(?:\\[([^\\[\\]]*)\\])?`, "g");
    const declaration = new RegExp(`\\bvar ${name}: *array<([\\w<>]+), *([^>;]+)>;`, "g");
    const body = text.replace(declaration, "");
    const constant = Array.from(
      body.matchAll(uses),
      ([, index]) => index !== undefined && evaluate(index, scope) !== null,
    );
    if (!constant.every(Boolean)) continue;
    text = text
      .replace(declaration, (_, type, length) => {
        const count = evaluate(length, scope) ?? 0;
        return Array.from({ length: count }, (_, i) => `var ${name}__${i}: ${type};`).join(" ");
      })
      .replace(uses, (_, index) => `${name}__${evaluate(index, scope)}`);
  }
  return text;
}
