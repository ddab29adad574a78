/**
 * ONNX's own checker, from the Python environment `.tools/python`, which CI makes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute } from "../project/support.ts";

const PYTHON = fileURLToPath(new URL("../../.tools/python/bin/python", import.meta.url));

/** Whether the checker is installed. */
export const hasOnnx: boolean = await execute(PYTHON, ["-c", "import onnx"]).then(
  ({ code }) => code === 0,
  () => false,
);

/** Checks the files, and that the shapes in them fit together. */
export async function checkOnnx(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, bytes] of files) await Deno.writeFile(join(folder, `${name}.onnx`), bytes);
    const script = fileURLToPath(new URL("check_onnx.py", import.meta.url));
    const { code, stdout, stderr } = await execute(PYTHON, [script, folder]);
    assertEquals([code, stderr, stdout.trim()], [0, "", `${files.size} files`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
