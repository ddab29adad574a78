/**
 * The list of subcommands. A command's module is loaded only when it is asked for, so that `wgrad --help` starts at
 * once. Each module exports its `Command` as `command`; the two commands that need this list themselves export a function
 * that is given it.
 *
 * @module
 */
import { quote } from "../foreign_text.ts";
import { UsageError } from "../errors.ts";
import { didYouMean } from "../config/setting.ts";
import type { CommandEntry } from "./flags.ts";

/** All subcommands, in the order of the help text. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: "train", summary: "Train a network, save its weights and test it", load: () => import("./train.ts") },
  { name: "eval", summary: "Test saved weights: loss, accuracy, per-class accuracy", load: () => import("./eval.ts") },
  {
    name: "export",
    summary: "Convert weights to PyTorch, NumPy, ONNX or safetensors",
    load: () => import("./export.ts"),
  },
  {
    name: "import",
    summary: "Convert weights of PyTorch or NumPy to safetensors",
    load: () => import("./import.ts"),
  },
  {
    name: "predict",
    summary: "Name what images show: classes and probabilities",
    load: () => import("./predict.ts"),
  },
  {
    name: "compare",
    summary: "Compare runs: one table, and one page with the curves of all",
    load: () => import("./compare.ts"),
  },
  {
    name: "report",
    summary: "Write the report of a run: one page with its curves and results",
    load: () => import("./report.ts"),
  },
  {
    name: "dashboard",
    summary: "Serve a page with the runs of a folder, and compare them",
    load: () => import("./dashboard.ts"),
  },
  {
    name: "demo",
    summary: "Train in seconds on drawn images, and predict some: a first look",
    load: () => import("./demo.ts"),
  },
  { name: "data", summary: "Fetch, verify or show a data set", load: () => import("./data.ts") },
  { name: "bench", summary: "Measure kernels and training steps on this machine", load: () => import("./bench.ts") },
  {
    name: "summary",
    summary: "Show a model's layers, parameters, multiply-adds and memory",
    load: () => import("./summary.ts"),
  },
  { name: "doctor", summary: "Show the adapter, its limits, and what is missing", load: () => import("./doctor.ts") },
  {
    name: "completions",
    summary: "Print a script that completes commands in a shell",
    load: async () => ({ command: (await import("./completions.ts")).completionsCommand(COMMANDS) }),
  },
  {
    name: "help",
    summary: "Show the help of a command, or the whole manual",
    load: async () => ({ command: (await import("./help_command.ts")).helpCommand(COMMANDS) }),
  },
];

/**
 * Finds a subcommand by its name.
 *
 * @throws {UsageError} if there is no such command; it suggests a similar name
 */
export function findCommand(name: string): CommandEntry {
  const found = COMMANDS.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const what = name.startsWith("-") ? "flag" : "command";
  const known = what === "flag" ? ["--help", "--version"] : COMMANDS.map((entry) => entry.name);
  const shown = /^[\w.-]{1,40}$/.test(name) ? name : quote(name.slice(0, 40));
  throw new UsageError(`unknown ${what} ${shown}${didYouMean(name, known)}; see wgrad --help`);
}
