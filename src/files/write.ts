/**
 * Writing files so that a crash or a power cut never leaves half of one: to a temporary name, synced, then renamed.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { fileError } from "./file_error.ts";

/** Writes all bytes of a chunk; a single `write()` may write only some of them. */
export async function writeAll(file: Deno.FsFile, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
}

/** Writes a new file and syncs it to the disk. If that fails, the file is removed. */
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

/** Whether a name is a temporary one, which `writeAtomically()` and `linkAtomically()` use until the file is complete. */
export function isTemporary(name: string): boolean {
  return /\.[0-9a-f]{8}\.tmp$/.test(name);
}

/** Writes a file completely or not at all: under a temporary name in the same folder, synced, then renamed. */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await makeFolder(dirname(path), { recursive: true });
    await writeSynced(temporary, [bytes]);
    await Deno.rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await removeQuietly(temporary);
    throw fileError("write", path, error);
  }
}

/**
 * Gives a file a second name, and replaces any file that had that name: by a hard link if the file system supports it, else
 * by a copy. A file of that name exists at every moment.
 */
export async function linkAtomically(file: string, path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await Deno.link(file, temporary);
    await Deno.rename(temporary, path);
    // If both names already are links to the same file, renaming does nothing.
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
 * Creates a folder whose name survives a power cut.
 *
 * @param options `recursive`: also creates the folders above it, and accepts one that is there already. Default false.
 * @throws the errors of `Deno.mkdir()`
 */
export async function makeFolder(path: string, { recursive = false } = {}): Promise<void> {
  const missing: string[] = [];
  if (recursive) {
    let folder = resolve(path);
    while (folder !== dirname(folder) && !await Deno.stat(folder).then(() => true, () => false)) {
      missing.push(folder);
      folder = dirname(folder);
    }
  } else missing.push(path);
  await Deno.mkdir(path, { recursive });
  for (const folder of missing) {
    await syncFolder(dirname(folder)).catch((error) => {
      // A folder may allow new names in it, but not reading, which syncing needs.
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    });
  }
}

/**
 * Syncs a folder, so that a new name in it survives a power cut. Windows cannot do this and does not need it; some network
 * drives cannot either.
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

/** Removes a file, or a folder with its contents. Errors are ignored, such as a missing file. */
export async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch {
    // This cleans up after another error, and that one is reported.
  }
}
