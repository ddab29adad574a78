/**
 * Makes the help texts, from the same tables that parse the flags.
 *
 * @module
 */
import { defaultOf } from "../config/setting.ts";
import { type Command, type CommandEntry, type Flag, HELP_FLAG, type Positional } from "./flags.ts";

/** The width of a help text in characters. */
const WIDTH = 100;

/** The text of `wgrad --help`. */
export function overviewText(commands: readonly CommandEntry[]): string {
  return [
    "Train image classifiers on any GPU that WebGPU reaches.",
    "",
    "Usage: wgrad COMMAND [FLAGS]",
    "",
    "Commands:",
    ...rows(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Flags:",
    ...rows([["-h, --help", "Show this help, or the help of a command"], ["--version", "Show the version"]]),
    "",
    "Run `wgrad train` without flags for the classic first run: LeNet on CIFAR-10, two epochs.",
  ].join("\n");
}

/** The text of `wgrad COMMAND --help`. */
export function helpText(command: Command): string {
  const positional = command.positional ?? [];
  const lines = [
    ...wrap(command.description ?? `${command.summary}.`, WIDTH),
    "",
    `Usage: wgrad ${[command.name, ...positional.map(positionalUsage), "[FLAGS]"].join(" ")}`,
  ];
  if (positional.length > 0) {
    lines.push("", "Arguments:", ...rows(positional.map((slot) => [slot.name, slot.help])));
  }
  const groups = groupFlags([...command.flags, HELP_FLAG]);
  // The same width for all groups, so that the columns line up.
  const width = columnWidth(groups.flatMap(([, flags]) => flags.map(flagUsage)));
  for (const [group, flags] of groups) {
    lines.push("", `${group}:`, ...flags.flatMap((flag) => flagLines(flag, width)));
  }
  for (const { title, rows: table } of command.tables ?? []) lines.push("", `${title}:`, ...rows(table));
  if (command.examples.length > 0) lines.push("", "Examples:");
  for (const [line, meaning] of command.examples) lines.push(`  ${line}`, `      ${meaning}`);
  return lines.join("\n");
}

/** Groups flags by their headings, in the order of the table. */
export function groupFlags(flags: readonly Flag[]): [heading: string, flags: Flag[]][] {
  const groups = new Map<string, Flag[]>();
  for (const flag of flags) {
    const group = flag.group ?? "Flags";
    groups.set(group, [...groups.get(group) ?? [], flag]);
  }
  return [...groups];
}

/** A positional argument in the usage line: `FILE`, `[FILE]`, `FILE...`, `fetch|verify|show`. */
export function positionalUsage(slot: Positional): string {
  const { choices = [] } = slot, few = choices.length > 0 && choices.length <= 5;
  const name = (few ? choices.join("|") : slot.name) + (slot.rest === true ? "..." : "");
  return slot.optional === true ? `[${name}]` : name;
}

/** A flag as it is listed: `--batch-size N`, `--nesterov`, `--no-progress`, `-h, --help`. */
export function flagUsage(flag: Flag): string {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  if (flag.kind === "boolean") return `${short}--${defaultOf(flag) === true ? "no-" : ""}${flag.name}`;
  const numeric = flag.kind === "integer" || flag.kind === "number";
  const value = flag.value ?? (flag.kind === "choice" ? "NAME" : numeric ? "N" : "TEXT");
  return `${short}--${flag.name} ${flag.optionalValue ? `[${value}]` : value}`;
}

/** The lines of a flag, with a line for each value that has a meaning of its own. */
function flagLines(flag: Flag, width: number): string[] {
  const values = rows(
    flag.meanings ?? [],
    columnWidth((flag.meanings ?? []).map(([value]) => value)),
    WIDTH - width - 4,
  );
  return [
    ...rows([[flagUsage(flag), meaning(flag)]], width),
    ...values.map((line) => `${" ".repeat(width + 4)}${line}`),
  ];
}

function meaning(flag: Flag): string {
  const choices = flag.choices === undefined || flag.meanings ? "" : `: ${flag.choices.join(", ")}`;
  const value = defaultOf(flag), shown = value !== undefined && flag.kind !== "boolean" && flag.kind !== "list";
  return `${flag.help}${choices}${shown ? ` (default: ${value})` : ""}`;
}

function columnWidth(names: readonly string[]): number {
  return Math.max(...names.map((name) => name.length));
}

/** The lines of a table with two columns; the text of the second one is wrapped. */
function rows(
  table: readonly (readonly [string, string])[],
  width = columnWidth(table.map(([name]) => name)),
  room = WIDTH,
): string[] {
  return table.flatMap(([name, text]) =>
    wrap(text, room - width - 4).map((line, i) => `  ${(i === 0 ? name : "").padEnd(width)}  ${line}`)
  );
}

/** Breaks text at spaces into lines of at most `width` characters. A word that is longer has a line of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
