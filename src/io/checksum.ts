/**
 * The checksum of a safetensors file inside its own metadata, as `sha256`: the SHA-256 of the file in which the checksum itself
 * is replaced by zeros. It is the first entry of the header, and covers every other byte of the file.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** What stands for the checksum while it is computed. */
export const NO_SUM = "0".repeat(64);

/** How a header with a checksum begins, after its length of 8 bytes. */
const START = new TextEncoder().encode(`12345678{"__metadata__":{"sha256":"`);

/** Whether a file has a checksum where `setSum()` puts it. */
export function hasSum(bytes: Uint8Array): boolean {
  return bytes.length >= START.length + NO_SUM.length && START.every((byte, i) => i < 8 || byte === bytes[i]);
}

/** Puts the checksum into a file whose first metadata is `sha256` with the value `NO_SUM`. */
export function setSum(bytes: Uint8Array): void {
  bytes.set(new TextEncoder().encode(sumOf(bytes)), START.length);
}

/** Whether the checksum of a file is the one that it should have. */
export function isSumRight(bytes: Uint8Array): boolean {
  const stated = bytes.subarray(START.length, START.length + NO_SUM.length);
  return hasSum(bytes) && new TextDecoder().decode(stated) === sumOf(bytes);
}

/** The checksum of a file, without a copy of it. */
function sumOf(bytes: Uint8Array): string {
  const hash = createHash("sha256").update(bytes.subarray(0, START.length)).update(NO_SUM);
  return hash.update(bytes.subarray(START.length + NO_SUM.length)).digest("hex");
}
