/**
 * NumPy's `.npz` format, as written by `numpy.savez`: a zip archive with one `.npy` file per array. A `.npy` file consists of
 * a magic number, a header in the syntax of a Python dict, and the elements.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { printable, quote } from "../foreign_text.ts";
import {
  areWholeNumbers,
  ARRAY_TYPES,
  bytesOf,
  checkName,
  checkWritable,
  elementCount,
  elementsAt,
  gather,
  type StoredDtype,
  type StoredFile,
  type StoredTensor,
} from "./stored_tensor.ts";
import { Archive, isUnsafe, writeZip } from "./zip.ts";

/** The names of the element types in NumPy, which has no BF16. */
const TYPES: Readonly<Partial<Record<StoredDtype, string>>> = {
  F64: "<f8",
  F32: "<f4",
  F16: "<f2",
  I64: "<i8",
  I32: "<i4",
  I16: "<i2",
  I8: "|i1",
  U64: "<u8",
  U32: "<u4",
  U16: "<u2",
  U8: "|u1",
  BOOL: "|b1",
};

const MAGIC = "\x93NUMPY";

/**
 * Decodes a `.npz` file.
 *
 * @param where the file's name, for errors
 * @throws {WeightsError} if the archive is damaged, contains anything but arrays of numbers, or would unpack to far more bytes
 * than the file has
 */
export function decodeNpz(bytes: Uint8Array, where: string): StoredFile {
  try {
    const archive = Archive.open(bytes), tensors = new Map<string, StoredTensor>();
    for (const file of archive.names) {
      if (!file.endsWith(".npy")) throw new Error(`${quote(file)} is not a .npy file`);
      const name = file.slice(0, -".npy".length);
      checkName(name);
      tensors.set(name, decodeNpy(archive, file));
    }
    if (tensors.size === 0) throw new Error("it contains no arrays");
    return { tensors, metadata: {} };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeightsError(`${where} is not a valid .npz file: ${printable(why)}`);
  }
}

function decodeNpy(archive: Archive, file: string): StoredTensor {
  const bytes = archive.read(file), quoted = quote(file);
  const latin1 = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, Math.min(to, from + 1000)));
  const view = new DataView(bytes.buffer, bytes.byteOffset), major = bytes[6] ?? 0;
  if (bytes.length < 12 || latin1(0, 6) !== MAGIC || major < 1 || major > 3) {
    throw new Error(`${quoted} is not a .npy file of version 1 to 3`);
  }
  const [from, length] = major === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = latin1(from, from + length);
  const [, endian = "", type, fortran, extents = ""] = HEADER.exec(header) ?? [];
  const dtype = (Object.keys(TYPES) as StoredDtype[]).find((dtype) => TYPES[dtype]!.slice(1) === type);
  const shape = extents.split(",").map((part) => part.trim()).filter((part) => part !== "").map(Number);
  if (!dtype || !areWholeNumbers(shape) || (endian === "|") !== (ARRAY_TYPES[dtype].BYTES_PER_ELEMENT === 1)) {
    throw new Error(`${quoted} is not an array of plain numbers: ${quote(header.trim())}`);
  }
  const count = elementCount(shape), start = from + length, size = ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
  if (bytes.length - start !== count * size) {
    throw new Error(`${quoted} has ${bytes.length - start} bytes for shape [${shape.join(", ")}] of ${dtype}`);
  }
  let data = bytes.subarray(start);
  // "Fortran order" is column-major. With a single axis both orders are the same.
  const transposed = fortran === "True" && shape.length > 1, swapped = endian === ">" && size > 1;
  if (transposed || swapped) archive.countMemory(data.length);
  if (transposed) data = gather(data, size, { offset: 0, shape, strides: fortranStrides(shape) });
  else if (swapped) data = data.slice();
  if (swapped) swapBytes(data, size);
  return { dtype, shape, data: elementsAt(dtype, data, count) };
}

/** The strides of an array in column-major order: the first axis is the one whose elements are neighbours. */
function fortranStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(0, axis)));
}

/** Reverses the bytes of each element in place. */
function swapBytes(data: Uint8Array, size: number): void {
  for (let at = 0; at < data.length; at += size) data.subarray(at, at + size).reverse();
}

const HEADER =
  /^\{'descr': '([<>|])([a-z]\d)', 'fortran_order': (True|False), 'shape': \(((?:\d{1,16}, ?)*(?:\d{1,16})?)\), *\}\s*$/;

/**
 * Encodes a file for `numpy.load`. Equal tensors give equal bytes.
 *
 * @throws {WeightsError} if a tensor is BF16, which NumPy does not support, or `decodeNpz()` would refuse the file
 */
export function encodeNpz(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array {
  checkWritable(tensors);
  const files = Array.from(tensors, ([name, stored]): [string, Uint8Array] => {
    if (isUnsafe(name)) {
      throw new WeightsError(`${quote(name)} cannot be the name of an array in a .npz file: it is a path`);
    }
    const type = TYPES[stored.dtype];
    if (!type) throw new WeightsError(`${quote(name)} is ${stored.dtype}, which NumPy does not support`);
    // A Python tuple with one item needs a comma.
    const shape = `(${stored.shape.join(", ")}${stored.shape.length === 1 ? "," : ""})`;
    const header = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
    // Spaces and a line break pad the header, so that the elements start at a multiple of 64.
    const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
    const head = `${MAGIC}\x01\x00${String.fromCharCode(length & 255, length >> 8)}${header.padEnd(length - 1)}\n`;
    const bytes = new Uint8Array(head.length + stored.data.byteLength);
    bytes.set(Uint8Array.from(head, (letter) => letter.charCodeAt(0)));
    bytes.set(bytesOf(stored), head.length);
    return [`${name}.npy`, bytes];
  });
  try {
    return writeZip(files);
  } catch (error) {
    throw new WeightsError(`these tensors cannot be written as .npz: ${printable((error as Error).message)}`);
  }
}
