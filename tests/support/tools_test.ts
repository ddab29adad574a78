/**
 * Tests that need a program from outside run where it is installed, are skipped where it is not, and fail in CI.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { withFolder } from "../data/fixtures.ts";
import { parseSummary } from "../project/summary.ts";
import { execute } from "../project/support.ts";

/** Runs one test that needs `fish`, where the path is a folder that has such a program or has none. */
async function run(folder: string, has: boolean, env: Record<string, string>) {
  const file = join(folder, "one_test.ts"), fish = join(folder, "fish");
  const tools = new URL("./tools.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { testWith } from "${tools}";
await testWith("fish", "a fish", (program) => {
  if (program !== "fish") throw new Error(program);
});`,
  );
  if (has) await Deno.writeTextFile(fish, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  else await Deno.remove(fish).catch(() => {});
  const { code, stdout, stderr } = await execute(
    Deno.execPath(),
    ["test", "--quiet", "--no-check", "--allow-all", file],
    { env: { PATH: folder, CI: "", WGRAD_TOOLS_READY: "", ...env } },
  );
  return { code, output: stdout + stderr, ...parseSummary(stdout) };
}

Deno.test({
  name: "testWith() runs a test whose program is there, skips it where it is not, and fails it in CI",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      for (const ci of ["", "true"]) {
        const there = await run(folder, true, { CI: ci });
        assertEquals([there.code, there.passed, there.skipped, there.failed], [0, 1, 0, 0], there.output);
      }
      const skipped = await run(folder, false, {});
      assertEquals([skipped.code, skipped.passed, skipped.skipped, skipped.failed], [0, 0, 1, 0], skipped.output);
      assertStringIncludes(skipped.output, "a fish (needs fish)");

      // What the installation wrote is part of the failure.
      const log = join(folder, "log");
      await Deno.writeTextFile(log, "fish could not be installed: no space left\n");
      const failed = await run(folder, false, { CI: "true", WGRAD_TOOLS_READY: log });
      assertEquals([failed.passed, failed.skipped, failed.failed], [0, 0, 1], failed.output);
      assert(failed.code !== 0);
      assertStringIncludes(failed.output, "fish is missing or does not start. In CI this is a failure");
      assertStringIncludes(failed.output, "fish could not be installed: no space left");
    }),
});
