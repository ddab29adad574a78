/**
 * The safetensors format: an 8-byte little-endian length, a JSON header of that length with the type, shape and byte range of
 * each tensor, then the bytes of the tensors. Everything in a file is checked before it is used.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import {
  areWholeNumbers,
  ARRAY_TYPES,
  bytesOf,
  elementCount,
  shorten,
  type StoredDtype,
  type StoredFile,
  type StoredTensor,
} from "./stored_tensor.ts";

/**
 * The largest header that is read, in bytes. The format allows a hundred times as much, but parsing that could use gigabytes
 * of memory. The entry of a tensor has about 100 bytes.
 */
const MAX_HEADER = 1_000_000;

/**
 * Encodes a file. Tensors with larger elements come first, because readers require that an element starts at a multiple of
 * its size; otherwise they keep their order.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  let offset = 0;
  const sorted = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const entries = sorted.map(([name, { dtype, shape, data }]): [string, unknown] => {
    return [name, { dtype, shape, data_offsets: [offset, offset += data.byteLength] }];
  });
  if (Object.keys(metadata).length > 0) entries.unshift(["__metadata__", metadata]);
  // Spaces pad the header, so that the data start at a multiple of 8.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
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
 * Decodes a file.
 *
 * @param where the file's name, for errors
 * @throws {WeightsError} if the file is cut off, the header is invalid, a byte range does not match its shape, ranges overlap or
 * leave gaps, or a type is not one of `ARRAY_TYPES`
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): StoredFile {
  const fail = (why: string) => new WeightsError(`${where} is not a valid safetensors file: ${shorten(why, 300)}`);
  if (bytes.length < 8) throw fail(`it has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > bytes.length - 8) {
    throw fail(`its header should have ${length} bytes, but the file has ${bytes.length}`);
  }
  if (length > MAX_HEADER) throw fail(`its header has ${length} bytes; the limit is ${MAX_HEADER}`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw fail("its header is not JSON");
  }
  if (!isRecord(header)) throw fail("its header is not a JSON object");
  const { __metadata__: metadata = {}, ...entries } = header;
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw fail("its metadata must be texts");
  }
  const body = bytes.subarray(8 + length), tensors = new Map<string, StoredTensor>();
  const ranges: [from: number, to: number, quoted: string][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: range } = isRecord(entry) ? entry : {}, quoted = JSON.stringify(name);
    // deno-lint-ignore no-control-regex
    if (/[\x00-\x1f\x7f-\x9f]/.test(name)) throw fail(`the name ${quoted} has control characters`);
    if (!areWholeNumbers(shape) || !areWholeNumbers(range) || range.length !== 2) {
      throw fail(`${quoted} has no valid shape or byte range`);
    }
    if (!isDtype(dtype)) throw fail(`${quoted} has type ${JSON.stringify(dtype)}; supported are ${TYPES}`);
    const [from, to] = range as [number, number], size = elementCount(shape) * ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
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
  return { tensors, metadata: metadata as Record<string, string> };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const TYPES = Object.keys(ARRAY_TYPES).join(", ").replace(/, (?=\w+$)/, " and ");

function isDtype(value: unknown): value is StoredDtype {
  return typeof value === "string" && Object.hasOwn(ARRAY_TYPES, value);
}
