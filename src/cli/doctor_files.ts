/**
 * What `wgrad doctor` knows of files: the cache and the data in it, and whether runs can be written.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { cacheFolder, checkFiles } from "../data/cache.ts";
import { CIFAR10_FILES, CIFAR10_FOLDER } from "../data/cifar.ts";
import { WgradError } from "../errors.ts";

/** Something that is not as it should be. */
export interface Finding {
  readonly what: string;
  /** What to do about it: a sentence, with the command where there is one. */
  readonly remedy: string;
  /** Training cannot work until it is mended. */
  readonly fatal: boolean;
}

/** A folder's state. */
export interface FolderState {
  readonly writable: boolean;
  /** Null: unknown. */
  readonly freeBytes: number | null;
}

/** The state of the cache. */
export interface CacheReport extends FolderState {
  /** Null where no variable tells it. */
  readonly folder: string | null;
  readonly state: "verified" | "missing" | "incomplete" | "damaged";
  /** What is wrong with each file. */
  readonly faults: readonly string[];
}

/** Less than this, and a run's checkpoints and the data may not fit: bytes. */
const ENOUGH = 1e9;

/** The cache folder, and the state of CIFAR-10 in it: every file's size and checksum. */
export async function inspectCache(say: (line: string) => void, findings: Finding[]): Promise<CacheReport> {
  const fetch = "`wgrad data fetch` gets it once (`wgrad train` does so by itself); `--data synthetic` needs none";
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
    const room = await inspectRoom("the cache", folder, "set WGRAD_DATA to a folder elsewhere", say, findings);
    return { folder, state, faults: faults.map(({ text }) => text), ...room };
  } catch (error) {
    if (!(error instanceof WgradError)) throw error;
    say("cache: none");
    findings.push({ what: error.message, remedy: "set WGRAD_DATA to a folder for data, or pass --data", fatal: false });
    return { folder: null, state: "missing", faults: [], writable: false, freeBytes: null };
  }
}

/** Whether runs can be written where `wgrad train` puts them. */
export async function inspectRuns(
  say: (line: string) => void,
  findings: Finding[],
): Promise<FolderState & { folder: string }> {
  const folder = resolve("runs");
  say(`runs: ${folder}`);
  return {
    folder,
    ...await inspectRoom("runs", folder, "`wgrad train --out DIR` with a folder elsewhere", say, findings),
  };
}

/** Whether a folder that may yet have to be made can be written to, and how many bytes are free there (null: unknown). */
async function inspectRoom(
  what: string,
  folder: string,
  elsewhere: string,
  say: (line: string) => void,
  findings: Finding[],
): Promise<FolderState> {
  const place = await existing(folder), error = await tryToWrite(place);
  const free = await statfs(place).then(({ bavail, bsize }) => bavail * bsize, () => null);
  say(`  writable: ${error === null ? "yes" : "no"}${free === null ? "" : `, ${(free / 1e9).toFixed(1)} GB free`}`);
  if (error !== null) findings.push({ what: `${what} cannot be written: ${error}`, remedy: elsewhere, fatal: false });
  else if (free !== null && free < ENOUGH) {
    const left = `${Math.floor(free / 1e6)} MB are free for ${what} in ${place}`;
    findings.push({ what: left, remedy: `free some space, or ${elsewhere}`, fatal: false });
  }
  return { writable: error === null, freeBytes: free };
}

/** The nearest folder above that is there. */
async function existing(folder: string): Promise<string> {
  const found = await Deno.stat(folder).then(() => true, () => false), above = dirname(folder);
  return found || above === folder ? folder : await existing(above);
}

/** Makes a file in `folder` and takes it away. @returns why that cannot be done; null where it can. */
async function tryToWrite(folder: string): Promise<string | null> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".wgrad-doctor-" }));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
