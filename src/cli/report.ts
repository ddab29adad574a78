/**
 * `wgrad report`: writes the report of a run again.
 *
 * @module
 */
import { resolve } from "node:path";
import { writeReport } from "../report/report_file.ts";
import { openInBrowser } from "./browser.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";
import { runFolder } from "./run_folder.ts";

/** `wgrad report`. */
export const command = defineCommand({
  name: "report",
  summary: "Write the report of a run: one page with its curves and results",
  description:
    "Writes report.html into the folder of a run. A run that ends normally writes its report itself. Use this command for a " +
    "run that failed, was killed, or still trains. The page is one self-contained file.",
  positional: [{ name: "RUN", help: "The run's folder, or the name of one in runs/" }],
  flags: [
    { name: "open", kind: "boolean", help: "Open the report in the browser" },
    { name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr" },
  ],
  examples: [
    ["wgrad report lenet-1", "Write runs/lenet-1/report.html"],
    ["wgrad report lenet-1 --open", "Write it, and open it in the browser"],
  ],
  async run({ values: { json, open }, positional: [name] }) {
    const output = new Output({ json }), report = resolve(await writeReport(await runFolder(name!), { ended: false }));
    output.result(`report: ${report}`);
    if (open) await openInBrowser(report, output);
    output.json({ report });
    return 0;
  },
});
