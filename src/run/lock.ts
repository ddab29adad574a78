/**
 * The lock on a run's folder, so that no two processes write to it. The operating system releases the lock when its process
 * ends in any way; the file holds the id of the process.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { removeQuietly } from "../files/write.ts";
import { UsageError } from "../errors.ts";
import { checkOwn } from "./own_file.ts";

/** The name of the lock's file. */
export const LOCK = "run.lock";

/** The number of attempts to get the lock, and the milliseconds between them. */
const TRIES = 10, PAUSE = 20;

/** A lock that is held until it is disposed of. */
export interface RunLock extends AsyncDisposable {
  /** The id of the process that held the lock before and ended without removing the file; null if there was none. */
  readonly stale: string | null;
}

/**
 * Locks a run's folder. A link in place of the lock's file is refused: its target would be written to.
 *
 * @throws {UsageError} if another process holds the lock, naming the process.
 * @throws {DataError} if the lock's file cannot be written.
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const path = join(folder, LOCK);
  for (;;) {
    await checkOwn(path);
    const file = await open(path);
    try {
      const before = await contentOf(file);
      if (!await tryLockOften(file)) {
        const owner = /^\d+/.exec(before);
        throw new UsageError(
          `${folder} is in use by another run${owner ? `, of process ${owner}` : ""}: wait for it, or end it first`,
        );
      }
      // The process that held the lock may have removed the file while this one waited.
      if (!await isFileOf(file, path)) {
        file.close();
        continue;
      }
      await file.truncate();
      await file.seek(0, Deno.SeekMode.Start);
      await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
      return {
        stale: /^\d+/.exec(before)?.[0] ?? null,
        async [Symbol.asyncDispose]() {
          await removeQuietly(path); // Before the lock is released: then the file is still this process's.
          file.close();
        },
      };
    } catch (error) {
      file.close();
      throw fileError("lock", path, error);
    }
  }
}

/** Tries several times: a page that lists runs holds the lock for a moment, to see whether it is free. */
async function tryLockOften(file: Deno.FsFile): Promise<boolean> {
  for (let tries = 1;; tries++) {
    if (await tryLock(file)) return true;
    if (tries === TRIES) return false;
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

/** @returns false if another process holds the lock. On network drives without locks it always succeeds. */
async function tryLock(file: Deno.FsFile): Promise<boolean> {
  try {
    return await file.tryLock(true);
  } catch (error) {
    // ENOLCK, ENOSYS, ENOTSUP.
    if (error instanceof Deno.errors.NotSupported || /os error (37|38|45|77|95)\b/.test(String(error))) return true;
    throw error;
  }
}

async function open(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true });
  } catch (error) {
    throw fileError("lock", path, error);
  }
}

async function contentOf(file: Deno.FsFile): Promise<string> {
  const bytes = new Uint8Array(64), length = await file.read(bytes).catch(() => 0); // On Windows a locked file cannot be read.
  return new TextDecoder().decode(bytes.subarray(0, length ?? 0));
}

/** Whether an open file is still the one of that name. */
async function isFileOf(file: Deno.FsFile, path: string): Promise<boolean> {
  const { ino } = await file.stat(), named = await Deno.lstat(path).catch(() => null);
  return ino === null || ino === named?.ino;
}
