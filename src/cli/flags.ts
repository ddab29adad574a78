/**
 * Parses the command line of one command. A table of flags drives parsing, validation and (in `help_text.ts`) the help text.
 * `@std/cli/parse-args` splits the tokens; this file adds strict checks. A flag that is unknown, repeated, without its value
 * or with an invalid value throws a `UsageError` of one line.
 *
 * @module
 */
import { quote } from "../foreign_text.ts";
import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../errors.ts";
import { camelCase, complaint, defaultOf, didYouMean, numberOf, type Setting, type Values } from "../config/setting.ts";

/**
 * One flag, `--name`. A boolean can be given as `--name`, `--no-name`, `--name=true` or `--name=false`. For a list, the flag is
 * repeated before each item.
 */
export interface Flag extends Setting {
  /** One letter, as in `-q`. */
  readonly short?: string;
}

/** One positional argument. Optional ones come last, and only the last one may take several values. */
export interface Positional {
  readonly name: string;
  readonly help: string;
  /** The allowed values. Default: any text. */
  readonly choices?: readonly string[];
  /** Whether the argument is optional. Default false. */
  readonly optional?: boolean;
  /** Whether it takes all remaining arguments. Default false. */
  readonly rest?: boolean;
}

/** A parsed command line. */
export interface Parsed<F extends readonly Flag[] = readonly Flag[]> {
  /** Each flag's value, or its default, keyed in camelCase; typed when the table of flags is `as const`. */
  readonly values: Values<F>;
  /** The positional arguments in order. */
  readonly positional: readonly string[];
  /** The camelCase keys of the flags that were given on the command line, not set by a default. */
  readonly given: ReadonlySet<string>;
  /** Whether `--help` or `-h` was given. If so, nothing else has been checked. */
  readonly help: boolean;
}

/** A subcommand of `wgrad`. */
export interface Command<F extends readonly Flag[] = readonly Flag[]> {
  /** The word after `wgrad`. */
  readonly name: string;
  /** One line for the list of commands, without a full stop. */
  readonly summary: string;
  /** A paragraph for the command's own help. Default: the summary alone. */
  readonly description?: string;
  readonly positional?: readonly Positional[];
  readonly flags: F;
  /** Further tables for the help text, after the flags. */
  readonly tables?: readonly { readonly title: string; readonly rows: readonly (readonly [string, string])[] }[];
  /** Example command lines for the help text, each with its meaning. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Runs the command. @returns the exit code of the process. */
  run(args: Parsed<F>): Promise<number>;
}

/** A subcommand as the list of all commands has it: its module is loaded only when it is needed. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the list in `wgrad --help`. */
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

/** Loads every command of a list. */
export function loadCommands(entries: readonly CommandEntry[]): Promise<Command[]> {
  return Promise.all(entries.map(async ({ load }) => (await load()).command));
}

/** The command does not have this flag. Another command may have it. */
export class UnknownFlagError extends UsageError {
  /** @param flag as it was typed, without a value: `--epochs`. */
  constructor(readonly flag: string, message: string) {
    super(message);
  }
}

/** `--help`, which every command has. */
export const HELP_FLAG: Flag = { name: "help", short: "h", kind: "boolean", help: "Show this help" };

