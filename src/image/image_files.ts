/**
 * Finding and reading image files: single files, those in folders, or the standard input.
 *
 * @module
 */
import { join } from "node:path";
import { DataError, type WgradError } from "../errors.ts";
import { fileError } from "../files/file_error.ts";

/** The path that means the standard input. */
export const STDIN = "-";

/** The largest file that is read, in bytes. An image with the largest number of pixels is smaller. */
const MAX_BYTES = 2 ** 30;

const IMAGE_NAME = /\.(png|jpe?g|webp|bmp)$/i;

/** The ends of the names of images in formats that are not read. */
const OTHER_IMAGE_NAME = /\.(heic|heif|avif|tiff?|gif|jxl|jp2|svg|ico|dng|cr2|cr3|nef|arw)$/i;

/** A path that may be an image. */
export interface FoundImage {
  readonly file: string;
  /** Why it cannot be read: it does not exist, or is a folder without permission. */
  readonly error?: WgradError;
  /** The image is in a format that is not read, by the end of its name. Only of files that were found in a folder. */
  readonly skipped?: boolean;
}

/**
 * Finds images. For a folder: the files in it and its subfolders whose names end like those of images, sorted; those in
 * formats that are not read are marked as skipped. For anything else: the path itself. Symbolic links to folders are not followed, since they could form a loop. A path that cannot be read
 * is returned with its error, and the search continues.
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
    else if (OTHER_IMAGE_NAME.test(name)) yield { file: join(path, name), skipped: true };
  }
}

/**
 * Reads a file, or the standard input.
 *
 * @throws {DataError} if it cannot be read, is not a regular file, or is larger than 1 GiB
 */
export async function readImageFile(path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    // Opening a pipe that no process writes to would wait for ever.
    if (path !== STDIN && !(await Deno.stat(path)).isFile) {
      throw new DataError(`cannot read ${path}: it is not a regular file; use - for the standard input`);
    }
    const stream = path === STDIN ? Deno.stdin.readable : (await Deno.open(path)).readable;
    for await (const part of stream) {
      parts.push(part);
      length += part.length;
      // The standard input may be endless.
      if (length > MAX_BYTES) {
        throw new DataError(`cannot read ${path}: it is larger than the limit of ${MAX_BYTES} bytes`);
      }
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
