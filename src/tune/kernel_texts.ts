/**
 * A hash of all kernels: tuned choices are only valid for the kernels that were measured.
 *
 * @module
 */
import { SHADERS } from "../../shaders/mod.ts";
import { sha256 } from "../files/read.ts";

/** The SHA-256 of all kernels. */
export function kernelsHash(): Promise<string> {
  const encoder = new TextEncoder();
  return sha256(Object.entries(SHADERS).map((entry) => encoder.encode(JSON.stringify(entry))));
}
