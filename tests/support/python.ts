/**
 * Running Python beside the tests: real PyTorch and NumPy read what wgrad writes. Where a machine has them not, the tests
 * that need them are skipped, and say so in their names.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { execute } from "../project/support.ts";

/** Debian's packages are of its own Python, which need not be the first in the path. */
const PYTHON = "/usr/bin/python3";

/** Whether Python can import a module. */
export async function hasPython(module: "torch" | "numpy"): Promise<boolean> {
  return await execute(PYTHON, ["-c", `import ${module}`]).then(({ code }) => code === 0, () => false);
}

/** Runs a program in a folder. @returns what it printed. */
export async function python(program: string, cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await execute(PYTHON, ["-c", program, ...args], { cwd });
  assertEquals(code, 0, stderr);
  return stdout;
}
