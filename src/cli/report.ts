/**
 * `wgrad report`: writes a run's report anew.
 *
 * @module
 */
import { writeReport } from "../report/report_file.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";
import { runFolder } from "./run_folder.ts";

/** `wgrad report`. */
export const command = defineCommand({
  name: "report",
  summary: "Write the report of a run: one page with its curves and results",
  description:
    "Writes report.html into the run's folder. A run writes it itself where it ends in good order: this is for runs that " +
    "failed, were killed, or still train, which is how they stand now. The page is one self-contained file.",
  positional: [{ name: "RUN", help: "The run's folder, or the name of one in runs/" }],
  flags: [{ name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr" }],
  examples: [["wgrad report lenet-1", "Writes runs/lenet-1/report.html"]],
  async run({ values: { json }, positional: [name] }) {
    const output = new Output({ json }), report = await writeReport(await runFolder(name!), { ended: false });
    output.result(`report: ${report}`);
    output.json({ report });
    return 0;
  },
});
