/**
 * `wgrad compare`: compares runs in a table and on a page.
 *
 * @module
 */
import { resolve } from "node:path";
import { writeAtomically } from "../files/write.ts";
import { printable } from "../foreign_text.ts";
import { UsageError } from "../errors.ts";
import { compareRuns, type Comparison, type ComparisonRow, MAX_COMPARED } from "../report/comparison.ts";
import { comparePage } from "../report/page.ts";
import { figuresOf } from "../report/page/series.js";
import { checkOverwrite } from "../report/report_file.ts";
import { readRun } from "../report/run_view.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";
import { runFolder } from "./run_folder.ts";

/** `wgrad compare`. */
export const command = defineCommand({
  name: "compare",
  summary: "Compare runs: one table, and one page with the curves of all",
  description:
    "Prints the results of runs, and the settings that differ, as a table with one column per run. The best results are " +
    "marked with * if all runs have the same data. The page with their curves is one self-contained file.",
  positional: [{ name: "RUN", help: "A run's folder, or the name of one in runs/; two or more", rest: true }],
  flags: [
    {
      name: "out",
      kind: "string",
      value: "FILE",
      default: "compare.html",
      help: "File to write the page to; an existing file is replaced only if it is such a page",
    },
    { name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr" },
  ],
  examples: [
    ["wgrad compare lenet-1 lenet-2", "Compare two runs in runs/, and write the page to compare.html"],
    ["wgrad compare runs/* --out all.html", "Compare all runs"],
  ],
  async run({ values: { out, json }, positional }) {
    if (positional.length < 2) throw new UsageError("compare needs at least two runs; see wgrad compare --help");
    if (positional.length > MAX_COMPARED) {
      throw new UsageError(`compare takes at most ${MAX_COMPARED} runs, but got ${positional.length}`);
    }
    await checkOverwrite(out);
    const output = new Output({ json });
    const found = await Promise.all(
      positional.map(async (name) => await readRun(await runFolder(name), { weights: false })),
    );
    // Runs with the same name in different folders are shown by their paths.
    const runs = found.map((run) =>
      found.filter(({ name }) => name === run.name).length > 1 ? { ...run, name: run.path } : run
    );
    const comparison = compareRuns(runs);
    for (const line of tableOf(comparison)) output.result(line);
    for (const note of comparison.notes) output.result(`NOTE: ${printable(note)}`);
    await writeAtomically(out, new TextEncoder().encode(comparePage(runs)));
    output.result("");
    output.result(`The page: ${resolve(out)}`);
    output.json({
      runs: runs.map((run) => ({
        name: run.name,
        path: run.path,
        state: run.state,
        config: run.config,
        ...figuresOf(run),
      })),
      notes: comparison.notes,
      out,
    });
    return 0;
  },
});

/** Formats a table for a terminal: the results, and then the settings. A `*` after a value marks the best ones. */
function tableOf({ names, results, settings }: Comparison): string[] {
  const rowOf = ({ label, values, best }: ComparisonRow) => [
    label,
    ...values.map((value, i) => best.includes(i) ? `${value} *` : value),
  ];
  const differ = settings.length === 0 ? ["No settings differ."] : ["", ...names.map(() => "")];
  const cells = [["", ...names], ...results.map(rowOf), differ, ...settings.map(rowOf)].map((row) =>
    row.map((cell) => printable(cell, 200))
  );
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
}
