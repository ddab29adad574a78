/**
 * Tensors as files hold them: what every format of `src/io` reads into and writes from.
 *
 * @module
 */

/** The types of elements by safetensors' names, each with the array that holds them. BF16 are raw bits; BOOL are 0 and 1. */
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
  /** Of the class that `ARRAY_TYPES` has for the type. Tensors that a file stores once may share a buffer. */
  readonly data: Elements;
}

/** A file's tensors by name, in its order, and its free texts by key (empty where the format has none). */
export interface StoredFile {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The bytes of a tensor's elements, little-endian. No copy. */
export function bytesOf({ data }: StoredTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * `count` elements that begin at a byte of a buffer: a view of it, or a copy where they do not begin at a multiple of
 * their size.
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

/** How many elements a shape has. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Whether a value is a list of whole numbers from 0 to 2^53 - 1, such as a shape. */
export function areWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0);
}

/** The elements as float32. Those of F16 and BF16 are exact; those of F64 are rounded. Undefined for other types. */
export function toFloat32({ dtype, data }: StoredTensor): Float32Array | undefined {
  if (dtype === "F32") return data as Float32Array;
  if (dtype === "BF16") return new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer);
  return dtype === "F64" || dtype === "F16" ? Float32Array.from(data as Float64Array | Float16Array) : undefined;
}

/**
 * Checks a tensor's name, which may be printed to a terminal.
 *
 * @throws {Error} where it has control characters.
 */
export function checkName(name: string): void {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f-\x9f]/.test(name)) throw new Error(`the name ${JSON.stringify(name)} has control characters`);
}

/** A text of at most `length` characters, for what a hostile file could make longer than anybody reads. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)} …`;
}
