/**
 * A setting is one named, typed and bounded value. The run configuration and the flags of every command are tables of
 * settings, so that a flag, a key of `config.json`, the help text and the check of a value come from one row. This file
 * holds the row's type and the check; reading the command line is left to `src/cli/flags.ts`.
 *
 * @module
 */
import { quote } from "../foreign_text.ts";
import { UsageError } from "../errors.ts";
import type { OptionValue } from "../ops/options.ts";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/**
 * One row of a table of settings. A setting without `default` may be absent; but a boolean's default is false, unless it is
 * optional, and a list's is empty.
 */
export interface Setting {
  /** The name in kebab-case, as in `--batch-size`; code and `config.json` use camelCase, `batchSize`. */
  readonly name: string;
  /** The type of the value. A number may be written `1e-3`; an integer only with digits. A list holds texts. */
  readonly kind: "string" | "integer" | "number" | "boolean" | "choice" | "list";
  /** The allowed values of a `choice`. */
  readonly choices?: readonly string[];
  /** For the help text: values, or kinds of values such as `DIR`, each with its meaning. */
  readonly meanings?: readonly (readonly [value: string, meaning: string])[];
  /** The value when none is given. */
  readonly default?: string | number | boolean;
  /** A boolean that may be absent: its value then depends on other settings. */
  readonly optional?: true;
  /** The least value of a number or an integer. Default: no limit for a number, the least safe integer otherwise. */
  readonly min?: number;
  /** The greatest value of a number or an integer. Default: no limit for a number, the greatest safe integer otherwise. */
  readonly max?: number;
  /** The flag of a number or an integer may be given without a value, which is `true` then. */
  readonly optionalValue?: true;
  /** A resumed run may have another value: the bits of its weights stay the same. */
  readonly free?: true;
  /** One sentence for the help text, without a full stop. */
  readonly help: string;
  /** The name of the value in the help text, such as `DIR`. Default: `N` for numbers, else `TEXT`. */
  readonly value?: string;
  /** The heading in the help text. */
  readonly group?: string;
}

/** The value of a setting. */
export type Value = string | number | boolean | readonly string[];

/** `batch-size` as a type becomes `batchSize`. */
export type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** The type of the values of one setting, without the case that it is absent. */
export type ValueOf<S extends Setting> = Setting extends S ? Value // The row's literal type is not known.
  : S extends { kind: "boolean" } ? boolean
  : S extends { kind: "list" } ? readonly string[]
  : S extends { kind: "integer" | "number"; optionalValue: true } ? number | true
  : S extends { kind: "integer" | "number" } ? number
  : S extends { kind: "choice"; choices: readonly (infer C)[] } ? C
  : string;

/** The values of a table of settings, keyed in camelCase. Without a default a value may be `undefined`. */
export type Values<T extends readonly Setting[]> = {
  readonly [S in T[number] as CamelCase<S["name"]>]: S extends { optional: true } ? ValueOf<S> | undefined
    : S extends { default: string | number | boolean } | { kind: "boolean" | "list" } ? ValueOf<S>
    : ValueOf<S> | undefined;
};

/** `batch-size` becomes `batchSize`. */
export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The value of a setting when none is given. */
export function defaultOf({ kind, optional, default: value }: Setting): Value | undefined {
  return value ?? (kind === "list" ? [] : kind === "boolean" && !optional ? false : undefined);
}

/**
 * Checks a value against its setting.
 *
 * @returns what the value must be, such as `an integer from 1 to 65536`, or `undefined` if it is fine.
 */
export function complaint(setting: Setting, value: unknown): string | undefined {
  const { kind, choices = [] } = setting;
  const ok = kind === "boolean"
    ? typeof value === "boolean"
    : kind === "choice"
    ? typeof value === "string" && choices.includes(value)
    : kind === "string"
    ? isText(value)
    : kind === "list"
    ? Array.isArray(value) && value.every(isText)
    : typeof value === "number" && Number.isFinite(value) && (kind === "number" || Number.isSafeInteger(value)) &&
      value >= (setting.min ?? -Infinity) && value <= (setting.max ?? Infinity);
  return ok ? undefined : expected(setting);
}

