/**
 * `report.html` of a run's folder, and what a page may be written over.
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
 * @param ended the caller has the run's lock, and has done with it. Default true.
 * @returns the file's path.
 * @throws {DataError} if a file of the run cannot be read, or the report cannot be written.
 */
export async function writeReport(folder: string, { ended = true } = {}): Promise<string> {
  const path = join(folder, "report.html");
  await writeAtomically(path, new TextEncoder().encode(reportPage(await readRun(folder, { ended }))));
  return path;
}

/**
 * Asserts that a page may be written to a file: it is not there, or is a page of wgrad's.
 *
 * @throws {UsageError} if it is anything else.
 */
export async function checkOverwrite(path: string): Promise<void> {
  const { isFile } = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return { isFile: undefined };
    throw fileError("read", path, error);
  });
  if (isFile === undefined || isFile && await isOwnPage(path)) return;
  throw new UsageError(`${path} is there already, and is no page that wgrad has made: choose another file`);
}

/** Whether a file begins as `page.ts` has it. */
async function isOwnPage(path: string): Promise<boolean> {
  for await (const chunk of fileChunks(path, 4096)) {
    const head = new TextDecoder().decode(chunk);
    return head.startsWith("<!DOCTYPE html>\n") && head.includes('\n<meta name="generator" content="wgrad ');
  }
  return true; // Nothing is in it.
}
