/**
 * The folder of a run's checkpoints: files such as `step-000012500.safetensors` for the newest ones, `last.safetensors`,
 * which is always the newest, and `best.safetensors`, which had the smallest loss in validation.
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

/** Writes checkpoints to a folder and finds them there. */
export class CheckpointFolder {
  /** @param keep the number of numbered files to keep. */
  constructor(readonly path: string, readonly keep: number) {}

  /** The path of the newest checkpoint. */
  get last(): string {
    return join(this.path, LAST);
  }

  /** The path of the checkpoint with the smallest loss in validation. */
  get best(): string {
    return join(this.path, BEST);
  }

  /**
   * Writes a checkpoint, and removes the oldest. If the process or the machine stops meanwhile, the previous checkpoint is
   * still there.
   *
   * @throws {DataError} if that fails.
   */
  async save(bytes: Uint8Array, step: number, isBest: boolean): Promise<void> {
    const path = join(this.path, `step-${String(step).padStart(9, "0")}.safetensors`);
    await writeAtomically(path, bytes);
    await linkAtomically(path, this.last);
    if (isBest) await linkAtomically(path, this.best);
    // Checkpoints of later steps are from before the run was resumed at an earlier step.
    const names = await this.#numbered(), newest = names.findIndex((name) => stepOf(name) <= step);
    for (const name of [...names.slice(0, newest), ...names.slice(newest + this.keep)]) {
      await removeQuietly(join(this.path, name));
    }
  }

  /**
   * The newest checkpoint that can be used; null if the folder has no checkpoint.
   *
   * @param warn is told of each checkpoint that is damaged.
   * @throws {WeightsError} if all checkpoints are damaged.
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
   * Removes the checkpoints of later steps than `checkpoint`, with which the run goes on.
   *
   * @returns whether `best.safetensors` is the one that the checkpoint names, if it names one; any other is removed.
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

  /** The numbered files, the newest first: by their steps, since a clock may be wrong. */
  async #numbered(): Promise<string[]> {
    return (await namesIn(this.path)).filter((name) => NUMBERED.test(name)).sort((a, b) => stepOf(b) - stepOf(a));
  }
}

function stepOf(name: string): number {
  return Number(/\d+/.exec(name));
}

/**
 * Reads a checkpoint. @returns undefined if there is no such file.
 *
 * @throws {WeightsError} if it is damaged.
 * @throws {DataError} if it cannot be read.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const bytes = await readWholeFile(path);
  return bytes && decodeCheckpoint(bytes, path);
}

/** The names in a folder; none if there is no such folder. */
export async function namesIn(path: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error instanceof WgradError ? error : fileError("read", path, error);
  }
}
