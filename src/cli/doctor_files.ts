/**
 * The checks of `wgrad doctor` for files: the cache, the data in it, and whether runs can be written.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { cacheFolder, checkFiles } from "../data/cache.ts";
import { CIFAR10_FILES, CIFAR10_FOLDER } from "../data/cifar.ts";
import { WgradError } from "../errors.ts";

/** A problem that was found. */
export interface Finding {
  readonly what: string;
  /** What to do about it: a sentence, with a command if there is one. */
  readonly remedy: string;
  /** Whether training cannot work until this is repaired. */
  readonly fatal: boolean;
}

/** Whether a folder can be written to, and its free space. */
export interface FolderState {
  readonly writable: boolean;
  /** Null if unknown. */
  readonly freeBytes: number | null;
}

/** The state of the cache. */
export interface CacheReport extends FolderState {
  /** Null if no environment variable gives it. */
  readonly folder: string | null;
  readonly state: "verified" | "missing" | "incomplete" | "damaged";
  /** The problem of each missing or damaged file. */
  readonly faults: readonly string[];
}

/** The free space in bytes below which the data and the checkpoints of a run may not fit. */
const ENOUGH_BYTES = 1e9;

/** The cache folder, and the state of CIFAR-10 in it: every file's size and checksum. */
export async function inspectCache(say: (line: string) => void, findings: Finding[]): Promise<CacheReport> {
  const fetch =
    "`wgrad data fetch` downloads it once (`wgrad train` also does so); `--data synthetic` needs no download";
  try {
    const folder = cacheFolder(), faults = await checkFiles(join(folder, CIFAR10_FOLDER), CIFAR10_FILES);
    const missing = faults.filter(({ kind }) => kind === "missing").length;
    const state = faults.length === 0
      ? "verified"
      : missing === CIFAR10_FILES.length
      ? "missing"
      : missing === faults.length
      ? "incomplete"
      : "damaged";
    say(`cache: ${folder}`);
    say(`  CIFAR-10: ${state}`);
    if (state === "missing") findings.push({ what: "CIFAR-10 is not in the cache", remedy: fetch, fatal: false });
    else if (state !== "verified") {
      findings.push({ what: `CIFAR-10 in the cache: ${faults[0]!.text}`, remedy: fetch, fatal: false });
    }
    const folderState = await inspectFolder("the cache", folder, "set WGRAD_DATA to another folder", say, findings);
    return { folder, state, faults: faults.map(({ text }) => text), ...folderState };
  } catch (error) {
    if (!(error instanceof WgradError)) throw error;
    say("cache: none");
    findings.push({ what: error.message, remedy: "set WGRAD_DATA to a folder for data, or pass --data", fatal: false });
    return { folder: null, state: "missing", faults: [], writable: false, freeBytes: null };
  }
}

/** Checks whether runs can be written to the folder that `wgrad train` uses. */
export async function inspectRuns(
  say: (line: string) => void,
  findings: Finding[],
): Promise<FolderState & { folder: string }> {
  const folder = resolve("runs");
  say(`runs: ${folder}`);
  return {
    folder,
    ...await inspectFolder("runs", folder, "use `wgrad train --out DIR` with another folder", say, findings),
  };
}

/** Checks whether a folder can be written to, or created, and how much space is free. */
async function inspectFolder(
  what: string,
  folder: string,
  elsewhere: string,
  say: (line: string) => void,
  findings: Finding[],
): Promise<FolderState> {
  const parent = await nearestExisting(folder), error = await tryToWrite(parent);
  const free = await statfs(parent).then(({ bavail, bsize }) => bavail * bsize, () => null);
  say(`  writable: ${error === null ? "yes" : "no"}${free === null ? "" : `, ${(free / 1e9).toFixed(1)} GB free`}`);
  if (error !== null) findings.push({ what: `${what} cannot be written: ${error}`, remedy: elsewhere, fatal: false });
  else if (free !== null && free < ENOUGH_BYTES) {
    const left = `${Math.floor(free / 1e6)} MB are free for ${what} in ${parent}`;
    findings.push({ what: left, remedy: `free some space, or ${elsewhere}`, fatal: false });
  }
  return { writable: error === null, freeBytes: free };
}

/** The folder itself if it exists, else the nearest folder above it that exists. */
async function nearestExisting(folder: string): Promise<string> {
  const found = await Deno.stat(folder).then(() => true, () => false), above = dirname(folder);
  return found || above === folder ? folder : await nearestExisting(above);
}

/** Creates a file in `folder` and removes it. @returns the reason if that fails, else null. */
async function tryToWrite(folder: string): Promise<string | null> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".wgrad-doctor-" }));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
