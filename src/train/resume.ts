/**
 * Going on with a run: which one is meant, and what may be different from before.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { fileError, removeQuietly, TEMPORARY } from "../data/files.ts";
import { UsageError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { CheckpointFolder, namesIn, readCheckpoint } from "./checkpoint_folder.ts";
import { configFromJson } from "./config.ts";
import type { Environment } from "./environment.ts";
import { CHECKPOINTS, type Claim } from "./run_folder.ts";
import { lockRun } from "./run_lock.ts";
import { camelCase, type Setting, type Value } from "./setting.ts";
import { type GivenConfig, type RunConfig, SETTINGS } from "./settings.ts";

/** A run that was begun before. */
export interface FoundRun {
  /** Its folder. */
  readonly folder: string;
  /** The checkpoint that was named, instead of the newest. */
  readonly file: string | null;
  /** The settings that it began with, or had when it last went on. */
  readonly config: RunConfig;
}

/**
 * Finds a run.
 *
 * @param what its folder, its name in `out`, or a checkpoint in its folder.
 * @throws {UsageError} where there is none.
 */
export async function findRun(what: string, out: string): Promise<FoundRun> {
  for (const path of [what, join(out, what)]) {
    const info = await Deno.stat(path).catch(() => null);
    if (!info) continue;
    const folder = info.isDirectory ? path : dirname(dirname(path));
    if (info.isFile && basename(dirname(path)) !== CHECKPOINTS) {
      throw new UsageError(
        `--resume ${path}: a checkpoint goes on in its run's folder, RUN/${CHECKPOINTS}/; --init FILE starts a new run ` +
          "from weights",
      );
    }
    const file = join(folder, "config.json");
    let text: string;
    try {
      text = await Deno.readTextFile(file);
    } catch (error) {
      throw new UsageError(`--resume ${what}: ${fileError("read", file, error).message}`);
    }
    return { folder, file: info.isFile ? path : null, config: configFromJson(text, file) };
  }
  throw new UsageError(`--resume ${what}: there is no such run, neither here nor in ${out}`);
}

/**
 * The settings to go on with: the run's own, with `given` laid over them.
 *
 * @throws {UsageError} naming a setting that would make it another run, unless `force`.
 */
export function resumedConfig(config: RunConfig, given: GivenConfig, force: boolean): GivenConfig {
  const changed: Record<string, Value> = {};
  for (const setting of SETTINGS as readonly Setting[]) {
    const key = camelCase(setting.name) as keyof RunConfig, value = given[key], before = config[key];
    // The folder is where it is.
    if (value === undefined || key === "out" || key === "name" || JSON.stringify(value) === JSON.stringify(before)) {
      continue;
    }
    if (!setting.free && !force) {
      throw new UsageError(
        `--resume: --${setting.name} ${value} would not be the same run, which has ` +
          `${before === undefined ? "none" : before}: leave it away, or go on all the same with --force`,
      );
    }
    changed[key] = value;
  }
  return { ...config, ...changed };
}

/**
 * Locks a run's folder, and reads the checkpoint to go on from: that which was named, else the newest that is whole.
 * What a write that was cut short has left behind is removed.
 *
 * @param warn is told of checkpoints that are damaged.
 * @returns no checkpoint where the run came to none: then it starts over.
 * @throws {UsageError} where another process has the folder.
 * @throws {WeightsError} where no checkpoint can be used.
 */
export async function reopen(
  { folder, file }: FoundRun,
  { keep }: RunConfig,
  warn: (line: string) => void,
): Promise<Claim & { checkpoint: Checkpoint | null }> {
  const lock = await lockRun(folder);
  try {
    const checkpoints = new CheckpointFolder(join(folder, CHECKPOINTS), keep);
    for (const path of [folder, checkpoints.path]) await tidy(path);
    const checkpoint = file === null ? await checkpoints.newest(warn) : await readCheckpoint(file);
    return { path: folder, lock, checkpoint: checkpoint ?? null };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

async function tidy(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) if (name.endsWith(TEMPORARY)) await removeQuietly(join(folder, name));
}

/** What `run.json` says; undefined where there is none that can be read. */
export async function readEnvironment(folder: string): Promise<Partial<RunFile> | undefined> {
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(join(folder, "run.json")));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The content of `run.json`. */
export interface RunFile extends Environment {
  /** Each time that the run went on: from which step, and by what. */
  readonly resumed: readonly (Environment & { readonly step: number })[];
  /** When it came to its end. */
  readonly finished?: string;
}
