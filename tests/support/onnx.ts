/**
 * ONNX's own checker, from the Python environment `.tools/python`, which CI makes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute } from "../project/support.ts";
import { VENV_PYTHON } from "./tools.ts";

/** Checks the files, and that the shapes in them fit together. */
export async function checkOnnx(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, bytes] of files) await Deno.writeFile(join(folder, `${name}.onnx`), bytes);
    const script = fileURLToPath(new URL("check_onnx.py", import.meta.url));
    const { code, stdout, stderr } = await execute(VENV_PYTHON, [script, folder]);
    assertEquals([code, stderr, stdout.trim()], [0, "", `${files.size} files`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
