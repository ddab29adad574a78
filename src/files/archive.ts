/**
 * The official `.tar.gz`, read as a stream: file → gunzip → tar → the bytes of the entries that are asked for. Nothing is
 * unpacked to the disk, so the names in the archive can do no harm; entries are matched by their last name alone. A
 * damaged or short gzip or tar is one `DataError` with the file and the byte offset.
 *
 * @module
 */
import { basename } from "node:path";
import { createTarDecoder } from "modern-tar";
import { DataError } from "../errors.ts";
import { fileChunks, fileSize } from "./read.ts";

/** One regular file inside an archive. */
export interface ArchiveEntry {
  /** Its name without folders. */
  readonly name: string;
  /** Its size in bytes, as the archive's header states it. */
  readonly bytes: number;
  /** Its bytes, as a stream; to be read, or left, before the next entry is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Yields the regular files of a gzipped tar archive, in the archive's order. What is not read of a body is skipped.
 *
 * @param path the archive
 * @throws DataError if the file cannot be read, or is no whole gzipped tar archive
 */
export async function* readArchive(path: string): AsyncGenerator<ArchiveEntry, void, void> {
  const stop = new AbortController(), position = { unpacked: 0 };
  const decoder = createTarDecoder({ strict: true });
  const piping = ReadableStream.from(inflated(path, position)).pipeTo(decoder.writable, { signal: stop.signal });
  piping.catch(() => {}); // its errors come out of the decoder, too
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
      // The rest of the body is read, not cancelled: modern-tar 0.8.6 has by now begun the next entry if this one is
      // short, and would take a cancellation for that one's.
      while (!(await readOrFail(reader)).done);
    }
  } finally {
    stop.abort();
    await piping.catch(() => {});
  }
}

/** Bytes given to the gzip decoder at once. Small, because it unpacks them all at once, to up to a thousand times as many. */
const PACKED_CHUNK = 1 << 14;

const REMEDY = "The archive is damaged or cut off: get it again";

/** The unpacked bytes of a gzip file. `position` counts them, for the errors of whoever reads them. */
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
    // Where in its last chunk the decoder stumbled, it does not say.
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
 * Lists the regular files of an archive, having read it to its end, so that a truncated one is found here.
 *
 * @throws DataError as `readArchive` does, or if two entries bear the same name
 */
export async function listArchive(path: string, wanted: (name: string) => boolean): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const entry of readArchive(path)) {
    if (!wanted(entry.name)) continue;
    if (sizes.has(entry.name)) throw new DataError(`${path}: holds ${entry.name} twice; one of each name is expected`);
    sizes.set(entry.name, entry.bytes);
  }
  return sizes;
}

/**
 * Yields the named entries of an archive in the order of `names`, whatever their order inside. An archive can only be
 * read forwards, so this reads it again for each name that lies before the one that precedes it in `names`.
 *
 * @throws DataError as `readArchive` does, or if a name is missing
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
    if (next === before) throw new DataError(`${path}: holds no ${names[next]}`);
  }
}
