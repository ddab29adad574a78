import { assert, assertEquals } from "@std/assert";
import { circles } from "./circles.ts";
import { graphOf } from "./graph.ts";
import type { Import } from "./layers.ts";

Deno.test("no files import each other in a circle", async () => {
  const graphs = await Promise.all([graphOf("main.ts"), graphOf("src/mod.ts")]);
  const imports = graphs.flatMap(({ imports }) => imports);
  assert(imports.length > 500, `${imports.length} imports`);
  assertEquals(circles(imports), []);
});

Deno.test("circles() finds every circle of files, and nothing else", () => {
  const of = (...edges: string[]): Import[] => edges.map((edge) => ({ from: edge[0]!, to: edge[1]! }));
  assertEquals(circles(of()), []);
  assertEquals(circles(of("ab", "bc", "ac", "dc")), []);
  assertEquals(circles(of("ab", "ba")), [["a", "b"]]);
  assertEquals(circles(of("ab", "bc", "ca", "cd", "de", "ed")), [["a", "b", "c"], ["d", "e"]]);
  // Two circles that share a file are one, and a path between two does not join them.
  assertEquals(circles(of("zx", "xy", "yx", "yw", "wy")), [["w", "x", "y"]]);
  assertEquals(circles(of("ab", "ba", "bc", "cd", "dc", "ad")), [["a", "b"], ["c", "d"]]);
});
