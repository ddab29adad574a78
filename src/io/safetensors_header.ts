/**
 * Parses the JSON header of a safetensors file. We do not use `JSON.parse()`, because it accepts a name that occurs twice,
 * and because a small text of another form can make it use far more memory than the text has. This parser knows only the
 * form that a header has: names with type, shape and byte range, and texts by key.
 *
 * @module
 */
import { quote } from "../foreign_text.ts";

/** The most axes of a tensor. NumPy and PyTorch allow no more. */
const MAX_AXES = 64;

/** What a header states about a tensor. The type may be unknown. */
export interface HeaderEntry {
  readonly dtype: unknown;
  /** Undefined if it is missing or is not a list of whole numbers. */
  readonly shape: readonly number[] | undefined;
  /** The first byte and the one after the last, counted from the end of the header. */
  readonly range: readonly [from: number, to: number] | undefined;
}

/** A parsed header. */
export interface Header {
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Parses a header.
 *
 * @param maxEntries the most tensors that it may have
 * @throws {Error} if it is not JSON of this form, has a name or key twice or an unknown key, or starts with anything but "{"
 */
export function parseHeader(text: string, maxEntries: number): Header {
  return new Parser(text).header(maxEntries);
}

class Parser {
  #at = 0;

  constructor(readonly text: string) {}

  header(maxEntries: number): Header {
    if (/^\s*(\[|null|-?\d|"|true|false)/.test(this.text.slice(0, 100))) {
      throw new Error("its header is not a JSON object");
    }
    if (this.text[0] !== "{") throw this.#notJson();
    const entries = new Map<string, HeaderEntry>();
    let metadata: Record<string, string> | undefined;
    this.#object((name) => {
      if (name === "__metadata__") {
        if (metadata) throw new Error(`its header has ${quote(name)} twice`);
        metadata = this.#texts();
        return;
      }
      if (entries.has(name)) throw new Error(`its header has ${quote(name)} twice`);
      if (entries.size === maxEntries) throw new Error(`it has more than ${maxEntries} tensors`);
      entries.set(name, this.#entry(name));
    });
    if (this.#at !== this.text.length) throw this.#notJson();
    return { entries, metadata: metadata ?? {} };
  }

  #entry(name: string): HeaderEntry {
    if (this.#peek() !== "{") throw new Error(`${quote(name)} has no valid shape or byte range`);
    let dtype: unknown, shape: number[] | undefined, range: number[] | undefined;
    const seen = new Set<string>();
    this.#object((key) => {
      if (seen.has(key)) throw new Error(`${quote(name)} has ${quote(key)} twice`);
      seen.add(key);
      if (key === "dtype") dtype = this.#peek() === '"' ? this.#string() : this.#other();
      else if (key === "shape") shape = this.#numbers(name);
      else if (key === "data_offsets") range = this.#numbers(name);
      else throw new Error(`${quote(name)} has the unknown key ${quote(key)}`);
    });
    return { dtype, shape, range: range?.length === 2 ? range as [number, number] : undefined };
  }

  #texts(): Record<string, string> {
    const wrong = () => new Error("its metadata must be texts"),
      texts: [string, string][] = [],
      seen = new Set<string>();
    if (this.#peek() !== "{") throw wrong();
    this.#object((key) => {
      if (seen.has(key)) throw new Error(`its metadata have ${quote(key)} twice`);
      seen.add(key);
      if (this.#peek() !== '"') throw wrong();
      texts.push([key, this.#string()]);
    });
    return Object.fromEntries(texts);
  }

  /** Reads an object, and calls `value` to read the value of each key. */
  #object(value: (key: string) => void): void {
    this.#expect("{");
    if (this.#accept("}")) return;
    do {
      if (this.#peek() !== '"') throw this.#notJson();
      const key = this.#string();
      this.#expect(":");
      value(key);
    } while (this.#accept(","));
    this.#expect("}");
  }

  /** A list of whole numbers. */
  #numbers(name: string): number[] {
    const numbers: number[] = [], wrong = () => new Error(`${quote(name)} has no valid shape or byte range`);
    if (!this.#accept("[")) throw wrong();
    if (this.#accept("]")) return numbers;
    do {
      this.#peek();
      const digits = /(?:0|[1-9]\d{0,15})(?=[\s,\]])/y;
      digits.lastIndex = this.#at;
      const number = Number(digits.exec(this.text)?.[0] ?? NaN);
      if (!Number.isSafeInteger(number) || numbers.length === MAX_AXES) throw wrong();
      numbers.push(number);
      this.#at = digits.lastIndex;
    } while (this.#accept(","));
    this.#expect("]");
    return numbers;
  }

  /** A type that is not a text. It is only read to be named in the error. */
  #other(): unknown {
    const end = this.text.slice(this.#at, this.#at + 20).search(/[,}\s]/),
      text = this.text.slice(this.#at, this.#at + 2);
    if (text === "{}" || text === "[]") {
      this.#at += 2;
      return JSON.parse(text);
    }
    if (end <= 0) throw this.#notJson();
    const value = parseJson(this.text.slice(this.#at, this.#at + end));
    if (value === undefined) throw this.#notJson();
    this.#at += end;
    return value;
  }

  #string(): string {
    let end = this.#at;
    do end = this.text.indexOf('"', end + 1); while (end >= 0 && this.#isEscaped(end));
    const value = end < 0 ? undefined : parseJson(this.text.slice(this.#at, end + 1));
    if (typeof value !== "string") throw this.#notJson();
    this.#at = end + 1;
    return value;
  }

  /** Whether an odd number of backslashes precede a character. */
  #isEscaped(at: number): boolean {
    let first = at;
    while (this.text[first - 1] === "\\") first--;
    return (at - first) % 2 === 1;
  }

  /** The next character that is not white space. */
  #peek(): string | undefined {
    while (" \t\n\r".includes(this.text[this.#at] ?? "x")) this.#at++;
    return this.text[this.#at];
  }

  #accept(letter: string): boolean {
    if (this.#peek() !== letter) return false;
    this.#at++;
    this.#peek();
    return true;
  }

  #expect(letter: string): void {
    if (!this.#accept(letter)) throw this.#notJson();
  }

  #notJson(): Error {
    return new Error("its header is not JSON");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