/** The number that `text` is. NaN for hexadecimal numbers and surrounding space, which `Number` accepts and nobody means. */
export function numberOf(text: string): number {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

/** Without control characters: a NUL makes a broken path, and a line break an error of more than one line. */
function isText(value: unknown): boolean {
  // deno-lint-ignore no-control-regex
  return typeof value === "string" && value !== "" && !/[\x00-\x1f\x7f]/.test(value);
}

function expected({ kind, choices = [], min, max }: Setting): string {
  if (kind === "boolean") return "true or false";
  if (kind === "choice") return choices.length === 1 ? `${choices[0]}` : `one of ${choices.join(", ")}`;
  if (kind === "string") return "text that is not empty and has no control characters";
  if (kind === "list") return "a list of texts that are not empty and have no control characters";
  const noun = kind === "integer" ? "an integer" : "a number";
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`;
  if (min !== undefined) return `${noun} of at least ${min}`;
  if (max !== undefined) return `${noun} of at most ${max}`;
  return noun;
}

/**
 * Reads `name=value` texts; the numbers of a list are separated by commas. Names may be written `weightDecay`,
 * `weight_decay` or `weight-decay`.
 *
 * @param defaults the options, with their defaults.
 * @param what the start of messages: "--opt: adam".
 * @throws {UsageError} if a text cannot be read, or an option is unknown or given twice.
 */
export function parseOptions(
  texts: readonly string[],
  defaults: Readonly<Record<string, OptionValue>>,
  what: string,
): Record<string, OptionValue> {
  const found: Record<string, OptionValue> = {}, names = Object.keys(defaults);
  for (const text of texts) {
    const [, written = "", value = ""] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    if (written === "" || value === "") throw new UsageError(`${what}: ${quote(text)} is not name=value`);
    const name = written.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
    if (!Object.hasOwn(defaults, name)) {
      const known = names.length > 0 ? `there are ${names.join(", ")}` : "there are none";
      throw new UsageError(`${what} has no option ${quote(written)}${didYouMean(name, names)}: ${known}`);
    }
    if (Object.hasOwn(found, name)) throw new UsageError(`${what}: ${name} is given twice`);
    const read = readValue(value, defaults[name]!);
    if (read === undefined) {
      throw new UsageError(`${what}: ${name} is ${quote(value)}, not ${kindOf(defaults[name]!)}`);
    }
    found[name] = read;
  }
  return found;
}

function readValue(text: string, like: OptionValue): OptionValue | undefined {
  if (typeof like === "boolean") return text === "true" ? true : text === "false" ? false : undefined;
  if (typeof like === "string") return text;
  const numbers = text.split(",").map(numberOf);
  if (!numbers.every(Number.isFinite)) return undefined;
  if (typeof like === "number") return numbers.length === 1 ? numbers[0] : undefined;
  return numbers;
}

function kindOf(like: OptionValue): string {
  if (typeof like === "boolean") return "true or false";
  return typeof like === "number" ? "a number" : "numbers with commas between them";
}

/** The text of the hint ` (did you mean X?)` for a mistyped word, or the empty text if no known word is like it. */
export function didYouMean(word: string, known: readonly string[]): string {
  const bare = (text: string) => text.replace(/^-+/, "").toLowerCase();
  const { length } = bare(word);
  // About a third of the letters may be wrong. Otherwise the beginning of a word is enough.
  let limit = length < 3 ? 0 : length === 3 ? 1 : Math.ceil(length / 3);
  let best: string | undefined;
  for (const candidate of known) {
    const distance = levenshteinDistance(bare(word), bare(candidate));
    if (distance <= limit) [best, limit] = [candidate, distance - 1];
  }
  if (length >= 2) best ??= known.find((candidate) => bare(candidate).startsWith(bare(word)));
  return best === undefined ? "" : ` (did you mean ${best}?)`;
}
