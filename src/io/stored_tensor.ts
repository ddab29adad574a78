/**
 * Tensors as they are stored in files. Every format in `src/io` is decoded into these types, and encoded from them.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { quote } from "../foreign_text.ts";

/** The element types, by their names in safetensors, each with its typed array. BF16 is stored as raw bits, BOOL as 0 and 1. */
export const ARRAY_TYPES = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Float16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type StoredDtype = keyof typeof ARRAY_TYPES;

type Elements =
  | Float64Array
  | Float32Array
  | Float16Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/** A tensor in row-major order. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** A typed array of the class in `ARRAY_TYPES`. Tensors that share memory in a file may share a buffer. */
  readonly data: Elements;
}

/** The tensors of a file by name, in their order, and its metadata: texts by key, empty if the format has no metadata. */
export interface StoredFile {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The bytes of a tensor's elements, little-endian, without a copy. */
export function bytesOf({ data }: StoredTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Interprets bytes as `count` elements. The result is a view, or a copy if the bytes do not start at a multiple of the
 * element size.
 */
export function elementsAt(
  dtype: StoredDtype,
  { buffer, byteOffset }: Uint8Array<ArrayBuffer>,
  count: number,
): Elements {
  const Type = ARRAY_TYPES[dtype], size = Type.BYTES_PER_ELEMENT;
  if (byteOffset % size === 0) return new Type(buffer, byteOffset, count);
  return new Type(buffer.slice(byteOffset, byteOffset + count * size));
}

/**
 * The number of elements of a shape. It is infinite if the extents multiply to 2^53 or more, whatever their order, even if
 * one of them is 0: PyTorch has no such shapes, and the number would not be exact.
 */
export function elementCount(shape: readonly number[]): number {
  const product = shape.reduce((product, extent) => product * Math.max(extent, 1), 1);
  return product > Number.MAX_SAFE_INTEGER ? Infinity : shape.includes(0) ? 0 : product;
}

/** Whether a value is an array of whole numbers from 0 to 2^53 - 1, such as a shape. */
export function areWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The elements as float32. F16 and BF16 are converted exactly, F64 is rounded. Undefined for other types. */
export function toFloat32({ dtype, data }: StoredTensor): Float32Array | undefined {
  if (dtype === "F32") return data as Float32Array;
  if (dtype === "BF16") return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
  return dtype === "F64" || dtype === "F16" ? Float32Array.from(data as Float64Array | Float16Array) : undefined;
}

/**
 * Checks the name of a tensor, when a file is read and when one is written.
 *
 * @throws {Error} if it contains control characters, or half surrogate pairs, which UTF-8 cannot represent
 */
export function checkName(name: string): void {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f-\x9f]/.test(name)) throw new Error(`the name ${quote(name)} has control characters`);
  if (!name.isWellFormed()) throw new Error(`the name ${quote(name)} is not valid Unicode`);
}

/**
 * Checks that tensors can be written to a file that can be read back.
 *
 * @throws {WeightsError} if there are none, or `checkName()` refuses a name
 */
export function checkWritable(tensors: ReadonlyMap<string, StoredTensor>): void {
  if (tensors.size === 0) throw new WeightsError("there are no tensors to write");
  try {
    for (const name of tensors.keys()) checkName(name);
  } catch (error) {
    throw new WeightsError(`a tensor cannot be written: ${(error as Error).message}`);
  }
}

/** Where the elements of a tensor are in an array: `offset` and `strides` count elements. */
export interface Layout {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Unsigned integers by their size in bytes. */
const UNSIGNED: Readonly<Record<number, StoredDtype>> = { 1: "U8", 2: "U16", 4: "U32", 8: "U64" };

/**
 * Copies the elements of a tensor, each of `size` bytes, into row-major order. They are copied as integers, because a
 * JavaScript number may change a NaN.
 */
export function gather(
  source: Uint8Array<ArrayBuffer>,
  size: number,
  { offset, shape, strides }: Layout,
): Uint8Array<ArrayBuffer> {
  const dtype = UNSIGNED[size]!, whole = elementsAt(dtype, source, Math.floor(source.length / size));
  const result = new ARRAY_TYPES[dtype](elementCount(shape)), index = shape.map(() => 0);
  let from = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = whole[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return new Uint8Array(result.buffer);
}
