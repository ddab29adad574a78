/**
 * Zip archives, in memory: what `.pth` and `.npz` are made of. Nothing is unpacked to the disk, so names in an archive
 * can do no harm; each part is checked against its CRC-32, and takes no more memory than was allowed for it.
 *
 * @module
 */
import { crc32, inflateRawSync } from "node:zlib";
import { type FileEntry, Reader, Uint8ArrayReader, Uint8ArrayWriter, ZipReader, ZipWriter } from "@zip.js/zip.js";

/** How many files an archive may have, and bytes of names and comments: more than any network's, and little memory. */
const MAX_ENTRIES = 3000, MAX_NAMES = 1_000_000;

/** How many bytes may be unpacked above those of the archive. */
const SPARE = 16 << 20;

/** The number of the way of packing that packs nothing. All others are taken for deflate, and fail if they are not. */
const STORED = 0;

/** The files in an archive, in its order. */
export class Archive {
  readonly #entries = new Map<string, FileEntry>();
  #left: number;

  private constructor(readonly bytes: Uint8Array) {
    this.#left = bytes.length + SPARE;
  }

  /**
   * Reads the directory of an archive.
   *
   * @param strictness the library's: `strict` finds a directory that is cut short too, but refuses PyTorch's archives, which
   * end with more than is needed.
   * @throws {Error} where it is damaged, or has a name twice, or too many.
   */
  static async open(bytes: Uint8Array, strictness: "strict" | "balanced"): Promise<Archive> {
    const archive = new Archive(bytes), entries = archive.#entries;
    const reader = new ZipReader(new Bytes(bytes), { strictness, checkLocalFilename: true });
    let count = 0, names = 0;
    for await (const entry of reader.getEntriesGenerator()) {
      const { filename, rawFilename, rawExtraField, rawComment } = entry;
      names += rawFilename.length + rawExtraField.length + rawComment.length;
      if (++count > MAX_ENTRIES || names > MAX_NAMES) {
        throw new Error(`it has more than ${MAX_ENTRIES} files, or names too long`);
      }
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
   * The bytes of a file, which begin at a multiple of 8 in their buffer. Where it is not packed, that is the archive's.
   *
   * @throws {Error} where it is not there, has not the size or the CRC-32 that the directory states, overlaps another, is
   * encrypted, or is one more than what may be unpacked.
   */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`it has no file ${quote(name)}`);
    try {
      // This checks the header in front of the bytes, but leaves those to us: the library copies them piece by piece.
      await entry.getData(new Uint8ArrayWriter(), { checkOverlappingEntryOnly: true });
      const bytes = this.#unpack(entry);
      if (bytes.length !== entry.uncompressedSize) throw new Error(`it has ${bytes.length} bytes`);
      if (crc32(bytes) !== entry.crc32) throw new Error("its checksum is wrong: it is damaged");
      return bytes;
    } catch (error) {
      throw new Error(`${quote(name)}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #unpack({ uncompressedSize, compressedSize, compressionMethod, localDirectory }: FileEntry): Uint8Array<ArrayBuffer> {
    const from = localDirectory!.dataOffset, raw = this.bytes.subarray(from, from + compressedSize);
    let bytes = raw;
    if (compressionMethod !== STORED) {
      this.spend(uncompressedSize);
      // One piece of memory, which has room for more than there should be.
      bytes = inflateRawSync(raw, { maxOutputLength: uncompressedSize + 1, chunkSize: uncompressedSize + 64 });
    }
    if (bytes.byteOffset % 8 === 0) return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
    this.spend(bytes.length);
    return new Uint8Array(bytes);
  }

  /**
   * Counts bytes towards what may be unpacked of the archive: as many as it has, and 16 MiB.
   *
   * @throws {Error} where they are too many.
   */
  spend(bytes: number): void {
    if (bytes > this.#left) throw new Error("it would take far more bytes than the file has");
    this.#left -= bytes;
  }
}

/** Reads bytes without a copy, which the library's own reader makes. */
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

/**
 * An archive of files, not packed, in this order. Each begins at a multiple of 64, as those of PyTorch do. Equal files
 * give equal bytes.
 */
export async function writeZip(files: Iterable<readonly [name: string, bytes: Uint8Array]>): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), {
    useWebWorkers: false,
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
