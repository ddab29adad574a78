/**
 * What a fuzzer needs to know of a reader.
 *
 * @module
 */
import type { Draw } from "../property/draw.ts";
import type { Damaged } from "./mutate.ts";

/** A reader, and files to damage for it. */
export interface Target {
  readonly name: string;
  /** The number of sound files. */
  readonly seeds: number;
  /** A sound file, damaged. Without `draw`: as it is. */
  damaged(seed: number, draw: Draw | undefined): Damaged | Promise<Damaged>;
  /** Reads a file. @returns what was read, so that it can be compared: equal files give equal values. */
  read(bytes: Uint8Array<ArrayBuffer>): unknown;
  /** Whether an error is one that this reader may throw. Default: any `WgradError`. */
  allows?(error: unknown): boolean;
  /** How many bytes of memory a file may take beyond twice its size and 64 MiB. Default 0. */
  readonly more?: number;
}
