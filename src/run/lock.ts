/**
 * The lock on a run's folder: no two processes write to it. The system gives the lock up when its process ends, in whatever
 * way; the file also says whose it is.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { removeQuietly } from "../files/write.ts";
import { UsageError } from "../errors.ts";

/** The file's name. */
export const LOCK = "run.lock";

/** How often the lock is tried, and milliseconds between. */
const TRIES = 10, PAUSE = 20;

/** Held until it is disposed of. */
export interface RunLock extends AsyncDisposable {
  /** The process that had the folder, and ended without tidying up. */
  readonly stale: string | null;
}

/**
 * Locks a run's folder.
 *
 * @throws {UsageError} where another process has it, which is named.
 * @throws {DataError} where the lock's file cannot be written.
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const path = join(folder, LOCK);
  for (;;) {
    const file = await open(path);
    try {
      const before = await contentOf(file);
      if (!await tryLockOften(file)) {
        const owner = /^\d+/.exec(before);
        throw new UsageError(
          `${folder} is in use by another run${owner ? `, of process ${owner}` : ""}: wait for it, or end it first`,
        );
      }
      // The one that had it before may have removed the file while this process waited for the lock.
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
          await removeQuietly(path); // Before the lock goes, so that it is nobody else's.
          file.close();
        },
      };
    } catch (error) {
      file.close();
      throw fileError("lock", path, error);
    }
  }
}

/** Tries more than once: a page that lists runs has a lock for a moment, to see whether it is free. */
async function tryLockOften(file: Deno.FsFile): Promise<boolean> {
  for (let tries = 1;; tries++) {
    if (await tryLock(file)) return true;
    if (tries === TRIES) return false;
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

/** @returns false where another process has the lock. Some network drives have no locks: there it is as if it were free. */
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
  const bytes = new Uint8Array(64), length = await file.read(bytes).catch(() => 0); // Windows bars readers of a locked file.
  return new TextDecoder().decode(bytes.subarray(0, length ?? 0));
}

async function isFileOf(file: Deno.FsFile, path: string): Promise<boolean> {
  const [own, there] = [await file.stat(), await Deno.stat(path).catch(() => null)];
  return own.ino === null || own.ino === there?.ino;
}
