/**
 * Files as PyTorch saves them, with any part replaced: for the tests of the reader.
 *
 * @module
 */
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "npm:@zip.js/zip.js@2.24.0/lib/zip-core-native.js";
import { bool, call, global, int, persistent, pickle, text, tuple, withItems } from "../../src/io/pickle_writer.ts";
import type { StoredDtype } from "../../src/io/stored_tensor.ts";

/** PyTorch's names of the types of elements. */
export const TORCH_DTYPES: Readonly<Record<string, StoredDtype>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

/** An empty dict. */
export const DICT = call(global("collections", "OrderedDict"));

/** The parts of a tensor's pickle; each can be replaced. By default it is [2, 3] of float32 in the storage `0` of six. */
export interface Parts {
  readonly kind: number[];
  readonly type: number[];
  readonly key: number[];
  readonly length: number[];
  readonly offset: number[];
  readonly shape: number[];
  readonly strides: number[];
}

/** The pickle of a tensor. */
export function tensorOf(parts: Partial<Parts> = {}): number[] {
  const { kind, type, key, length, offset, shape, strides } = {
    kind: text("storage"),
    type: global("torch", "FloatStorage"),
    key: text("0"),
    length: int(6),
    offset: int(0),
    shape: ints(2, 3),
    strides: ints(3, 1),
    ...parts,
  };
  const storage = persistent(tuple(kind, type, key, text("cpu"), length));
  return call(global("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, strides, bool(false), DICT);
}

/** A tuple of numbers. */
export function ints(...numbers: number[]): number[] {
  return tuple(...numbers.map(int));
}

/** A dict of values by their names. */
export function dictOf(values: Readonly<Record<string, number[]>>): number[] {
  return withItems(DICT, Object.entries(values).map(([name, value]) => [text(name), value]));
}

/** A `float32` storage of six. */
export const SIX = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

/** The files in an archive of a value's pickle; others are added or, where undefined, left out. */
export function filesOf(
  value: number[] = dictOf({ w: tensorOf() }),
  others: Readonly<Record<string, Uint8Array | undefined>> = {},
): [string, Uint8Array][] {
  const files = { "a/data.pkl": pickle(value), "a/data/0": SIX, "a/version": new Uint8Array([0x33, 10]), ...others };
  return Object.entries(files).filter((file): file is [string, Uint8Array<ArrayBuffer>] => file[1] !== undefined);
}

/** An archive that is packed, or encrypted. */
export async function packed(files: readonly (readonly [string, Uint8Array])[], password = ""): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false, level: 1, password });
  for (const [name, bytes] of files) await writer.add(name, new Uint8ArrayReader(bytes));
  return await writer.close();
}

/** The bytes of an archive with some replaced that stand `offset` behind the n-th place where a signature is. */
export function patched(
  archive: Uint8Array,
  signature: "PK\x01\x02" | "PK\x03\x04",
  n: number,
  offset: number,
  ...bytes: number[]
): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(archive), wanted = [...signature].map((letter) => letter.charCodeAt(0));
  const places = [...copy.keys()].filter((at) => wanted.every((byte, i) => copy[at + i] === byte));
  copy.set(bytes, places[n]! + offset);
  return copy;
}
