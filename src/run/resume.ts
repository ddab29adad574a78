/**
 * Resuming a run: finding it, and which settings may change.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { fileSize } from "../files/read.ts";
import { isTemporary, removeQuietly } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { CheckpointFolder, namesIn, readCheckpoint } from "./checkpoints.ts";
import { configFromJson, makeConfig } from "../config/config.ts";
import { CHECKPOINTS, type Claim } from "./folder.ts";
import { lockRun } from "./lock.ts";
import { checkOwn, readOwnText } from "./own_file.ts";
import { readRunFile } from "./run_file.ts";
import { camelCase, type Setting, type Value } from "../config/setting.ts";
import { type GivenConfig, type RunConfig, SETTINGS } from "../config/settings.ts";

/** A run that was started before. */
export interface FoundRun {
  /** The run's folder. */
  readonly folder: string;
  /** The checkpoint that was named; null for the newest. */
  readonly file: string | null;
}

/**
 * Finds a run.
 *
 * @param what the run's folder, its name in `out`, or a checkpoint in its folder.
 * @throws {UsageError} if there is no such run.
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
 * The settings to go on with: those of the run, overridden by `given`. More epochs or steps only extend the run.
 *
 * @throws {UsageError} for a setting that would make it another run, unless `force`.
 */
export function resumedConfig(config: RunConfig, given: GivenConfig, force: boolean): GivenConfig {
  const changed: Record<string, Value> = {};
  for (const setting of SETTINGS as readonly Setting[]) {
    const key = camelCase(setting.name) as keyof RunConfig, value = given[key], before = config[key];
    // The folder does not move.
    if (value === undefined || key === "out" || key === "name" || JSON.stringify(value) === JSON.stringify(before)) {
      continue;
    }
    if (!setting.free && !force && !extendsRun(key, before, value)) {
      const flag = `--${setting.name}`, had = before === false ? "" : String(before ?? "");
      throw new UsageError(
        `This run was started ${
          had ? `with ${flag} ${had}` : `without ${flag}`
        }. Drop ${flag}, or add --force to change it.`,
      );
    }
    changed[key] = value;
  }
  return { ...config, ...changed };
}

/** Whether another value of a setting lets the run train longer, with the same steps until then. */
function extendsRun(key: keyof RunConfig, before: RunConfig[keyof RunConfig], value: Value): boolean {
  return (key === "epochs" || key === "maxSteps") && before !== undefined && Number(value) > Number(before);
}

/** A run that is about to go on. Its lock is held. */
export interface ReopenedRun extends Claim {
  /** The settings to go on with, and those of the run until now. */
  readonly config: RunConfig;
  readonly before: RunConfig;
  /** The checkpoint to go on from; null if the run has none: then it starts over. */
  readonly checkpoint: Checkpoint | null;
  /** The checkpoint is not the newest, or has other settings: the run replaces the checkpoints in its folder at once. */
  readonly changed: boolean;
  /** The run goes on with settings or images that make it another run. */
  readonly force: boolean;
  /** The run is finished, and the settings ask for no more steps. */
  readonly finished: boolean;
}

/**
 * Locks a run's folder, and reads the checkpoint to go on from: the one that was named, else the newest that is not
 * damaged. Removes temporary files of a write that was interrupted.
 *
 * @param given settings that override those of the run.
 * @param force allows settings that make it another run.
 * @param warn called with a line for each damaged checkpoint.
 * @throws {UsageError} if another process uses the folder, its files are links, or a setting would make it another run.
 * @throws {WeightsError} if the checkpoints are all damaged.
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
    await checkOwn(checkpoints.path, true);
    for (const path of [folder, checkpoints.path]) await removeTemporaryFiles(path);
    const checkpoint = await (file === null ? checkpoints.newest(warn) : readCheckpoint(file)) ?? null;
    const saved = checkpoint && configFromJson(JSON.stringify(checkpoint.state.config), file ?? checkpoints.path);
    const written = await readSettings(folder).catch((error) => {
      if (!saved || !(error instanceof UsageError)) throw error;
      warn(`WARNING: ${error.message}: the checkpoint's settings are used`);
      return saved;
    });
    // An edit of config.json counts like a flag.
    const before = saved ?? written, config = makeConfig(resumedConfig(before, { ...written, ...given }, force));
    const longer = config.epochs !== before.epochs || config.maxSteps !== before.maxSteps;
    if (longer && checkpoint && checkpoint.state.step >= (config.maxSteps ?? Infinity)) {
      throw new UsageError(
        `This run has done its ${checkpoint.state.step} steps of --max-steps ${config.maxSteps}. Give a larger --max-steps.`,
      );
    }
    const names = await namesIn(folder), ended = (await readRunFile(folder))?.finished !== undefined;
    return {
      path: folder,
      lock,
      config,
      before,
      checkpoint,
      changed: file !== null || JSON.stringify(config) !== JSON.stringify(before),
      force,
      finished: file === null && ended && !longer && names.includes("model.safetensors"),
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Reads the settings in a run's folder. Throws `UsageError` if they cannot be read. */
async function readSettings(folder: string): Promise<RunConfig> {
  const file = join(folder, "config.json");
  const text = await readOwnText(file).catch((error) => {
    throw new UsageError(`--resume: ${error.message}`);
  });
  if (text === undefined) throw new UsageError(`--resume: cannot read ${file}: no such file or folder`);
  return configFromJson(text, file);
}

async function removeTemporaryFiles(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (isTemporary(name) && await fileSize(path) !== undefined) await removeQuietly(path);
  }
}
