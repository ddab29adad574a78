import { assert, assertEquals } from "@std/assert";
import { deno, filesOf, read } from "./support.ts";

for (const args of [["fmt", "--check"], ["lint"], ["check", "--quiet", "--frozen"]]) {
  Deno.test(`deno ${args.join(" ")} passes`, async () => {
    const { code, stdout, stderr } = await deno(...args);
    assertEquals(code, 0, stdout + stderr);
  });
}

const sources = filesOf("main.ts", "src", "tests", "bench", "shaders").filter((path) => /\.(ts|wgsl|py)$/.test(path));

Deno.test("no source file is longer than 400 lines", () => {
  assert(sources.length > 0);
  const long = sources.map((path) => [path, read(path).trimEnd().split("\n").length] as const);
  assertEquals(long.filter(([, lines]) => lines > 400), []);
});

Deno.test("every source file opens with a comment that says what it is for", () => {
  const opens = (path: string) =>
    path.endsWith(".wgsl") ? /^\/[/*]/ : path.endsWith(".ts") ? /^\/\*\*/ : /^(#!.*\n)?("""|#)/;
  assertEquals(sources.filter((path) => !path.endsWith("_test.ts") && !opens(path).test(read(path))), []);
});

Deno.test("deno.lock holds integrity hashes and names no host", () => {
  const lock = read("deno.lock");
  assert(lock.includes('"integrity"'));
  assert(!/https?:|resolved|tarball/.test(lock));
});
