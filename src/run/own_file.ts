/**
 * The files in a run's folder, which may have come from elsewhere: only regular files that are not links are used, so that
 * nothing outside the folder is read or written, and no pipe or device is waited for.
 *
 * @module
 */
import { DataError, UsageError } from "../errors.ts";
import { fileError } from "../files/file_error.ts";

/** The largest text file of a run that is read, in bytes. */
const MOST_BYTES = 1 << 24;

/** What is at a path, links not followed; undefined if nothing is. */
async function thereIs(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError("read", path, error);
  }
}

/** Throws `UsageError` if there is something else than a regular file (or a folder, if `isFolder`) at `path`. */
export async function checkOwn(path: string, isFolder = false): Promise<void> {
  const info = await thereIs(path);
  if (!info || (isFolder ? info.isDirectory : info.isFile)) return;
  const what = info.isSymlink ? "a link" : isFolder ? "no folder" : "no regular file";
  throw new UsageError(`${path} is ${what}: a run uses nothing outside its folder; remove it, or resume another run`);
}

/**
 * Reads a text file of a run. @returns undefined if there is none.
 *
 * @throws {UsageError} if it is no regular file.
 * @throws {DataError} if it is too large, or cannot be read.
 */
export async function readOwnText(path: string): Promise<string | undefined> {
  await checkOwn(path);
  const info = await thereIs(path);
  if (!info) return undefined;
  if (info.size > MOST_BYTES) {
    throw new DataError(`${path} has ${info.size} bytes: a run's file has at most ${MOST_BYTES}`);
  }
  return await Deno.readTextFile(path).catch((error) => {
    throw fileError("read", path, error);
  });
}
