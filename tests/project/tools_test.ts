import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
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

Deno.test("main.lock is the part of deno.lock that the program needs, since Deno downloads all that a lock names", async () => {
  const { code, stderr } = await deno("cache", "--quiet", "--frozen", "--lock=main.lock", "main.ts");
  assertEquals(code, 0, `${stderr}\nRenew it: rm main.lock && deno cache --lock=main.lock main.ts`);
  const [own, all] = ["main.lock", "deno.lock"].map((path) => JSON.parse(read(path)).npm);
  for (const [name, entry] of Object.entries(own)) assertEquals(entry, all[name], name);
  assertEquals(Object.keys(own).filter((name) => /onnxruntime|playwright/.test(name)), []);
  for (const name of ["wgrad", "pack"] as const) {
    assert(config.tasks[name].command.includes(" --lock=main.lock "), name);
  }
});
