/**
 * The README's programs type-check and run as they are printed.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { execute, read, ROOT } from "./support.ts";

const programs = [...read("README.md").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text!);

/** What each program prints at its end, as far as it does not depend on the device. */
const expected = ["[ 6, 3, 5, 5 ]", "AddmmBackward0"];

Deno.test("the README has the programs that are tested here", () => assertEquals(programs.length, expected.length));

programs.forEach((program, i) => {
  Deno.test(`program ${i + 1} of the README runs`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/program.ts`;
      await Deno.writeTextFile(file, program.replace("./src/mod.ts", pathToFileURL(join(ROOT, "src/mod.ts")).href));
      const config = join(ROOT, "deno.json");
      const { code, stdout, stderr } = await execute(Deno.execPath(), [
        "run",
        "--check",
        "--config",
        config,
        "--frozen",
        "--allow-env",
        "--allow-read",
        "--allow-write",
        file,
      ], { cwd: folder });
      assertEquals(code, 0, stderr);
      assertStringIncludes(stdout, expected[i]!);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});
