/**
 * Running Python beside the tests: real PyTorch and NumPy read what wgrad writes. See `tools.ts` for machines without them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { execute } from "../project/support.ts";
import { PYTHON } from "./tools.ts";

/** Runs a program in a folder. @returns what it printed. */
export async function python(program: string, cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await execute(PYTHON, ["-c", program, ...args], { cwd });
  assertEquals(code, 0, stderr);
  return stdout;
}
