/**
 * Zip archives in memory: `.pth` and `.npz` files are such archives. Nothing is unpacked to the disk, so malicious paths in an
 * archive are harmless. Each file is checked against its CRC-32, and unpacking uses a limited amount of memory.
 *
 * We wrote our own code for this, because the libraries search for the directory of an archive instead of reading it at the
 * offset that the archive states, and miss it in some of PyTorch's.
 *
 * @module
 */
import { crc32, inflateRawSync } from "node:zlib";
import { quote } from "../foreign_text.ts";

/** The most files in an archive, and the most bytes of its directory, which has their names. Any network needs less. */
const MAX_ENTRIES = 30_000, MAX_DIRECTORY = 8_000_000;

/** How many more bytes may be unpacked than the archive has. */
const SPARE = 16 << 20;

/** The compression methods that are supported. */
const STORED = 0, DEFLATED = 8;

/** The signatures of the parts of an archive, and the sizes of those parts without names and comments. */
const LOCAL = 0x04034b50, ENTRY = 0x02014b50, END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50;
const LOCAL_BYTES = 30, ENTRY_BYTES = 46, END_BYTES = 22, END64_BYTES = 56, LOCATOR64_BYTES = 20;

/** The flags of a file that are read: encrypted in either of two ways. */
const ENCRYPTED = 1 | 1 << 6;

/** In place of a number that is stored elsewhere, with 64 bits. */
const ELSEWHERE16 = 0xffff, ELSEWHERE = 0xffffffff;

/** A file of an archive, as the directory states it. */
interface Entry {
  readonly name: string;
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  /** Where its local header starts. Its data follow that header. */
  readonly offset: number;
  readonly isFolder: boolean;
}

/** A file whose place in the archive is known. */
interface Found extends Entry {
  readonly dataOffset: number;
}

/** An archive that is being read. */
export class Archive {
  readonly #entries = new Map<string, Found>();
  readonly #view: DataView;
  #left: number;

