/**
 * TFRecord framing, which TensorBoard's event files have: each record is its length (uint64, little-endian), the
 * length's checksum, its bytes, and their checksum. A checksum is a CRC-32C, masked as TensorFlow does.
 *
 * @module
 */
import crc32c from "crc-32/crc32c";

/** What is around a record's bytes: 12 before them, 4 behind. */
const FRAME = 16;

/** The bytes of a record in a file. */
export function encodeRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + FRAME), view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedSum(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedSum(data), true);
  return bytes;
}

/** Rotated and shifted, because a CRC of data that holds CRCs says little. */
function maskedSum(data: Uint8Array): number {
  const sum = crc32c.buf(data);
  return (sum >>> 15 | sum << 17) + 0xa282ead8 >>> 0;
}
