/**
 * `report.html` of a run's folder.
 *
 * @module
 */
import { join } from "node:path";
import { writeAtomically } from "../data/files.ts";
import { reportPage } from "./page.ts";
import { readRun } from "./view.ts";

/**
 * Reads a run whose lock the caller has, and which is done, and writes its report into its folder.
 *
 * @returns the file's path.
 * @throws {DataError} if a file of the run cannot be read, or the report cannot be written.
 */
export async function writeReport(folder: string): Promise<string> {
  const path = join(folder, "report.html");
  await writeAtomically(path, new TextEncoder().encode(reportPage(await readRun(folder, { ended: true }))));
  return path;
}
