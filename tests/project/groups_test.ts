import { assert, assertEquals } from "@std/assert";
import { type FileTimes, groupFiles, listTests, needsTools } from "./groups.ts";

Deno.test("groupFiles() puts each file into one group, the longest first, those that need tools apart", () => {
  const times: FileTimes = { a: 40, b: 7, c: 5, d: 1, e: 1, t: 2, u: 20 };
  const groups = groupFiles(["a", "b", "c", "d", "e", "new", "t", "u"], times, (file) => file === "t" || file === "u");
  assertEquals(groups, [
    { files: ["a"], seconds: 40, needsTools: false },
    { files: ["u"], seconds: 20, needsTools: true },
    { files: ["b", "e", "d", "new"], seconds: 12, needsTools: false },
    { files: ["c"], seconds: 5, needsTools: false },
    { files: ["t"], seconds: 2, needsTools: true },
  ]);
});

Deno.test("listTests() finds every file of tests, and needsTools() those that use programs from outside", () => {
  const files = listTests("./tests/");
  assert(files.includes("tests/project/groups_test.ts") && files.includes("tests/random_test.ts"), files.join());
  assert(files.every((file) => file.endsWith("_test.ts")) && new Set(files).size === files.length);
  assertEquals(listTests("tests/random_test.ts"), ["tests/random_test.ts"]);
  const tools = files.filter(needsTools);
  for (const name of ["cli/completions", "image/decode", "io/npz", "onnx/export", "report/live_page", "run/metrics"]) {
    assert(tools.includes(`tests/${name}_test.ts`), name);
  }
  assert(!tools.includes("tests/random_test.ts"));
});
