/**
 * The readers of the real TensorBoard, from the Python environment `.tools/python`, which CI makes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { execute } from "../project/support.ts";
import { VENV_PYTHON } from "../support/tools.ts";

/** A step and what was read of it. Numbers are text, as Python writes them. */
type Read<T> = Record<string, [step: number, ...T[]][]>;

/** What TensorBoard reads of a folder. */
export interface TensorBoardData {
  /** Its reader for scripts. */
  readonly scripts: {
    readonly version: number;
    /** The value, and the wall time. */
    readonly scalars: Read<string>;
    /** Width, height, and the PNG in base 64. */
    readonly images: Record<string, [step: number, width: number, height: number, png: string][]>;
    /** [min, max, count, sum, sum of squares], limits, counts. */
    readonly histograms: Read<string[]>;
  };
  /** What its pages show, by plugin. */
  readonly pages: Record<string, Read<unknown>>;
}

/** Reads the event files of a folder. */
export async function tensorBoardReads(folder: string): Promise<TensorBoardData> {
  const script = fileURLToPath(new URL("read_events.py", import.meta.url));
  const { code, stdout, stderr } = await execute(VENV_PYTHON, [script, folder]);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}
