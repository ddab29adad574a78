/**
 * The folder of a run, `OUT/NAME`: `config.json` with its settings, `run.json` with the machine that it ran on, the metrics,
 * `checkpoints/` and, at the end, `model.safetensors`. Only one process at a time uses it.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { isTemporary, makeFolder, writeAtomically } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import { type Checkpoint, metricsIn } from "./checkpoint.ts";
import { CheckpointFolder, namesIn } from "./checkpoints.ts";
import { configToJson } from "../config/config.ts";
import { MetricsLog } from "./metrics.ts";
import { LOCK, lockRun, type RunLock } from "./lock.ts";
import type { RunConfig } from "../config/settings.ts";

/** The name of the folder of checkpoints in a run's folder. */
export const CHECKPOINTS = "checkpoints";

/** A run's folder. */
export class RunFolder {
  /** The path of the file of weights. */
  readonly weights: string;

  private constructor(
    /** The path of the folder, such as `runs/lenet-1`. */
    readonly path: string,
    readonly metrics: MetricsLog,
    readonly checkpoints: CheckpointFolder,
    /** Whether `best.safetensors` is the one that the checkpoint knows of with which the run goes on. */
    readonly hasBest: boolean,
  ) {
    this.weights = join(path, "model.safetensors");
  }

  /**
   * Writes the settings and `run.json` into a folder that is locked, and begins its metrics. For a run that goes on from a
   * checkpoint, removes later checkpoints and later metrics.
   *
   * @param warn is told if metrics are missing.
   * @throws {DataError} if a file cannot be written.
   */
  static async open(
    path: string,
    config: RunConfig,
    from: Checkpoint | null = null,
    run: object = {},
    warn: (line: string) => void = () => {},
  ): Promise<RunFolder> {
    const settings = configToJson(config);
    const write = (name: string, text: string) => writeAtomically(join(path, name), new TextEncoder().encode(text));
    // A new run can be resumed once its settings are written. A resumed run is no longer finished, also before it has other
    // settings.
    if (!from) await write("config.json", settings);
    await write("run.json", jsonText(run));
    if (from) await write("config.json", settings);
    const checkpoints = new CheckpointFolder(join(path, CHECKPOINTS), config.keep);
    // Before their metrics are cut: if the process ends in between, no checkpoint lacks its metrics.
    const hasBest = !from || await checkpoints.rewind(from);
    const metrics = await MetricsLog.open(path, from && metricsIn(from), warn);
    metrics.events.text(from?.state.step ?? 0, "config", `\`\`\`json\n${settings}\`\`\``);
    return new RunFolder(path, metrics, checkpoints, hasBest);
  }

  /**
   * Writes a JSON file, atomically.
   *
   * @throws {DataError} if it cannot be written.
   */
  async write(name: string, value: unknown): Promise<void> {
    await writeAtomically(join(this.path, name), new TextEncoder().encode(jsonText(value)));
  }
}

function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

/** A folder whose lock is held. */
export interface Claim {
  readonly path: string;
  readonly lock: RunLock;
}

/**
 * Creates the folder of a new run, and locks it. Without a `name` in the settings the folder is named by the model and the
 * first number after those in use. Two processes that do this at the same time get two folders.
 *
 * @throws {UsageError} if `name` is given and something of that name is there already.
 * @throws {DataError} if the folder cannot be created.
 */
export async function claimRun(config: RunConfig): Promise<Claim> {
  const path = await claimFolder(config);
  return { path, lock: await lockRun(path) };
}

async function claimFolder({ out, name, model }: RunConfig): Promise<string> {
  try {
    await makeFolder(out, { recursive: true });
    if (name !== undefined) {
      const path = join(out, name);
      if (!await claim(path) && !await isEmptyRun(path)) {
        throw new UsageError(
          `${path} is already there: choose another --name, go on with it by --resume ${path}, or remove it`,
        );
      }
      return path;
    }
    let number = 1;
    for await (const { name } of Deno.readDir(out)) {
      if (name.startsWith(`${model}-`) && /^\d{1,9}$/.test(name.slice(model.length + 1))) {
        number = Math.max(number, Number(name.slice(model.length + 1)) + 1);
      }
    }
    for (;; number++) {
      const path = join(out, `${model}-${number}`);
      if (await claim(path)) return path;
    }
  } catch (error) {
    throw fileError("make a run's folder in", out, error);
  }
}

/** Creates a folder. @returns false if something of that name is there already. */
async function claim(path: string): Promise<boolean> {
  try {
    await makeFolder(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return false;
  }
}

/** Whether a folder belongs to a run that ended before it wrote its `config.json`. */
async function isEmptyRun(path: string): Promise<boolean> {
  const { isDirectory } = await Deno.stat(path);
  if (!isDirectory) return false;
  return (await namesIn(path)).every((name) => name === LOCK || isTemporary(name));
}
