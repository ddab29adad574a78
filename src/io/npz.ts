/**
 * NumPy's `.npz` format, as written by `numpy.savez`: a zip archive with one `.npy` file per array. A `.npy` file consists of
 * a magic number, a header in the syntax of a Python dict, and the elements.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import {
  areWholeNumbers,
  ARRAY_TYPES,
  bytesOf,
  checkName,
  elementCount,
  elementsAt,
  shorten,
  type StoredDtype,
  type StoredFile,
  type StoredTensor,
} from "./stored_tensor.ts";
import { Archive, quote, writeZip } from "./zip.ts";

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
 * @throws {WeightsError} if the archive is damaged, contains anything but arrays of little-endian numbers in row-major order, or
 * would unpack to far more bytes than the file has
 */
export async function decodeNpz(bytes: Uint8Array, where: string): Promise<StoredFile> {
  try {
    const archive = await Archive.open(bytes, "strict"), tensors = new Map<string, StoredTensor>();
    for (const file of archive.names) {
      if (!file.endsWith(".npy")) throw new Error(`${quote(file)} is not a .npy file`);
      const name = file.slice(0, -".npy".length);
      checkName(name);
      tensors.set(name, decodeNpy(await archive.read(file), quote(file)));
    }
    if (tensors.size === 0) throw new Error("it contains no arrays");
    return { tensors, metadata: {} };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeightsError(`${where} is not a valid .npz file: ${shorten(why, 300)}`);
  }
}

function decodeNpy(bytes: Uint8Array<ArrayBuffer>, quoted: string): StoredTensor {
  const latin1 = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, Math.min(to, from + 1000)));
  const view = new DataView(bytes.buffer, bytes.byteOffset), major = bytes[6] ?? 0;
  if (bytes.length < 12 || latin1(0, 6) !== MAGIC || major < 1 || major > 3) {
    throw new Error(`${quoted} is not a .npy file of version 1 to 3`);
  }
  const [from, length] = major === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = latin1(from, from + length);
  const [, type, fortran, extents = ""] = HEADER.exec(header) ?? [];
  const dtype = (Object.keys(TYPES) as StoredDtype[]).find((dtype) => TYPES[dtype] === type);
  const shape = extents.split(",").map((part) => part.trim()).filter((part) => part !== "").map(Number);
  if (!dtype || !areWholeNumbers(shape)) {
    throw new Error(`${quoted} is not an array of plain numbers: ${quote(header.trim())}`);
  }
  // "Fortran order" is column-major. With a single axis both orders are the same.
  if (fortran === "True" && shape.length > 1) throw new Error(`${quoted} is in Fortran order: save it in C order`);
  const count = elementCount(shape), start = from + length;
  if (bytes.length - start !== count * ARRAY_TYPES[dtype].BYTES_PER_ELEMENT) {
    throw new Error(`${quoted} has ${bytes.length - start} bytes for shape [${shape.join(", ")}] of ${dtype}`);
  }
  return { dtype, shape, data: elementsAt(dtype, bytes.subarray(start), count) };
}

const HEADER =
  /^\{'descr': '([<|][a-z]\d)', 'fortran_order': (True|False), 'shape': \(((?:\d{1,16}, ?)*(?:\d{1,16})?)\), *\}\s*$/;

/**
 * Encodes a file for `numpy.load`. Equal tensors give equal bytes.
 *
 * @throws {WeightsError} if a tensor is BF16, which NumPy does not support
 */
export async function encodeNpz(tensors: ReadonlyMap<string, StoredTensor>): Promise<Uint8Array> {
  const files = Array.from(tensors, ([name, stored]): [string, Uint8Array] => {
    const type = TYPES[stored.dtype];
    if (!type) throw new WeightsError(`${JSON.stringify(name)} is ${stored.dtype}, which NumPy does not support`);
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
  return await writeZip(files);
}
