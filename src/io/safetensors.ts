/**
 * The safetensors format: an 8-byte little-endian length, a JSON header of that length with the type, shape and byte range of
 * each tensor, then the bytes of the tensors. Everything in a file is checked before it is used.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { printable, quote } from "../foreign_text.ts";
import { hasSum, isSumRight, NO_SUM, setSum } from "./checksum.ts";
import { type Header, parseHeader } from "./safetensors_header.ts";
import { ARRAY_TYPES, bytesOf, checkName, elementCount, type StoredDtype, type StoredFile } from "./stored_tensor.ts";
import type { StoredTensor } from "./stored_tensor.ts";

/**
 * The largest header that is read, in bytes, and the most tensors. The format allows far more, but that could use gigabytes of
 * memory. The entry of a tensor has about 100 bytes.
 */
const MAX_HEADER = 5_000_000, MAX_TENSORS = 30_000;

/**
 * Encodes a file. Tensors with larger elements come first, because readers require that an element starts at a multiple of
 * its size; otherwise they keep their order.
 *
 * @throws {WeightsError} if `decodeSafetensors()` would refuse the file: for a name, or for the number of tensors
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  let offset = 0;
  const sorted = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const entries = sorted.map(([name, { dtype, shape, data }]) => {
    checkWritableName(name);
    const entry = { dtype, shape, "data_offsets": [offset, offset += data.byteLength] };
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`;
  });
  if (Object.keys(metadata).length > 0) entries.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${entries.join()}}`);
  if (json.length > MAX_HEADER || tensors.size > MAX_TENSORS) {
    throw new WeightsError(
      `${tensors.size} tensors with a header of ${json.length} bytes cannot be written as safetensors: ` +
        `the limits are ${MAX_TENSORS} tensors and ${MAX_HEADER} bytes`,
    );
  }
  // Spaces pad the header, so that the data start at a multiple of 8.
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.fill(0x20, 8, start);
  bytes.set(json, 8);
  offset = start;
  for (const [, stored] of sorted) {
    bytes.set(bytesOf(stored), offset);
    offset += stored.data.byteLength;
  }
  return bytes;
}

/**
 * Encodes a file with a checksum as its first metadata, `sha256`, which `decodeSafetensors()` verifies.
 *
 * @throws {WeightsError} as `encodeSafetensors()` does
 */
export function encodeWithSum(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const bytes = encodeSafetensors(tensors, { sha256: NO_SUM, ...metadata });
  setSum(bytes);
  return bytes;
}

/** Refuses a name that could not be read back. */
function checkWritableName(name: string): void {
  if (name === "__metadata__") {
    throw new WeightsError(`a tensor cannot be written: the name ${quote(name)} is reserved`);
  }
  try {
    checkName(name);
  } catch (error) {
    throw new WeightsError(`a tensor cannot be written: ${(error as Error).message}`);
  }
}

/**
 * Decodes a file.
 *
 * @param where the file's name, for errors
 * @throws {WeightsError} if the file is cut off, the header is invalid, a byte range does not match its shape, ranges overlap or
 * leave gaps, a type is not one of `ARRAY_TYPES`, or the checksum of a file of wgrad is wrong
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): StoredFile {
  const fail = (why: string) => new WeightsError(`${where} is not a valid safetensors file: ${printable(why)}`);
  if (bytes.length < 8) throw fail(`it has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > bytes.length - 8) {
    throw fail(`its header should have ${length} bytes, but the file has ${bytes.length}`);
  }
  if (length > MAX_HEADER) throw fail(`its header has ${length} bytes; the limit is ${MAX_HEADER}`);
  let header: Header;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + length));
    header = parseHeader(text, MAX_TENSORS);
    for (const name of header.entries.keys()) checkName(name);
  } catch (error) {
    throw fail(error instanceof TypeError ? "its header is not JSON" : (error as Error).message);
  }
  const body = bytes.subarray(8 + length), tensors = new Map<string, StoredTensor>();
  const ranges: [from: number, to: number, quoted: string][] = [];
  for (const [name, { dtype, shape, range }] of header.entries) {
    const quoted = quote(name);
    if (!shape || !range) throw fail(`${quoted} has no valid shape or byte range`);
    if (!isDtype(dtype)) {
      throw fail(`${quoted} has type ${printable(`${JSON.stringify(dtype)}`, 80)}; supported are ${TYPES}`);
    }
    const [from, to] = range, size = elementCount(shape) * ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
    if (to > body.length) throw fail(`${quoted} ends at byte ${to} of ${body.length}: the file is cut off`);
    if (to - from !== size) throw fail(`${quoted} has ${to - from} bytes for shape [${shape.join(", ")}]`);
    // A copy, because a range may start at any byte.
    tensors.set(name, { dtype, shape, data: new ARRAY_TYPES[dtype](body.slice(from, to).buffer) });
    ranges.push([from, to, quoted]);
  }
  let end = 0;
  for (const [from, to, quoted] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (from !== end) throw fail(`${quoted} starts at byte ${from}, not ${end}, where the one before it ends`);
    end = to;
  }
  if (end !== body.length) throw fail(`${body.length - end} bytes belong to no tensor`);
  if (!hasSum(bytes)) return { tensors, metadata: header.metadata };
  if (!isSumRight(bytes)) {
    throw new WeightsError(`${where} was altered: its SHA-256 is not the one that it was written with`);
  }
  // Without the checksum, which is of this file alone: the metadata may be written to another one.
  const { sha256: _, ...metadata } = header.metadata;
  return { tensors, metadata };
}

const TYPES = Object.keys(ARRAY_TYPES).join(", ").replace(/, (?=\w+$)/, " and ");

function isDtype(value: unknown): value is StoredDtype {
  return typeof value === "string" && Object.hasOwn(ARRAY_TYPES, value);
}
