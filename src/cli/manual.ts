/**
 * Makes the manual of the command line in Markdown, from the same tables that parse the flags. `docs/cli.md` is the output of
 * `wgrad help --all`.
 *
 * @module
 */
import { complaint, defaultOf } from "../config/setting.ts";
import { type Command, type Flag, HELP_FLAG, type Positional } from "./flags.ts";
import { flagUsage, groupFlags, positionalUsage } from "./help_text.ts";

/** The exit codes of every command. */
const EXIT_CODES: readonly Row[] = [
  ["0", "Done"],
  ["1", "Failure: training diverged, the device was lost, a file is damaged, or `doctor` found a problem"],
  ["2", "Wrong usage: an unknown command or flag, or an invalid value"],
  ["130", "Interrupted, after everything was saved"],
];

/** The files that the program reads and writes on its own. */
const FILES: readonly Row[] = [
  ["runs/NAME/config.json", "All settings of a run; `wgrad train --config FILE` repeats the run"],
  ["runs/NAME/metrics.jsonl", "One line of numbers for every `--log-every` steps"],
  [
    "runs/NAME/checkpoints/",
    "What `--resume` needs: the newest checkpoint is `last.safetensors`, the best one is `best.safetensors`",
  ],
  ["runs/NAME/model.safetensors", "The weights at the end of the run"],
  ["runs/NAME/evaluation.json", "The result of the test at the end, for the report"],
  ["runs/NAME/events.out.tfevents.*", "The metrics for TensorBoard"],
  [
    "~/.cache/wgrad/",
    "The cache: data sets, and the tuned kernels for each adapter and driver. Set `WGRAD_DATA` to use another folder",
  ],
];

/** The environment variables that the program reads. A test compares them with its permissions. */
const VARIABLES: readonly Row[] = [
  ["WGRAD_DATA", "Folder of the cache"],
  ["XDG_CACHE_HOME", "If `WGRAD_DATA` is not set: the cache is `wgrad` in this folder"],
  ["LOCALAPPDATA", "If those are not set, on Windows: the cache is `wgrad` in this folder"],
  ["HOME", "If those are not set: the cache is `.cache/wgrad` in this folder"],
  ["USERPROFILE", "On Windows, used in place of `HOME` if that is not set"],
  ["INIT_CWD", "The folder in which `deno task` was called; relative paths start there"],
  ["WGRAD_DEBUG", "Set to 1 to print the stack trace of an error"],
  ["DENO_WEBGPU_BACKEND", "The graphics interface to use if `--backend` is not given"],
  ["XDG_RUNTIME_DIR", "Read by graphics drivers on Linux; if it is not set, wgrad sets it for its own process"],
  [
    "LP_NUM_THREADS",
    "The number of threads of Mesa's software driver; if it is not set, wgrad sets it to 0 for small batches",
  ],
];

type Row = readonly [name: string, meaning: string];

/** The manual, in the format of `deno fmt`. */
export function manual(commands: readonly Command[]): string {
  return [
    "# The command line",
    "This page is generated from the tables that parse the flags; `deno task docs` writes it again. In a checkout, run `deno " +
    "task wgrad` in place of `wgrad`.",
    "The value of a flag is the next word, or follows after `=`: `--epochs 2` or `--epochs=2`. To turn off a flag without a " +
    "value, write `--no-` before its name. Words after `--` are never read as flags.",
    list(commands.map(({ name, summary }): Row => [`wgrad ${name}`, `${summary}.`])),
    ...commands.flatMap(section),
    "## Exit codes",
    list(EXIT_CODES.map(([code, text]): Row => [code, `${text}.`])),
    "## Files",
    list(FILES.map(([file, text]): Row => [file, `${text}.`])),
    "## Environment variables",
    list(VARIABLES.map(([name, text]): Row => [name, `${text}.`])),
  ].join("\n\n");
}

function section(command: Command): string[] {
  const { name, summary, description = `${summary}.`, positional = [], tables = [], examples } = command;
  return [
    `## wgrad ${name}`,
    prose(description),
    `Usage: \`wgrad ${[name, ...positional.map(positionalUsage), "[FLAGS]"].join(" ")}\``,
    ...(positional.length > 0 ? ["### Arguments", list(positional.map(argumentRow))] : []),
    ...groupFlags([...command.flags, HELP_FLAG]).flatMap(([group, flags]) => [
      `### ${group}`,
      flags.map((flag) =>
        [
          `- ${code(flagUsage(flag))}: ${prose(about(flag))}`,
          ...(flag.meanings ?? []).map(([value, meaning]) => `  - ${code(value)}: ${prose(meaning)}`),
        ].join("\n")
      ).join("\n"),
    ]),
    ...tables.flatMap(({ title, rows }) => [`### ${title}`, list(rows)]),
    "### Examples",
    list(examples.map(([line, meaning]): Row => [line, `${meaning}.`])),
  ];
}

function argumentRow({ name, help, choices }: Positional): Row {
  return [name, `${help}.${choices === undefined ? "" : ` One of ${choices.map(code).join(", ")}.`}`];
}

/** The help text of a flag, its possible values, and its default. */
function about(flag: Flag): string {
  const { kind, choices, min, max, help } = flag, value = defaultOf(flag);
  const bounded = kind === "integer" || (kind === "number" && (min ?? max) !== undefined);
  const range = choices !== undefined
    ? ` One of ${choices.map(code).join(", ")}.`
    : bounded
    ? ` ${capital(complaint(flag, undefined)!)}.`
    : "";
  const shown = value !== undefined && kind !== "boolean" && kind !== "list";
  return `${help}.${range}${shown ? ` Default: ${code(`${value}`)}.` : ""}`;
}

const code = (text: string) => `\`${text}\``;
const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);
/** Escapes the special characters of Markdown, except in code between backticks. */
const prose = (text: string) => text.replace(/`[^`]*`|[*_<]/g, (found) => found.length > 1 ? found : `\\${found}`);
const list = (rows: readonly Row[]) => rows.map(([name, text]) => `- ${code(name)}: ${prose(text)}`).join("\n");
