/**
 * Finding image files, and reading them: names, folders, or the standard input.
 *
 * @module
 */
import { join } from "node:path";
import { DataError, type WgradError } from "../errors.ts";
import { fileError } from "../files/file_error.ts";

/** The name that stands for the standard input. */
export const STDIN = "-";

/** The most bytes of a file: more than any image of as many pixels as are read. */
const MAX_BYTES = 2 ** 30;

const IMAGE_NAME = /\.(png|jpe?g|webp|bmp)$/i;

/** A name that may be of an image. */
export interface FoundImage {
  readonly file: string;
  /** Why there is no looking at it: a folder that cannot be read, or nothing of that name. */
  readonly error?: WgradError;
}

/**
 * The image files in a folder and its folders, by their endings, sorted; of anything else, its name. Folders behind
 * symbolic links are left out, since they may lead back. What cannot be looked at takes nothing else with it.
 */
export async function* findImages(path: string): AsyncGenerator<FoundImage> {
  let entries: Deno.DirEntry[];
  try {
    if (path === STDIN || !(await Deno.stat(path)).isDirectory) return yield { file: path };
    entries = (await Array.fromAsync(Deno.readDir(path))).sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    return yield { file: path, error: fileError("read", path, error) };
  }
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* findImages(join(path, name));
    else if (IMAGE_NAME.test(name)) yield { file: join(path, name) };
  }
}

/**
 * The bytes of a file, or of the standard input.
 *
 * @throws {DataError} if it cannot be read, is no plain file, or has more than a GiB.
 */
export async function readImageFile(path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    // Opening a pipe that nobody writes to would wait for ever.
    if (path !== STDIN && !(await Deno.stat(path)).isFile) {
      throw new DataError(`cannot read ${path}: it is no plain file; - is the standard input`);
    }
    const stream = path === STDIN ? Deno.stdin.readable : (await Deno.open(path)).readable;
    for await (const part of stream) {
      parts.push(part);
      length += part.length;
      // The standard input may have no end.
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
