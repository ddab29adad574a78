/**
 * Reading files: as a stream of bytes or as a whole, their size, and their SHA-256.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { DataError } from "../errors.ts";
import { fileError } from "./file_error.ts";

/** The bytes of a file in chunks, 256 KiB each by default. The file is always closed at the end, also when reading stops early. */
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
  // node:crypto, because crypto.subtle cannot hash a stream.
  const hash = createHash("sha256");
  for await (const chunk of source) hash.update(chunk);
  return hash.digest("hex");
}

/** The size in bytes of a regular file; undefined if the path does not exist or is not a regular file. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const info = await Deno.stat(path);
    return info.isFile ? info.size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError("read", path, error);
  }
}

/** The largest file that is read into memory as a whole, in bytes: 2 GiB. */
const MAX_BYTES = 2 ** 31;

/**
 * Reads a whole file into memory.
 *
 * @returns its bytes; undefined if the file does not exist
 * @throws {DataError} if it cannot be read, is not a regular file, or is larger than 2 GiB
 */
export async function readWholeFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const { isFile, isDirectory, size } = await Deno.stat(path);
    if (!isFile) throw new DataError(`cannot read ${path}: it is ${isDirectory ? "a folder" : "not a regular file"}`);
    if (size > MAX_BYTES) {
      throw new DataError(`cannot read ${path}: it has ${size} bytes; the limit is ${MAX_BYTES}`);
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError("read", path, error);
  }
}
