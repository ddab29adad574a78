/**
 * Finding image files, and reading them: names, folders, or the standard input.
 *
 * @module
 */
import { join } from "node:path";
import { DataError } from "../errors.ts";
import { fileError } from "./files.ts";

/** The name that stands for the standard input. */
export const STDIN = "-";

/** The most bytes of a file: more than any image of as many pixels as are read. */
const MAX_BYTES = 2 ** 30;

const IMAGE_NAME = /\.(png|jpe?g|webp|bmp)$/i;

/**
 * The image files in a folder and its folders, by their endings, sorted; of anything else, its name. Folders behind
 * symbolic links are left out, since they may lead back.
 *
 * @throws {DataError} if a folder cannot be read, or there is nothing of that name.
 */
export async function findImages(path: string): Promise<string[]> {
  if (path === STDIN) return [path];
  try {
    if (!(await Deno.stat(path)).isDirectory) return [path];
    const entries = (await Array.fromAsync(Deno.readDir(path))).sort((a, b) => a.name < b.name ? -1 : 1), found = [];
    for (const { name, isDirectory } of entries) {
      if (isDirectory) found.push(...await findImages(join(path, name)));
      else if (IMAGE_NAME.test(name)) found.push(join(path, name));
    }
    return found;
  } catch (error) {
    throw fileError("read", path, error);
  }
}

/**
 * The bytes of a file, or of the standard input.
 *
 * @throws {DataError} if it cannot be read, or has more than a GiB.
 */
export async function readImageFile(path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const stream = path === STDIN ? Deno.stdin.readable : (await Deno.open(path)).readable;
    for await (const part of stream) {
      parts.push(part);
      length += part.length;
      // A device or a pipe may have no end.
      if (length > MAX_BYTES) throw new DataError(`cannot read ${path}: it has more than ${MAX_BYTES} bytes`);
    }
  } catch (error) {
    throw fileError("read", path, error);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
