/**
 * Zip archives, in memory: what `.pth` and `.npz` are made of. Nothing is unpacked to the disk, so names in an archive
 * can do no harm; each part is checked against its CRC-32, and takes no more memory than was allowed for it.
 *
 * @module
 */
import { type FileEntry, Reader, Uint8ArrayReader, Uint8ArrayWriter, ZipReader, ZipWriter } from "@zip.js/zip.js";

/** How many files an archive may have, and bytes of names and comments: more than any network's, and little memory. */
const MAX_ENTRIES = 10_000, MAX_NAMES = 4_000_000;

/** Everything happens in this thread. The options are both the reader's and the writer's. */
const IN_PLACE = { useWebWorkers: false };

/** How many bytes may be unpacked above those of the archive. */
const SPARE = 16 << 20;

/** The files in an archive, in its order. */
export class Archive {
  readonly #entries = new Map<string, FileEntry>();
  #left = 0;

  private constructor() {}

  /**
   * Reads the directory of an archive.
   *
   * @throws {Error} where it is damaged, or has a name twice, or too many.
   */
  static async open(bytes: Uint8Array): Promise<Archive> {
    const archive = new Archive(), entries = archive.#entries;
    archive.#left = bytes.length + SPARE;
    // PyTorch's archives end with more than is needed, so that the library's `strict` refuses them.
    const options = { ...IN_PLACE, strictness: "balanced", checkCrc32: true, checkOverlappingEntry: true } as const;
    let count = 0, names = 0;
    for await (const entry of new ZipReader(new Bytes(bytes), options).getEntriesGenerator()) {
      const { filename, rawFilename, rawExtraField, rawComment } = entry;
      names += rawFilename.length + rawExtraField.length + rawComment.length;
      if (++count > MAX_ENTRIES || names > MAX_NAMES) throw new Error(`it has more than ${MAX_ENTRIES} files`);
      if (entries.has(filename)) throw new Error(`it has ${quote(filename)} twice`);
      if (!entry.directory) entries.set(filename, entry);
    }
    return archive;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The size of a file as the directory states it, if there is such a file. */
  size(name: string): number | undefined {
    return this.#entries.get(name)?.uncompressedSize;
  }

  /**
   * The bytes of a file.
   *
   * @throws {Error} where it is not there, has not the size or the CRC-32 that the directory states, overlaps another, is
   * encrypted, or is one more than what may be unpacked.
   */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`it has no file ${quote(name)}`);
    this.spend(entry.uncompressedSize, name);
    try {
      return await entry.getData(new Uint8ArrayWriter());
    } catch (error) {
      throw new Error(`${quote(name)}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /**
   * Counts bytes towards what may be unpacked of the archive: as many as it has, and 16 MiB.
   *
   * @throws {Error} naming what they are of, where they are too many.
   */
  spend(bytes: number, name: string): void {
    if (bytes > this.#left) throw new Error(`${quote(name)} would take far more bytes than the file has`);
    this.#left -= bytes;
  }
}

/** The library's own reader of bytes copies what it reads. */
class Bytes extends Reader<Uint8Array> {
  constructor(readonly bytes: Uint8Array) {
    super(bytes);
    this.size = bytes.length;
  }

  override readUint8Array(index: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.subarray(index, index + length));
  }
}

/** What the names of a file may look like in a message: of one line, and not long. */
export function quote(name: string): string {
  return JSON.stringify(name.length <= 80 ? name : `${name.slice(0, 80)}…`);
}

/** Whether bytes begin as an archive does. */
export function isZip(bytes: Uint8Array): boolean {
  return [0x50, 0x4b, 3, 4].every((byte, i) => bytes[i] === byte);
}

/**
 * An archive of files, not packed, in this order. Each begins at a multiple of 64, as those of PyTorch do. Equal files
 * give equal bytes.
 */
export async function writeZip(files: Iterable<readonly [name: string, bytes: Uint8Array]>): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), {
    ...IN_PLACE,
    level: 0,
    dataDescriptor: false,
    extendedTimestamp: false,
    lastModDate: new Date(1980, 0, 1),
  });
  let offset = 0;
  for (const [name, bytes] of files) {
    // A header of 30 bytes, the name, and an extra field that fills up: PyTorch's, of four bytes and Zs.
    const start = offset + 30 + new TextEncoder().encode(name).length + 4, filling = -start & 63;
    const extraField = new Map([[0x4246, new Uint8Array(filling).fill("Z".charCodeAt(0))]]);
    await writer.add(name, new Uint8ArrayReader(bytes), { extraField });
    offset = start + filling + bytes.length;
  }
  return await writer.close();
}
