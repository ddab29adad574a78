/**
 * The TFRecord format, which TensorBoard's event files have. Each record consists of its length (uint64, little-endian),
 * the checksum of the length, its bytes, and their checksum. A checksum is a CRC-32C, masked as in TensorFlow.
 *
 * @module
 */
import crc32c from "crc-32/crc32c";

/** The bytes around the data of a record: 12 before, 4 after. */
const FRAME = 16;

/** Encodes a record. */
export function encodeRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + FRAME), view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedSum(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedSum(data), true);
  return bytes;
}

/** The CRC-32C, rotated and shifted as in TensorFlow, because the plain CRC of data that contains CRCs is weak. */
function maskedSum(data: Uint8Array): number {
  const sum = crc32c.buf(data);
  return (sum >>> 15 | sum << 17) + 0xa282ead8 >>> 0;
}
