/**
 * The folder of one run, `OUT/NAME`: it holds `config.json`, `metrics.jsonl` and, in the end, `model.safetensors`.
 *
 * @module
 */
import { join } from "node:path";
import { fileError, writeAtomically } from "../data/files.ts";
import { UsageError } from "../errors.ts";
import { configToJson } from "./config.ts";
import type { RunConfig } from "./settings.ts";

/** A run's folder. */
export class RunFolder {
  /** Where the weights belong. */
  readonly weights: string;
  readonly #metrics: string;

  /**
   * @param name the folder's own name, `lenet-1`.
   * @param path its path, `runs/lenet-1`.
   */
  constructor(readonly name: string, readonly path: string) {
    this.weights = join(path, "model.safetensors");
    this.#metrics = join(path, "metrics.jsonl");
  }

  /**
   * Appends objects to `metrics.jsonl`, one a line. They are written when this returns, however the run may end.
   *
   * @throws {DataError} if the file cannot be written.
   */
  log(...lines: readonly object[]): void {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    try {
      Deno.writeTextFileSync(this.#metrics, text, { append: true });
    } catch (error) {
      throw fileError("write", this.#metrics, error);
    }
  }
}

/**
 * Makes the folder of a run, with its `config.json` and no metrics yet. Without a name it is the model's and the first
 * number after those in use; two processes that choose at once get two folders.
 *
 * @throws {UsageError} if the name is given and there is already something there.
 * @throws {DataError} if the folder or a file in it cannot be made.
 */
export async function makeRunFolder(config: RunConfig): Promise<RunFolder> {
  const folder = await claimFolder(config);
  await writeAtomically(join(folder.path, "config.json"), new TextEncoder().encode(configToJson(config)));
  folder.log();
  return folder;
}

async function claimFolder({ out, name, model }: RunConfig): Promise<RunFolder> {
  try {
    await Deno.mkdir(out, { recursive: true });
    if (name !== undefined) {
      const path = join(out, name);
      if (!await claim(path)) throw new UsageError(`${path} is already there: choose another --name, or remove it`);
      return new RunFolder(name, path);
    }
    let number = 1;
    for await (const { name } of Deno.readDir(out)) {
      if (name.startsWith(`${model}-`) && /^\d{1,9}$/.test(name.slice(model.length + 1))) {
        number = Math.max(number, Number(name.slice(model.length + 1)) + 1);
      }
    }
    for (;; number++) {
      const name = `${model}-${number}`, path = join(out, name);
      if (await claim(path)) return new RunFolder(name, path);
    }
  } catch (error) {
    throw fileError("make a run's folder in", out, error);
  }
}

/** @returns whether the folder was made; not so where something has its name. */
async function claim(path: string): Promise<boolean> {
  try {
    await Deno.mkdir(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return false;
  }
}
