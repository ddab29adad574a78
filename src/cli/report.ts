/**
 * `wgrad report`: writes the report of a run again.
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
    "Writes report.html into the folder of a run. A run that ends normally writes its report itself. Use this command for a " +
    "run that failed, was killed, or still trains. The page is one self-contained file.",
  positional: [{ name: "RUN", help: "The run's folder, or the name of one in runs/" }],
  flags: [{ name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr" }],
  examples: [["wgrad report lenet-1", "Write runs/lenet-1/report.html"]],
  async run({ values: { json }, positional: [name] }) {
    const output = new Output({ json }), report = await writeReport(await runFolder(name!), { ended: false });
    output.result(`report: ${report}`);
    output.json({ report });
    return 0;
  },
});
