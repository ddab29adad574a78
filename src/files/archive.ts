/**
 * Reads a `.tar.gz` archive as a stream: file → gunzip → tar → the bytes of its files. Nothing is unpacked to the disk, so
 * malicious paths in an archive are harmless; a file is identified by its name without folders. If the gzip or the tar is
 * damaged or cut off, the `DataError` gives the file and the byte offset.
 *
 * @module
 */
import { basename } from "node:path";
import { createTarDecoder } from "modern-tar";
import { DataError } from "../errors.ts";
import { fileChunks, fileSize } from "./read.ts";

/** One regular file inside an archive. */
export interface ArchiveEntry {
  /** The name without folders. */
  readonly name: string;
  /** The size in bytes, from the header in the archive. */
  readonly bytes: number;
  /** The bytes as a stream. Read it, or skip it, before requesting the next entry. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Yields the regular files of a gzipped tar archive, in their order in the archive. Unread bytes of a body are skipped.
 *
 * @param path the archive
 * @throws {DataError} if the file cannot be read, or is not a complete gzipped tar archive
 */
export async function* readArchive(path: string): AsyncGenerator<ArchiveEntry, void, void> {
  const stop = new AbortController(), position = { unpacked: 0 };
  const decoder = createTarDecoder({ strict: true });
  const piping = ReadableStream.from(inflated(path, position)).pipeTo(decoder.writable, { signal: stop.signal });
  piping.catch(() => {}); // The decoder reports the same errors.
  const entries = decoder.readable.getReader();
  const readOrFail = async <T>(reader: ReadableStreamDefaultReader<T>) => {
    try {
      return await reader.read();
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(`${path}: byte ${position.unpacked} of the unpacked tar: ${message(error)} ${REMEDY}`);
    }
  };
  try {
    while (true) {
      const entry = await readOrFail(entries);
      if (entry.done) return;
      const { header, body } = entry.value, reader = body.getReader();
      const chunks = async function* () {
        for (let step = await readOrFail(reader); !step.done; step = await readOrFail(reader)) yield step.value;
      };
      if (header.type === "file") yield { name: basename(header.name), bytes: header.size, body: chunks() };
      // Read the rest of the body instead of cancelling it. If this entry is short, modern-tar 0.8.6 has already started
      // the next one, and would cancel that one.
      while (!(await readOrFail(reader)).done);
    }
  } finally {
    stop.abort();
    await piping.catch(() => {});
  }
}

/** How many bytes the gzip decoder gets at a time. It unpacks them all at once, to up to a thousand times the size. */
const PACKED_CHUNK = 1 << 14;

const REMEDY = "The archive is damaged or cut off: download it again";

/** The unpacked bytes of a gzip file. `position` counts them, so that errors of the reader can give the offset. */
async function* inflated(path: string, position: { unpacked: number }): AsyncGenerator<Uint8Array> {
  let packed = 0;
  async function* counted(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for await (const chunk of fileChunks(path, PACKED_CHUNK)) {
      packed += chunk.length;
      yield chunk;
    }
  }
  try {
    for await (const chunk of ReadableStream.from(counted()).pipeThrough(new DecompressionStream("gzip"))) {
      position.unpacked += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    // The decoder does not tell the offset inside its last chunk.
    const where = packed === await fileSize(path)
      ? `byte ${packed}`
      : `byte ${packed} or up to ${PACKED_CHUNK} before it`;
    throw new DataError(`${path}: ${where}: gzip: ${message(error)}. ${REMEDY}`);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Lists the regular files of an archive with their sizes in bytes. It reads the archive to its end, so it detects one that
 * is cut off.
 *
 * @throws {DataError} as `readArchive()` does, or if two entries have the same name
 */
export async function listArchive(path: string, wanted: (name: string) => boolean): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const entry of readArchive(path)) {
    if (!wanted(entry.name)) continue;
    if (sizes.has(entry.name)) throw new DataError(`${path}: contains ${entry.name} twice; each name must occur once`);
    sizes.set(entry.name, entry.bytes);
  }
  return sizes;
}

/**
 * Yields the named entries of an archive in the order of `names`. An archive can only be read forwards, so it is read again
 * each time the next name comes earlier in the archive.
 *
 * @throws {DataError} as `readArchive()` does, or if a name is missing
 */
export async function* entriesInOrder(
  path: string,
  names: readonly string[],
): AsyncGenerator<ArchiveEntry, void, void> {
  let next = 0;
  while (next < names.length) {
    const before = next;
    for await (const entry of readArchive(path)) {
      if (entry.name !== names[next]) continue;
      yield entry;
      if (++next === names.length) return;
    }
    if (next === before) throw new DataError(`${path}: ${names[next]} is missing in the archive`);
  }
}
