/**
 * The folder of a run's checkpoints: `step-000012500.safetensors` for the newest of them, `last.safetensors`, which is the
 * newest under a name that stays, and `best.safetensors`, which had the least loss in validation.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { linkAtomically, removeQuietly, writeAtomically } from "../files/write.ts";
import { readWholeFile } from "../files/read.ts";
import { WeightsError, WgradError } from "../errors.ts";
import { type Checkpoint, decodeCheckpoint } from "./checkpoint.ts";

const NUMBERED = /^step-\d+\.safetensors$/, LAST = "last.safetensors", BEST = "best.safetensors";

export class CheckpointFolder {
  /** @param keep how many of the numbered files stay. */
  constructor(readonly path: string, readonly keep: number) {}

  /** The name that the newest has beside its number. */
  get last(): string {
    return join(this.path, LAST);
  }

  get best(): string {
    return join(this.path, BEST);
  }

  /**
   * Writes a checkpoint, and removes the oldest. Whenever the process or the machine stops, the one before it is still there.
   *
   * @throws {DataError} if that fails.
   */
  async save(bytes: Uint8Array, step: number, isBest: boolean): Promise<void> {
    const path = join(this.path, `step-${String(step).padStart(9, "0")}.safetensors`);
    await writeAtomically(path, bytes);
    await linkAtomically(path, this.last);
    if (isBest) await linkAtomically(path, this.best);
    // Those of steps yet to come are of a time before a resume from an earlier one.
    const names = await this.#numbered(), own = names.findIndex((name) => stepOf(name) <= step);
    for (const name of [...names.slice(0, own), ...names.slice(own + this.keep)]) {
      await removeQuietly(join(this.path, name));
    }
  }

  /**
   * The newest checkpoint that can be used; null where there is none at all.
   *
   * @param warn is told of each that is damaged.
   * @throws {WeightsError} where there are some, and all are damaged.
   */
  async newest(warn: (line: string) => void): Promise<Checkpoint | null> {
    const names = [...await this.#numbered(), LAST, BEST], damaged: string[] = [];
    for (const name of names) {
      const checkpoint = await readCheckpoint(join(this.path, name)).catch((error) => {
        if (!(error instanceof WeightsError)) throw error;
        damaged.push(error.message);
      });
      if (!checkpoint) continue;
      for (const why of damaged) warn(`WARNING: ${why}: the one before it is used`);
      return checkpoint;
    }
    if (damaged.length === 0) return null;
    throw new WeightsError(`no checkpoint in ${this.path} can be used (${damaged[0]}): start the run anew`);
  }

  /**
   * Makes the folder that of a run that goes on from `checkpoint`: those of later steps, which are of another future, go
   * away. @returns whether the best is the one that the checkpoint knows of.
   */
  async rewind({ state: { step, best } }: Checkpoint): Promise<boolean> {
    for (const name of await this.#numbered()) if (stepOf(name) > step) await removeQuietly(join(this.path, name));
    const newest = await readCheckpoint(this.last).catch(() => undefined);
    if (newest && newest.state.step > step) await removeQuietly(this.last);
    const kept = await readCheckpoint(this.best).catch(() => undefined);
    if (kept?.state.step === best?.step) return true;
    await removeQuietly(this.best);
    return false;
  }

  /** The numbered files, the newest first. What counts is the step, not the time of a clock. */
  async #numbered(): Promise<string[]> {
    return (await namesIn(this.path)).filter((name) => NUMBERED.test(name)).sort((a, b) => stepOf(b) - stepOf(a));
  }
}

function stepOf(name: string): number {
  return Number(/\d+/.exec(name));
}

/**
 * Reads a checkpoint. @returns undefined where there is no such file.
 *
 * @throws {WeightsError} where it is damaged.
 * @throws {DataError} where it cannot be read.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const bytes = await readWholeFile(path);
  return bytes && decodeCheckpoint(bytes, path);
}

/** The names in a folder; none where it is not there. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error instanceof WgradError ? error : fileError("read", path, error);
  }
}
