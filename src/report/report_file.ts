/**
 * Writes `report.html` into the folder of a run, and protects other files from being overwritten by a page.
 *
 * @module
 */
import { join } from "node:path";
import { fileChunks } from "../files/read.ts";
import { fileError } from "../files/file_error.ts";
import { writeAtomically } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import { reportPage } from "./page.ts";
import { readRun } from "./run_view.ts";

/**
 * Reads a run, and writes its report into its folder.
 *
 * @param ended true if the caller holds the lock of the run and the run is over. Default true.
 * @returns the path of the report
 * @throws {DataError} if a file of the run cannot be read, or the report cannot be written.
 */
export async function writeReport(folder: string, { ended = true } = {}): Promise<string> {
  const path = join(folder, "report.html");
  await writeAtomically(path, new TextEncoder().encode(reportPage(await readRun(folder, { ended }))));
  return path;
}

/**
 * Checks that a page may be written to a path: there is no such file, or it is a page that wgrad has written.
 *
 * @throws {UsageError} if the file is anything else
 */
export async function checkOverwrite(path: string): Promise<void> {
  const { isFile } = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return { isFile: undefined };
    throw fileError("read", path, error);
  });
  if (isFile === undefined || isFile && await isWgradPage(path)) return;
  throw new UsageError(`${path} exists and is not a page that wgrad has written: choose another file`);
}

/** Whether a file starts like the pages of `page.ts`. */
async function isWgradPage(path: string): Promise<boolean> {
  for await (const chunk of fileChunks(path, 4096)) {
    const head = new TextDecoder().decode(chunk);
    return head.startsWith("<!DOCTYPE html>\n") && head.includes('\n<meta name="generator" content="wgrad ');
  }
  return true; // The file is empty.
}
