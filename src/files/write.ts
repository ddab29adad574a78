/**
 * Writing files so that a crash or a power cut never leaves half of one: to a temporary name, synced, then renamed.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileError } from "./file_error.ts";

/** Writes every byte of a chunk; one `write` may take fewer. */
export async function writeAll(file: Deno.FsFile, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
}

/** Writes a new file and syncs it to the disk; if that fails, the file is removed. */
export async function writeSynced(
  path: string,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  try {
    const file = await Deno.open(path, { write: true, create: true, truncate: true });
    try {
      for await (const chunk of source) await writeAll(file, chunk);
      await file.sync();
    } finally {
      file.close();
    }
  } catch (error) {
    await removeQuietly(path);
    throw fileError("write", path, error);
  }
}

const temporaryName = (path: string) => `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;

/** Whether a name is one that `writeAtomically()` and its like use until a file is whole. */
export function isTemporary(name: string): boolean {
  return /\.[0-9a-f]{8}\.tmp$/.test(name);
}

/** Writes a file as a whole or not at all: to a temporary name beside it, synced, then renamed; the folder is synced too. */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await writeSynced(temporary, [bytes]);
    await Deno.rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await removeQuietly(temporary);
    throw fileError("write", path, error);
  }
}

/**
 * Gives a file a second name, instead of whatever has it: a link where the file system has those, else a copy. There is
 * never no file of that name.
 */
export async function linkAtomically(file: string, path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await Deno.link(file, temporary);
    await Deno.rename(temporary, path);
    // Where both names are of one file already, a rename does nothing.
    await removeQuietly(temporary);
    await syncFolder(dirname(path));
  } catch {
    await removeQuietly(temporary);
    await writeAtomically(
      path,
      await Deno.readFile(file).catch((error) => {
        throw fileError("read", file, error);
      }),
    );
  }
}

/**
 * Syncs a folder, so that a name in it outlasts a power cut. Windows has no such thing, and needs none; nor have some
 * network drives.
 */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const folder = await Deno.open(path, { read: true });
  try {
    await folder.sync();
  } catch (error) {
    // EINVAL, ENOTSUP.
    if (!/os error (22|45|95)\b/.test(String(error))) throw error;
  } finally {
    folder.close();
  }
}

/** Removes a file or folder with all in it; that it is not there, or cannot be removed, is no failure. */
export async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch {
    // Clean-up after another failure, which is the one to report.
  }
}
