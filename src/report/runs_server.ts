/**
 * The server of `wgrad dashboard`: the list of the runs in a folder, the report of each, comparisons, and moving a run to the
 * trash. Every request looks at the files again, so that the pages show the progress of a run.
 *
 * @module
 */
import { printable } from "../foreign_text.ts";
import { basename, join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { fileSize } from "../files/read.ts";
import { DataError, WgradError } from "../errors.ts";
import { MAX_COMPARED } from "./comparison.ts";
import { browsePage, comparePage, type ListedRun, listedRun, reportPage, type UnreadableRun } from "./page.ts";
import { html, json, readJson, type Server, type ServerOptions, startServer, text } from "./server.ts";
import { isLocked, readRun, type RunView } from "./run_view.ts";

/**
 * Serves the runs in `folder`.
 *
 * @throws {DataError} if the folder cannot be read.
 * @throws {UsageError} if the port is in use or the address cannot be bound.
 */
export async function startBrowsing(folder: string, where: ServerOptions): Promise<Server> {
  await namesOfRuns(folder);
  const list = new RunList(folder);
  return startServer(where, async (request, { pathname, searchParams }) => {
    if (request.method !== "GET") return pathname === "/trash" ? await trash(folder, request) : undefined;
    if (pathname === "/") return html(browsePage(folder, await list.read()));
    if (pathname === "/list.json") return json(200, await list.read());
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

/** The files that decide what the list shows of a run. */
const LISTED_FILES = ["config.json", "run.json", "metrics.jsonl", "evaluation.json"];

/** The list of the runs in a folder. It reads a run again only if its files have changed, since a page asks every few seconds. */
class RunList {
  /** What was read of each run, and its files and lock at that time. */
  readonly #read = new Map<string, { readonly stamp: string; readonly run: ListedRun | UnreadableRun }>();

  constructor(readonly folder: string) {}

  /** Reads the runs one after the other, since each may be large. */
  async read(): Promise<(ListedRun | UnreadableRun)[]> {
    const names = await namesOfRuns(this.folder), runs: (ListedRun | UnreadableRun)[] = [];
    for (const name of names) {
      const stamp = await stampOf(join(this.folder, name)), known = this.#read.get(name);
      const run = known?.stamp === stamp ? known.run : await this.#list(name);
      this.#read.set(name, { stamp, run });
      runs.push(run);
    }
    for (const name of this.#read.keys()) if (!names.includes(name)) this.#read.delete(name);
    return runs;
  }

  async #list(name: string): Promise<ListedRun | UnreadableRun> {
    try {
      return listedRun(await readRun(join(this.folder, name), { weights: false }));
    } catch (error) {
      // One run that cannot be read, for whatever reason, must not hide the others.
      const why = error instanceof WgradError ? error.message : `a bug in wgrad: ${printable(String(error))}`;
      return { name, error: why };
    }
  }
}

/** Changes when the files of a run, or whether a process has it, change. */
async function stampOf(path: string): Promise<string> {
  const stats = await Promise.all(LISTED_FILES.map((file) => Deno.stat(join(path, file)).catch(() => null)));
  return JSON.stringify([await isLocked(path), stats.map((stat) => stat && [stat.size, stat.mtime?.getTime()])]);
}

/** The folder in the folder of the runs that deleted runs are moved to. */
const TRASH = ".trash";

/** Moves a run to the trash, unless it is running. */
async function trash(folder: string, request: Request): Promise<Response> {
  const body = await readJson(request);
  if (body instanceof Response) return body;
  const { run: name } = Object(body.value) as { run?: unknown };
  const path = typeof name === "string" ? await pathOf(folder, name) : undefined;
  if (path === undefined) return json(404, { error: "there is no such run" });
  if (await isLocked(path)) return json(409, { error: "the run is running: stop it first" });
  const bin = join(folder, TRASH);
  try {
    await Deno.mkdir(bin, { recursive: true });
    // A run of the same name may be there already.
    let to = join(bin, basename(path));
    for (let i = 2; await Deno.lstat(to).then(() => true, () => false); i++) to = join(bin, `${basename(path)} (${i})`);
    await Deno.rename(path, to);
    return json(200, { to });
  } catch (error) {
    throw fileError("move to the trash", path, error);
  }
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
  if (name === "" || name === TRASH || name === "." || name === ".." || /[/\\:\0]/.test(name)) return undefined;
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
