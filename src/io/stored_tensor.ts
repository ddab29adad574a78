/**
 * Tensors as they are stored in files. Every format in `src/io` is decoded into these types, and encoded from them.
 *
 * @module
 */

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

/** The number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
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
 * Checks the name of a tensor, because it may be printed in a terminal.
 *
 * @throws {Error} if it contains control characters
 */
export function checkName(name: string): void {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f-\x9f]/.test(name)) throw new Error(`the name ${JSON.stringify(name)} has control characters`);
}

/** Shortens a text from a file to at most `length` characters, because a malicious file can make it very long. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)} …`;
}
