/**
 * Zip archives in memory: `.pth` and `.npz` files are such archives. Nothing is unpacked to the disk, so malicious paths in an
 * archive are harmless. Each file is checked against its CRC-32, and unpacking uses a limited amount of memory.
 *
 * @module
 */
import { crc32, inflateRawSync } from "node:zlib";
import {
  type FileEntry,
  Reader,
  Uint8ArrayReader,
  Uint8ArrayWriter,
  ZipReader,
  ZipWriter,
} from "npm:@zip.js/zip.js@2.24.0/lib/zip-core-native.js";

/** The most files in an archive, and the most bytes of names and comments. Any network needs less. */
const MAX_ENTRIES = 3000, MAX_NAMES = 1_000_000;

/** How many more bytes may be unpacked than the archive has. */
const SPARE = 16 << 20;

/** The compression method "stored": not compressed. Any other method is treated as deflate, and fails if it is not. */
const STORED = 0;

/** An archive that is being read. */
export class Archive {
  readonly #entries = new Map<string, FileEntry>();
  #left: number;

  private constructor(readonly bytes: Uint8Array) {
    this.#left = bytes.length + SPARE;
  }

  /**
   * Reads the directory of an archive.
   *
   * @param strictness the option of the library. `strict` also detects a directory that is cut off, but rejects the archives of
   * PyTorch, which have extra bytes at the end.
   * @throws {Error} if the archive is damaged, has a name twice, or too many files
   */
  static async open(bytes: Uint8Array, strictness: "strict" | "balanced"): Promise<Archive> {
    const archive = new Archive(bytes), entries = archive.#entries;
    const reader = new ZipReader(new BytesReader(bytes), { strictness, checkLocalFilename: true });
    let count = 0, names = 0;
    for await (const entry of reader.getEntriesGenerator()) {
      const { filename, rawFilename, rawExtraField, rawComment } = entry;
      names += rawFilename.length + rawExtraField.length + rawComment.length;
      if (++count > MAX_ENTRIES || names > MAX_NAMES) {
        throw new Error(`it has more than ${MAX_ENTRIES} files, or its names are too long`);
      }
      if (entries.has(filename)) throw new Error(`it contains ${quote(filename)} twice`);
      if (!entry.directory) entries.set(filename, entry);
    }
    return archive;
  }

  /** The names of the files, in the order of the archive. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The size of a file in bytes, as the directory states it; undefined if there is no such file. */
  size(name: string): number | undefined {
    return this.#entries.get(name)?.uncompressedSize;
  }

  /**
   * Reads a file. Its bytes start at a multiple of 8 in their buffer, which is that of the archive if the file is not
   * compressed.
   *
   * @throws {Error} if the file is missing, is encrypted, overlaps another one, does not have the size or the CRC-32 in the
   * directory, or exceeds the memory limit
   */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`the file ${quote(name)} is missing`);
    try {
      // This only checks the header of the file. We unpack the bytes ourselves, because the library would copy them in pieces.
      await entry.getData(new Uint8ArrayWriter(), { checkOverlappingEntryOnly: true });
      const bytes = this.#unpack(entry);
      if (bytes.length !== entry.uncompressedSize) {
        throw new Error(`it has ${bytes.length} bytes, but the archive states ${entry.uncompressedSize}`);
      }
      if (crc32(bytes) !== entry.crc32) throw new Error("its checksum is wrong, so it is damaged");
      return bytes;
    } catch (error) {
      throw new Error(`${quote(name)}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #unpack({ uncompressedSize, compressedSize, compressionMethod, localDirectory }: FileEntry): Uint8Array<ArrayBuffer> {
    const from = localDirectory!.dataOffset, raw = this.bytes.subarray(from, from + compressedSize);
    let bytes = raw;
    if (compressionMethod !== STORED) {
      this.countMemory(uncompressedSize);
      // A single buffer, slightly larger than the expected size, so that longer data is detected.
      bytes = inflateRawSync(raw, { maxOutputLength: uncompressedSize + 1, chunkSize: uncompressedSize + 64 });
    }
    if (bytes.byteOffset % 8 === 0) return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
    this.countMemory(bytes.length);
    return new Uint8Array(bytes);
  }

  /**
   * Counts bytes against the memory limit: the size of the archive plus 16 MiB.
   *
   * @throws {Error} if the limit is exceeded
   */
  countMemory(bytes: number): void {
    if (bytes > this.#left) throw new Error("unpacking it needs far more bytes than the file has");
    this.#left -= bytes;
  }
}

/** Gives the library the bytes without a copy; its `Uint8ArrayReader` would copy them. */
class BytesReader extends Reader<Uint8Array> {
  constructor(readonly bytes: Uint8Array) {
    super(bytes);
    this.size = bytes.length;
  }

  override readUint8Array(index: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.subarray(index, index + length));
  }
}

/** A name from a file as it may appear in a message: quoted, on one line, and not too long. */
export function quote(name: string): string {
  return JSON.stringify(name.length <= 80 ? name : `${name.slice(0, 80)}…`);
}

/**
 * Makes an archive of uncompressed files, in the given order. The data of each file start at a multiple of 64, as in
 * PyTorch's archives. Equal files give equal bytes.
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
    // Before the data are a header of 30 bytes, the name, and an extra field for padding: like PyTorch's, four bytes and Zs.
    const start = offset + 30 + new TextEncoder().encode(name).length + 4, filling = -start & 63;
    const extraField = new Map([[0x4246, new Uint8Array(filling).fill("Z".charCodeAt(0))]]);
    await writer.add(name, new Uint8ArrayReader(bytes), { extraField });
    offset = start + filling + bytes.length;
  }
  return await writer.close();
}
