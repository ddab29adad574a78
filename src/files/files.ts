/**
 * Files as streams of bytes, their checksums, and writes that are all or nothing. Every failure of the system becomes
 * a `DataError` that names the file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { DataError, WgradError } from "../errors.ts";

/** Turns what the system threw while doing `action` to `path` into one clear line; our own errors pass unchanged. */
export function fileError(action: string, path: string, error: unknown): WgradError {
  if (error instanceof WgradError) return error;
  let why: string;
  if (error instanceof Deno.errors.NotFound) why = "no such file or folder";
  else if (error instanceof Deno.errors.NotCapable) why = "this program was started without permission for it";
  else if (error instanceof Deno.errors.PermissionDenied) why = "permission denied";
  else if (error instanceof Deno.errors.IsADirectory) why = "it is a folder";
  else if (error instanceof Deno.errors.NotADirectory) why = "a part of its path is no folder";
  // Without the number, and what the runtime did with which path.
  else why = (error instanceof Error ? error.message : String(error)).replace(/ \(os error \d+\)(: .*)?$/s, "");
  return new DataError(`cannot ${action} ${path}: ${why}`);
}

/** The bytes of a file in chunks, 256 KiB each by default. The file is closed however the reading ends. */
export async function* fileChunks(path: string, chunkBytes = 1 << 18): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let file: Deno.FsFile | undefined;
  try {
    file = await Deno.open(path, { read: true });
    while (true) {
      const chunk = new Uint8Array(chunkBytes);
      const length = await file.read(chunk);
      if (length === null) return;
      yield chunk.subarray(0, length);
    }
  } catch (error) {
    throw fileError("read", path, error);
  } finally {
    file?.close();
  }
}

/** The SHA-256 of a stream of bytes, in hexadecimal. */
export async function sha256(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  // node:crypto, because crypto.subtle takes only whole buffers.
  const hash = createHash("sha256");
  for await (const chunk of source) hash.update(chunk);
  return hash.digest("hex");
}

/** Size in bytes of a regular file, or undefined if there is none of that name. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const info = await Deno.stat(path);
    return info.isFile ? info.size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError("read", path, error);
  }
}

/** The largest file that is read into memory as a whole: 2 GiB. */
const MOST_BYTES = 2 ** 31;

/**
 * The bytes of a file.
 *
 * @throws {DataError} if it cannot be read, is no plain file, or is too large for that. `undefined` if it is not there.
 */
export async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const { isFile, isDirectory, size } = await Deno.stat(path);
    if (!isFile) throw new DataError(`cannot read ${path}: it is ${isDirectory ? "a folder" : "no plain file"}`);
    if (size > MOST_BYTES) {
      throw new DataError(`cannot read ${path}: it has ${size} bytes, and ${MOST_BYTES} is the most`);
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError("read", path, error);
  }
}

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
