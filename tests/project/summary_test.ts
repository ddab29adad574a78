import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { parseSummary } from "./summary.ts";
import { execute, ROOT } from "./support.ts";

Deno.test("parseSummary() reads every form of the summary line", () => {
  assertEquals(parseSummary("x\n\nok | 3 passed | 0 failed (9ms)\n\n"), { passed: 3, failed: 0, skipped: 0 });
  assertEquals(
    parseSummary("\x1b[0mFAILED | 12 passed (2 steps) | 1 failed (3 steps) | 4 ignored | 5 filtered out (1m2s)"),
    { passed: 12, failed: 1, skipped: 4 },
  );
  assertEquals(parseSummary("ok | 1 passed | 0 failed\nFAILED | 2 passed | 1 failed"), {
    passed: 2,
    failed: 1,
    skipped: 0,
  });
  assertEquals(parseSummary("no summary"), { passed: 0, failed: 0, skipped: 0 });
});

/** Runs tests/run.ts over one file with this text. @returns its exit code and its last line. */
async function runTests(text: string, ...args: string[]): Promise<{ code: number; last: string | undefined }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "a_test.ts"), text);
    const { code, stdout } = await execute(
      Deno.execPath(),
      ["run", "--quiet", "--allow-all", join(ROOT, "tests/run.ts"), folder, ...args],
    );
    return { code, last: stdout.trimEnd().split("\n").at(-1) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("tests/run.ts counts, and fails on a failure, a crash and on no test at all", async () => {
  const good = `Deno.test("a", () => {});\n`;
  assertEquals(await runTests(good), { code: 0, last: "1 passed, 0 failed" });
  assertEquals(
    await runTests(`${good}Deno.test.ignore("b", () => {});`),
    { code: 0, last: "1 passed, 0 failed, 1 skipped" },
  );
  const bad = await runTests(`${good}Deno.test("b", () => { throw new Error(); });`);
  assertEquals(bad, { code: 1, last: "1 passed, 1 failed" });
  assertEquals(await runTests(`${good}throw new Error();`), { code: 1, last: "0 passed, 1 failed" });
  assertEquals(await runTests(`${good}Deno.test("b", () => Deno.kill(Deno.pid, "SIGKILL"));`), {
    code: 1,
    last: "0 passed, 1 failed",
  });
  const none = await runTests(good, "--filter", "nothing has this name");
  assertEquals(none, { code: 1, last: "0 passed, 1 failed" });
  assert((await runTests(good, "--filter", "a")).code === 0);
});
