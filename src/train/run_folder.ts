/**
 * Chooses and makes the folder of one run, `OUT/NAME`. What goes into it is left to the trainer.
 *
 * @module
 */
import { join } from "node:path";
import { UsageError, WgradError } from "../errors.ts";
import type { RunConfig } from "./config.ts";

/** A run's folder, new and empty. */
export interface RunFolder {
  /** The folder's own name, `lenet-1`. */
  readonly name: string;
  /** The path, `runs/lenet-1`. */
  readonly path: string;
}

/**
 * Makes the folder of a run. Without a name it is the model's and the first number after those in use; two processes
 * that choose at once get two folders.
 *
 * @throws {UsageError} if the name is given and there is already something there.
 * @throws {WgradError} if the folder cannot be made.
 */
export async function makeRunFolder(config: Pick<RunConfig, "out" | "name" | "model">): Promise<RunFolder> {
  const { out, model } = config;
  try {
    await Deno.mkdir(out, { recursive: true });
    if (config.name !== undefined) {
      const path = join(out, config.name);
      if (!await claim(path)) throw new UsageError(`${path} is already there: choose another --name, or remove it`);
      return { name: config.name, path };
    }
    let number = 1;
    for await (const { name } of Deno.readDir(out)) {
      if (name.startsWith(`${model}-`) && /^\d{1,9}$/.test(name.slice(model.length + 1))) {
        number = Math.max(number, Number(name.slice(model.length + 1)) + 1);
      }
    }
    for (;; number++) {
      const name = `${model}-${number}`;
      const path = join(out, name);
      if (await claim(path)) return { name, path };
    }
  } catch (error) {
    if (error instanceof WgradError) throw error;
    throw new WgradError(`cannot make a run's folder in ${out}: ${(error as Error).message}`, { cause: error });
  }
}

/** @returns whether the folder was made, or was there and empty. */
async function claim(path: string): Promise<boolean> {
  try {
    await Deno.mkdir(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return false;
  }
}
