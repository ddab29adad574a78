/**
 * What `tests/golden/golden_images.py` made: image files with the pixels that PIL reads from them, and resized images.
 *
 * @module
 */
import { join } from "node:path";

const GOLDEN = join(import.meta.dirname!, "..", "golden");

/** An image file, and its pixels upright and on white. */
export interface GoldenFile {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  /** [height * width * 3] */
  readonly pixels: Uint8Array;
}

/** Sides of the hashed source and of the square, and what torchvision makes of it. */
export interface GoldenResize {
  readonly resize: readonly [width: number, height: number, size: number];
  readonly crop: Uint8Array;
  readonly stretch: Uint8Array;
}

/** The files are in `folder`. */
export function readGolden(): { folder: string; files: GoldenFile[]; resized: GoldenResize[] } {
  const rows = Deno.readTextFileSync(join(GOLDEN, "images.jsonl")).trimEnd().split("\n").map((line) =>
    JSON.parse(
      line,
      (_, value) => typeof value === "string" && !value.includes(".") ? Uint8Array.fromBase64(value) : value,
    )
  );
  return {
    folder: join(GOLDEN, "images"),
    files: rows.filter((row) => "file" in row),
    resized: rows.filter((row) => "resize" in row),
  };
}
