/**
 * The server of `wgrad dashboard`: the list of the runs in a folder, the report of each, and comparisons. Every request reads
 * the files again, so that reloading a page shows the progress of a run.
 *
 * @module
 */
import { printable } from "../foreign_text.ts";
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { fileSize } from "../files/read.ts";
import { DataError, WgradError } from "../errors.ts";
import { MAX_COMPARED } from "./comparison.ts";
import { browsePage, comparePage, reportPage, type UnreadableRun } from "./page.ts";
import { html, type Server, type ServerOptions, startServer, text } from "./server.ts";
import { readRun, type RunView } from "./run_view.ts";

/**
 * Serves the runs in `folder`.
 *
 * @throws {DataError} if the folder cannot be read.
 * @throws {UsageError} if the port is in use or the address cannot be bound.
 */
export async function startBrowsing(folder: string, where: ServerOptions): Promise<Server> {
  await namesOfRuns(folder);
  return startServer(where, async ({ method }, { pathname, searchParams }) => {
    if (method !== "GET") return undefined;
    if (pathname === "/") return html(browsePage(folder, await listRuns(folder)));
    const name = /^\/run\/([^/]+)$/.exec(pathname)?.[1];
    if (name !== undefined) {
      const path = await pathOf(folder, decode(name));
      return path === undefined ? undefined : html(reportPage(await readRun(path), { home: "../" }));
    }
    return pathname === "/compare" ? await compare(folder, new Set(searchParams.getAll("run"))) : undefined;
  });
}

async function compare(folder: string, names: ReadonlySet<string>): Promise<Response> {
  if (names.size < 2) return text(400, "Choose at least two runs.");
  if (names.size > MAX_COMPARED) return text(400, `Choose at most ${MAX_COMPARED} runs.`);
  const runs: RunView[] = [];
  for (const name of names) {
    const path = await pathOf(folder, name);
    if (path === undefined) return text(404, "One of these runs no longer exists.");
    runs.push(await readRun(path, { weights: false }));
  }
  return html(comparePage(runs, { home: "./" }));
}

/** Reads the runs one after the other, since each may be large. */
async function listRuns(folder: string): Promise<(RunView | UnreadableRun)[]> {
  const runs: (RunView | UnreadableRun)[] = [];
  for (const name of await namesOfRuns(folder)) {
    try {
      runs.push(await readRun(join(folder, name), { weights: false }));
    } catch (error) {
      // One run that cannot be read, for whatever reason, must not hide the others.
      const why = error instanceof WgradError ? error.message : `a bug in wgrad: ${printable(String(error))}`;
      runs.push({ name, error: why });
    }
  }
  return runs;
}

/** The names of the folders in `folder` that contain a run or cannot be read, sorted with numbers in numeric order. */
async function namesOfRuns(folder: string): Promise<string[]> {
  try {
    if ((await Deno.stat(folder)).isFile) throw new DataError(`${folder} is a file, not a folder of runs`);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      // A folder without permission must not hide the others. Reading it later gives the error.
      if (await pathOf(folder, name).catch(() => name) !== undefined) names.push(name);
    }
    return names.sort(new Intl.Collator("en", { numeric: true }).compare);
  } catch (error) {
    throw fileError("read the runs in", folder, error);
  }
}

/** The path of a run; undefined if `folder` has no run of that name. Links are not followed. */
async function pathOf(folder: string, name: string): Promise<string | undefined> {
  if (name === "" || name === "." || name === ".." || /[/\\:\0]/.test(name)) return undefined;
  const path = join(folder, name), info = await Deno.lstat(path).catch(() => undefined);
  if (!info?.isDirectory) return undefined;
  for (const file of ["config.json", "metrics.jsonl"]) {
    if (await fileSize(join(path, file)) !== undefined) return path;
  }
  return undefined;
}

/** Decodes a part of a URL path; "" if its escapes are invalid. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
