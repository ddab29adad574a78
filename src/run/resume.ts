/**
 * Going on with a run: which one is meant, and what may be different from before.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { fileSize } from "../files/read.ts";
import { isTemporary, removeQuietly } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { CheckpointFolder, namesIn, readCheckpoint } from "./checkpoints.ts";
import { configFromJson, makeConfig } from "../config/config.ts";
import type { Environment } from "./environment.ts";
import { CHECKPOINTS, type Claim } from "./folder.ts";
import { lockRun } from "./lock.ts";
import { camelCase, type Setting, type Value } from "../config/setting.ts";
import { type GivenConfig, type RunConfig, SETTINGS } from "../config/settings.ts";

/** A run that was begun before. */
export interface FoundRun {
  /** Its folder. */
  readonly folder: string;
  /** The checkpoint that was named, instead of the newest. */
  readonly file: string | null;
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
    if (info?.isDirectory && await isRun(path)) return { folder: path, file: null };
    if (!info?.isFile) continue;
    if (basename(dirname(path)) === CHECKPOINTS) return { folder: dirname(dirname(path)), file: path };
    throw new UsageError(
      `--resume ${path}: a checkpoint goes on in its run's folder, RUN/${CHECKPOINTS}/; --init FILE starts a new run ` +
        "from weights",
    );
  }
  throw new UsageError(`--resume ${what}: there is no such run, neither here nor in ${out}`);
}

async function isRun(folder: string): Promise<boolean> {
  return (await namesIn(folder)).some((name) => name === "config.json" || name === CHECKPOINTS);
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
          `${String(before ?? "") || "none"}: leave it away, or go on all the same with --force`,
      );
    }
    changed[key] = value;
  }
  return { ...config, ...changed };
}

/** A run that goes on. */
export interface ReopenedRun extends Claim {
  /** The settings to go on with. */
  readonly config: RunConfig;
  /** Where it goes on; null where it came to no checkpoint: then it starts over. */
  readonly checkpoint: Checkpoint | null;
  /** The checkpoint is not the newest, or has other settings: what lies in the folder is of another run from here on. */
  readonly changed: boolean;
  /** Whether it has come to its end, and nothing is asked of it beyond that. */
  readonly finished: boolean;
}

/**
 * Locks a run's folder, and reads the checkpoint to go on from: that which was named, else the newest that is whole.
 * What a write that was cut short has left behind is removed.
 *
 * @param given settings of the command line.
 * @param warn is told of checkpoints that are damaged.
 * @throws {UsageError} where another process has the folder, or naming a setting that would make it another run, unless `force`.
 * @throws {WeightsError} where no checkpoint can be used.
 */
export async function reopen(
  { folder, file }: FoundRun,
  given: GivenConfig,
  force: boolean,
  warn: (line: string) => void,
): Promise<ReopenedRun> {
  const lock = await lockRun(folder);
  try {
    if (lock.stale) warn(`NOTE: process ${lock.stale}, which had ${folder}, ended without tidying up`);
    const checkpoints = new CheckpointFolder(join(folder, CHECKPOINTS), 1);
    for (const path of [folder, checkpoints.path]) await tidy(path);
    const checkpoint = await (file === null ? checkpoints.newest(warn) : readCheckpoint(file)) ?? null;
    const begun = checkpoint && configFromJson(JSON.stringify(checkpoint.state.config), file ?? checkpoints.path);
    const written = await readSettings(folder).catch((error) => {
      if (!begun || !(error instanceof UsageError)) throw error;
      warn(`WARNING: ${error.message}: the checkpoint's settings are used`);
      return begun;
    });
    // A change in config.json is a change like any other.
    const before = begun ?? written, config = makeConfig(resumedConfig(before, { ...written, ...given }, force));
    const longer = config.epochs !== before.epochs || config.maxSteps !== before.maxSteps;
    const names = await namesIn(folder), ended = (await readEnvironment(folder))?.finished !== undefined;
    return {
      path: folder,
      lock,
      config,
      checkpoint,
      changed: file !== null || JSON.stringify(config) !== JSON.stringify(before),
      finished: file === null && ended && !longer && names.includes("model.safetensors"),
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** The settings in a run's folder. Throws `UsageError` where they cannot be read. */
async function readSettings(folder: string): Promise<RunConfig> {
  const file = join(folder, "config.json");
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new UsageError(`--resume: ${fileError("read", file, error).message}`);
  }
  return configFromJson(text, file);
}

async function tidy(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (isTemporary(name) && await fileSize(path) !== undefined) await removeQuietly(path);
  }
}

/** What `run.json` says; undefined where there is none that can be read. */
export async function readEnvironment(folder: string): Promise<Partial<RunFile> | undefined> {
  try {
    const value: Partial<RunFile> | null = JSON.parse(await Deno.readTextFile(join(folder, "run.json")));
    return typeof value === "object" && value && Array.isArray(value.resumed) ? value : undefined;
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