  private constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#left = bytes.length + SPARE;
  }

  /**
   * Reads the directory of an archive.
   *
   * @throws {Error} if the archive is damaged or encrypted, has a name twice, a folder with data or too many files, or if two
   * files overlap
   */
  static open(bytes: Uint8Array): Archive {
    const archive = new Archive(bytes), { start, end, count } = archive.#directory();
    if (count > MAX_ENTRIES || end - start > MAX_DIRECTORY) {
      throw new Error(`it has more than ${MAX_ENTRIES} files, or its names are too long`);
    }
    const found: Found[] = [], names = new Set<string>();
    let at = start;
    for (let i = 0; i < count; i++) {
      const { entry, next } = archive.#entry(at, end);
      if (names.has(entry.name)) throw new Error(`it contains ${quote(entry.name)} twice`);
      names.add(entry.name);
      found.push({ ...entry, dataOffset: archive.#dataOffset(entry, start) });
      at = next;
    }
    if (at !== end) throw new Error(`its directory has ${end - at} bytes after its last entry`);
    checkOverlap(found);
    for (const entry of found) if (!entry.isFolder) archive.#entries.set(entry.name, entry);
    return archive;
  }

  /** Finds the directory by the record at the end of the archive, and a second such record where 64-bit numbers are needed. */
  #directory(): { start: number; end: number; count: number } {
    const view = this.#view, length = this.bytes.length;
    if (length < END_BYTES) throw new Error("its format is not recognized: it is shorter than any archive");
    let at = length - END_BYTES;
    const isEnd = () => view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === length;
    while (at >= 0 && at >= length - END_BYTES - 0xffff && !isEnd()) at--;
    if (at < 0 || !isEnd()) throw new Error("End of central directory not found");
    let end = at, count = view.getUint16(at + 10, true), inDisk = view.getUint16(at + 8, true);
    let size = view.getUint32(at + 12, true), start = view.getUint32(at + 16, true);
    const locator = at - LOCATOR64_BYTES;
    if (locator >= 0 && view.getUint32(locator, true) === LOCATOR64) {
      end = this.#u64(locator + 8);
      if (end > locator - END64_BYTES || view.getUint32(end, true) !== END64) {
        throw new Error("its directory is not at the offset that it states");
      }
      const wide = { inDisk: this.#u64(end + 24), count: this.#u64(end + 32) };
      const place = { size: this.#u64(end + 40), start: this.#u64(end + 48) };
      const differ = (narrow: number, all: number, value: number) => narrow !== all && narrow !== value;
      if (
        differ(inDisk, ELSEWHERE16, wide.inDisk) || differ(count, ELSEWHERE16, wide.count) ||
        differ(size, ELSEWHERE, place.size) || differ(start, ELSEWHERE, place.start)
      ) throw new Error("its two ends differ");
      ({ inDisk, count } = wide), { size, start } = place;
    }
    if (inDisk !== count) throw new Error("it is one part of several");
    if (start + size !== end || count * ENTRY_BYTES > size) {
      throw new Error("its directory is not at the offset that it states");
    }
    return { start, end, count };
  }

  /** A number of 64 bits. One that is not exact in JavaScript is far larger than any file. */
  #u64(at: number): number {
    return Number(this.#view.getBigUint64(at, true));
  }

  /** Reads an entry of the directory. @returns it, and the offset of the next one. */
  #entry(at: number, end: number): { entry: Entry; next: number } {
    const view = this.#view, cut = () => new Error("its directory is cut off");
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY) throw cut();
    const nameEnd = at + ENTRY_BYTES + view.getUint16(at + 28, true),
      extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > end) throw cut();
    const rawName = this.bytes.subarray(at + ENTRY_BYTES, nameEnd), name = new TextDecoder().decode(rawName);
    let [packedSize, size, offset] = [20, 24, 42].map((field) => view.getUint32(at + field, true)) as [
      number,
      number,
      number,
    ];
    // Numbers of 64 bits follow in this order, but only those that the entry does not have.
    const wide = this.#wide(nameEnd, extraEnd);
    if (size === ELSEWHERE) size = wide();
    if (packedSize === ELSEWHERE) packedSize = wide();
    if (offset === ELSEWHERE) offset = wide();
    const attributes = view.getUint32(at + 38, true), isUnix = view.getUint8(at + 5) === 3;
    const markedAsFolder = (attributes & 0x10) !== 0 || (isUnix && attributes >>> 28 === 4),
      isFolder = name.endsWith("/");
    if ((markedAsFolder && !isFolder) || (isFolder && size > 0)) {
      throw new Error(`${quote(name)} is marked as a folder, but is a file`);
    }
    if (isUnsafe(name)) throw new Error(`${quote(name)}: Unsafe filename`);
    const flags = view.getUint16(at + 8, true),
      method = view.getUint16(at + 10, true),
      crc = view.getUint32(at + 16, true);
    if ((flags & ENCRYPTED) !== 0) throw new Error(`${quote(name)}: the archive contains encrypted entry`);
    return { entry: { name, rawName, flags, method, crc, packedSize, size, offset, isFolder }, next };
  }

  /** Reads one number after the other from the extra field for 64-bit numbers. */
  #wide(from: number, end: number): () => number {
    let at = from, fieldEnd = from;
    while (at + 4 <= end) {
      const id = this.#view.getUint16(at, true), length = this.#view.getUint16(at + 2, true);
      at += 4;
      fieldEnd = Math.min(end, at + length);
      if (id === 1) break;
      at = fieldEnd;
    }
    return () => {
      if (at + 8 > fieldEnd) throw new Error("its directory lacks a size of 64 bits");
      return this.#u64((at += 8) - 8);
    };
  }

  /** Where the data of a file start: after its local header, which must agree with the directory. */
  #dataOffset({ name, rawName, flags, method, packedSize, offset }: Entry, directory: number): number {
    const view = this.#view, fail = (why: string) => new Error(`${quote(name)}: ${why}`);
    if (offset + LOCAL_BYTES > directory || view.getUint32(offset, true) !== LOCAL) throw fail("it has no header");
    const nameEnd = offset + LOCAL_BYTES + view.getUint16(offset + 26, true);
    const local = this.bytes.subarray(offset + LOCAL_BYTES, nameEnd);
    const same = local.length === rawName.length && local.every((byte, i) => byte === rawName[i]) &&
      view.getUint16(offset + 6, true) === flags && view.getUint16(offset + 8, true) === method;
    if (!same) throw fail("its header differs from the directory");
    const start = nameEnd + view.getUint16(offset + 28, true);
    if (!(start + packedSize <= directory)) throw fail("it is larger than the archive");
    return start;
  }

  /** The names of the files, in the order of the archive. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The size of a file in bytes, as the directory states it; undefined if there is no such file. */
  size(name: string): number | undefined {
    return this.#entries.get(name)?.size;
  }

  /**
   * Reads a file. Its bytes start at a multiple of 8 in their buffer, which is that of the archive if the file is not
   * compressed.
   *
   * @throws {Error} if the file is missing, does not have the size or the CRC-32 in the directory, or exceeds the memory limit
   */
  read(name: string): Uint8Array<ArrayBuffer> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`the file ${quote(name)} is missing`);
    try {
      const bytes = this.#unpack(entry);
      if (bytes.length !== entry.size) {
        throw new Error(`it has ${bytes.length} bytes, but the archive states ${entry.size}`);
      }
      if (crc32(bytes) !== entry.crc) throw new Error("its checksum is wrong, so it is damaged");
      return bytes;
    } catch (error) {
      throw new Error(`${quote(name)}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #unpack({ size, packedSize, method, dataOffset }: Found): Uint8Array<ArrayBuffer> {
    const raw = this.bytes.subarray(dataOffset, dataOffset + packedSize);
    let bytes = raw;
    if (method === DEFLATED) {
      this.countMemory(size);
      // A single buffer, slightly larger than the expected size, so that longer data is detected.
      bytes = inflateRawSync(raw, { maxOutputLength: size + 1, chunkSize: size + 64 });
    } else if (method !== STORED) throw new Error(`the compression method ${method} is not supported`);
    if (bytes.byteOffset % 8 === 0) return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
    this.countMemory(bytes.length);
    return new Uint8Array(bytes);
  }

  /**
   * Counts bytes against the memory limit: the size of the archive plus 16 MiB.
   *
   * @throws {Error} if the limit is exceeded, or if `bytes` is not a number
   */
  countMemory(bytes: number): void {
    if (!(bytes <= this.#left)) throw new Error("unpacking it needs far more bytes than the file has");
    this.#left -= bytes;
  }
}

/** Checks that no two files share bytes, because then a small archive could hold very many large files. */
function checkOverlap(entries: readonly Found[]): void {
  let end = 0;
  for (const { name, offset, dataOffset, packedSize } of [...entries].sort((a, b) => a.offset - b.offset)) {
    if (offset < end) throw new Error(`${quote(name)}: it overlaps another file`);
    end = dataOffset + packedSize;
  }
}

/** Whether unpacking a file of this name could write outside of the folder. We do not unpack, but others do. */
export function isUnsafe(name: string): boolean {
  return /^\/|^[a-z]:|\\|(^|\/)\.\.(\/|$)/i.test(name);
}

/** What every header of a file has after its signature: made by version 2.0, names in UTF-8, not compressed, 1 January 1980. */
const VERSION = 20, UTF8 = 1 << 11, DATE = 0x21;

/**
 * Makes an archive of uncompressed files, in the given order. The data of each file start at a multiple of 64, as in
 * PyTorch's archives. Equal files give equal bytes.
 *
 * @throws {Error} if `Archive.open()` would refuse the archive: for the number of files or their names, or because it has 4 GiB
 */
export function writeZip(files: Iterable<readonly [name: string, bytes: Uint8Array]>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  let offset = 0;
  const placed = Array.from(files, ([text, data]) => {
    const name = encoder.encode(text), start = offset, header = start + LOCAL_BYTES + name.length;
    if (name.length > ELSEWHERE16) throw new Error(`the name ${quote(text)} is too long`);
    // Before the data is an extra field for padding, like PyTorch's: an id, a length, and the letter Z.
    const padding = -(header + 4) & 63;
    offset = header + 4 + padding + data.length;
    return { name, data, start, padding };
  });
  const directory = placed.reduce((sum, { name }) => sum + ENTRY_BYTES + name.length, 0);
  if (placed.length > MAX_ENTRIES || directory > MAX_DIRECTORY) {
    throw new Error(`it would have more than ${MAX_ENTRIES} files, or its names are too long`);
  }
  if (offset + directory + END_BYTES >= ELSEWHERE) throw new Error("it would have more than 4 GiB");
  const bytes = new Uint8Array(offset + directory + END_BYTES), view = new DataView(bytes.buffer);
  let at = offset;
  for (const { name, data, start, padding } of placed) {
    const sum = crc32(data);
    /** Writes the fields that both headers have, from the version needed to the length of the name. */
    const common = (from: number) => {
      [VERSION, UTF8, STORED, 0, DATE].forEach((value, i) => view.setUint16(from + 2 * i, value, true));
      [sum, data.length, data.length].forEach((value, i) => view.setUint32(from + 10 + 4 * i, value, true));
      view.setUint16(from + 22, name.length, true);
    };
    view.setUint32(start, LOCAL, true);
    common(start + 4);
    const extra = start + LOCAL_BYTES + name.length;
    view.setUint16(start + 28, 4 + padding, true);
    bytes.set(name, start + LOCAL_BYTES);
    view.setUint16(extra, 0x4246, true);
    view.setUint16(extra + 2, padding, true);
    bytes.fill("Z".charCodeAt(0), extra + 4, extra + 4 + padding);
    bytes.set(data, extra + 4 + padding);

    view.setUint32(at, ENTRY, true);
    view.setUint16(at + 4, VERSION, true);
    common(at + 6);
    view.setUint32(at + 42, start, true);
    bytes.set(name, at + ENTRY_BYTES);
    at += ENTRY_BYTES + name.length;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, placed.length, true);
  view.setUint16(at + 10, placed.length, true);
  view.setUint32(at + 12, directory, true);
  view.setUint32(at + 16, offset, true);
  return bytes;
}
