/**
 * The manual of the command line, as Markdown, made from the same tables that parse it: `docs/cli.md` is what
 * `wgrad help --all` prints.
 *
 * @module
 */
import { complaint, defaultOf } from "../config/setting.ts";
import { type Command, type Flag, HELP_FLAG, type Positional } from "./flags.ts";
import { flagUsage, groupFlags, positionalUsage } from "./help_text.ts";

/** The exit codes of every command. */
const EXIT_CODES: readonly Row[] = [
  ["0", "Done"],
  ["1", "A failed run: training diverged, the device was lost, a file is damaged, or `doctor` found a fault"],
  ["2", "Wrong usage: an unknown command or flag, or an impossible value"],
  ["130", "Interrupted, after all was saved"],
];

/** The files of a user that the program reads and writes by itself. */
const FILES: readonly Row[] = [
  ["runs/NAME/config.json", "Every setting of a run; `wgrad train --config FILE` repeats it"],
  ["runs/NAME/metrics.jsonl", "A line of figures for each interval of `--log-every` steps"],
  [
    "runs/NAME/checkpoints/",
    "All that `--resume` needs: the newest as `last.safetensors`, the best as `best.safetensors`",
  ],
  ["runs/NAME/model.safetensors", "The weights at the end of the run"],
  ["runs/NAME/evaluation.json", "What the test at the end found, for the report"],
  ["runs/NAME/events.out.tfevents.*", "The figures for TensorBoard"],
  [
    "~/.cache/wgrad/",
    "The cache: data sets, and the kernels that were tuned for each adapter and driver. See `WGRAD_DATA` for other places",
  ],
];

/** The environment variables that the program reads. A test compares them with its permissions. */
const VARIABLES: readonly Row[] = [
  ["WGRAD_DATA", "Folder of the cache"],
  ["XDG_CACHE_HOME", "Without `WGRAD_DATA`: the folder whose `wgrad` is the cache"],
  ["LOCALAPPDATA", "Without those, on Windows: the same"],
  ["HOME", "Without those: the folder whose `.cache/wgrad` is the cache"],
  ["USERPROFILE", "The same on Windows, where there is no `HOME`"],
  ["WGRAD_DEBUG", "1: an error also shows where it arose"],
  ["DENO_WEBGPU_BACKEND", "Graphics interface to use, where `--backend` is not given"],
  ["XDG_RUNTIME_DIR", "Read by graphics drivers on Linux; where it is not set, wgrad sets it for itself"],
  ["LP_NUM_THREADS", "Threads of Mesa's software driver; wgrad sets 0 for small batches, where it is not set"],
];

type Row = readonly [name: string, meaning: string];

/** The manual, as `deno fmt` would have it. */
export function manual(commands: readonly Command[]): string {
  return [
    "# The command line",
    "This page is made from the tables that parse the flags. To renew it: `deno task docs`. From a checkout, `wgrad` is " +
    "`deno task wgrad`.",
    "A flag's value follows it as the next word, or behind `=`: `--epochs 2`, `--epochs=2`. A flag without a value is " +
    "turned off by `--no-` before its name. What follows `--` is no flag.",
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
      list(flags.map((flag): Row => [flagUsage(flag), about(flag)])),
    ]),
    ...tables.flatMap(({ title, rows }) => [`### ${title}`, list(rows)]),
    "### Examples",
    list(examples.map(([line, meaning]): Row => [line, `${meaning}.`])),
  ];
}

function argumentRow({ name, help, choices }: Positional): Row {
  return [name, `${help}.${choices === undefined ? "" : ` One of ${choices.map(code).join(", ")}.`}`];
}

/** The help text, what values there are, and the default. */
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
/** Text whose marks mean nothing in Markdown, but for code between backticks. */
const prose = (text: string) => text.replace(/`[^`]*`|[*_<]/g, (found) => found.length > 1 ? found : `\\${found}`);
const list = (rows: readonly Row[]) => rows.map(([name, text]) => `- ${code(name)}: ${prose(text)}`).join("\n");