/** The output flags of commands that run for a while. */
export const OUTPUT_FLAGS = [
  { name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr", group: "Output" },
  { name: "quiet", short: "q", kind: "boolean", help: "Print only the result and errors", group: "Output" },
  { name: "progress", kind: "boolean", default: true, help: "Do not draw a progress bar", group: "Output" },
] as const satisfies readonly Flag[];

/** The address that a server listens on. */
export const HOST_FLAG = {
  name: "host",
  kind: "choice",
  choices: ["127.0.0.1", "::1", "0.0.0.0", "::"],
  default: "127.0.0.1",
  help: "Address to serve on; with 0.0.0.0 or ::, other machines can open the page by the IP address of this one",
} as const satisfies Flag;

/** Builds a command whose `run` sees the types of its own flags. */
export function defineCommand<const F extends readonly Flag[]>(command: Command<F>): Command<F> {
  return command;
}

/**
 * Parses the arguments after the name of the command.
 *
 * @throws {UsageError} if they are invalid; it names the flag, the value, and what the value must be
 */
export function parse<F extends readonly Flag[]>(
  command: Pick<Command<F>, "name" | "flags" | "positional">,
  argv: readonly string[],
): Parsed<F> {
  const flags: readonly Flag[] = [...command.flags, HELP_FLAG];
  const fail = (message: string) => new UsageError(`${message}; see wgrad ${command.name} --help`);
  const names = flags.map((flag) => flag.name);
  const tokens: Record<string, string[]> = parseArgs(joinValues(argv, flags), {
    string: [...names, "_"],
    collect: names,
    "--": true,
    unknown: (token: string, key?: string) => {
      if (key === undefined) return true; // A positional argument.
      const typed = token.replace(/=.*$/s, "");
      const hint = didYouMean(typed, flags.flatMap(acceptedSpellings));
      throw new UnknownFlagError(typed, fail(`unknown flag ${printable(typed)}${hint}`).message);
    },
  });
  const given = new Map<string, string[]>();
  for (const name of names) {
    const found = tokens[name] ?? [];
    if (found.length > 0) given.set(name, found);
  }
  const help = given.has("help") && given.get("help")?.[0] !== "false";
  const values: Record<string, unknown> = {};
  for (const flag of command.flags) {
    const found = given.get(flag.name);
    if (help || found === undefined) values[camelCase(flag.name)] = defaultOf(flag);
    else if (flag.kind === "list") {
      values[camelCase(flag.name)] = found.map((text) => read({ ...flag, kind: "string" }, text, fail));
    } else if (found.length > 1) throw fail(`--${flag.name} is given ${found.length} times: give it once`);
    else values[camelCase(flag.name)] = read(flag, found[0] ?? "", fail);
  }
  const positional = [...(tokens._ ?? []), ...(tokens["--"] ?? [])];
  if (!help) checkPositional(command.positional ?? [], positional, fail);
  const keys = [...given.keys()].map(camelCase);
  return { values: values as Values<F>, positional, given: new Set(keys), help };
}

type Fail = (message: string) => UsageError;

/** Converts the text of a flag into its value. */
function read(flag: Flag, text: string, fail: Fail): string | number | boolean {
  if (text === "") throw fail(`--${flag.name} needs a value`);
  if (flag.optionalValue && text === "true") return true;
  let value: string | number | boolean = text;
  if (flag.kind === "number") value = numberOf(text);
  else if (flag.kind === "integer") value = /^[-+]?\d+$/.test(text) ? Number(text) : NaN;
  else if (flag.kind === "boolean" && (text === "true" || text === "false")) value = text === "true";
  const expected = complaint(flag, value);
  if (expected !== undefined) {
    const hint = flag.kind === "choice" ? didYouMean(text, flag.choices ?? []) : "";
    throw fail(`--${flag.name} must be ${expected}, not ${printable(text)}${hint}`);
  }
  return value;
}

function checkPositional(expected: readonly Positional[], found: readonly string[], fail: Fail): void {
  for (const [i, text] of found.entries()) {
    const last = expected.at(-1), slot = expected[i] ?? (last?.rest === true ? last : undefined);
    if (slot === undefined) throw fail(`unexpected argument ${printable(text)}`);
    if (slot.choices !== undefined && !slot.choices.includes(text)) {
      const hint = didYouMean(text, slot.choices);
      throw fail(`${slot.name} must be one of ${slot.choices.join(", ")}, not ${printable(text)}${hint}`);
    }
    if (text === "") throw fail(`${slot.name} is empty`);
  }
  const missing = expected[found.length];
  if (missing !== undefined && missing.optional !== true) {
    const choices = missing.choices === undefined ? "" : `: one of ${missing.choices.join(", ")}`;
    throw fail(`${missing.name} is missing${choices}`);
  }
}

/**
 * Rewrites each known flag as one token `--name=value`. `parseArgs` guesses from the next token whether a flag has a value, but
 * the table knows it. So `--lr -1` reaches the range check, `foo` in `--nesterov foo` stays a positional argument, and a
 * boolean that is given twice is detected.
 */
function joinValues(argv: readonly string[], flags: readonly Flag[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") return [...result, ...argv.slice(i)];
    const flag = flags.find((flag) => token === `--${flag.name}` || token === `-${flag.short}`);
    const negated = flags.find((flag) => negatable(flag) && token === `--no-${flag.name}`);
    const next = argv[i + 1];
    if (negated !== undefined) result.push(`--${negated.name}=false`);
    else if (flag === undefined) result.push(token);
    else if (flag.kind === "boolean" || (flag.optionalValue && !/^[-+]?\.?\d/.test(next ?? ""))) {
      result.push(`--${flag.name}=true`);
    } else if (next === undefined || /^-[^.\d]/.test(next)) result.push(`--${flag.name}=`);
    else {
      result.push(`--${flag.name}=${next}`);
      i++;
    }
  }
  return result;
}

function negatable(flag: Flag): boolean {
  return flag.kind === "boolean" && flag !== HELP_FLAG;
}

/** All spellings of a flag that are accepted. */
export function acceptedSpellings(flag: Flag): string[] {
  const long = negatable(flag) ? [`--${flag.name}`, `--no-${flag.name}`] : [`--${flag.name}`];
  return flag.short === undefined ? long : [...long, `-${flag.short}`];
}

/**
 * The spellings of a flag that are worth showing, because they change its default: `--json`, `-q`, `--no-progress`. Of a
 * boolean that is on by default, that is `--no-…` alone.
 */
export function documentedSpellings(flag: Flag): string[] {
  const no = flag.kind === "boolean" && (flag.optional || defaultOf(flag) === true);
  const yes = flag.kind !== "boolean" || defaultOf(flag) !== true;
  return [
    ...(yes ? [`--${flag.name}`] : []),
    ...(no ? [`--no-${flag.name}`] : []),
    ...(flag.short === undefined ? [] : [`-${flag.short}`]),
  ];
}

/** Text from the command line, made safe and short for an error message of one line. */
function printable(text: string): string {
  const safe = /^[\w.,:/=+@%~-]+$/.test(text) ? text : quote(text, 1000);
  return safe.length > 80 ? `${safe.slice(0, 77)}...` : safe;
}
