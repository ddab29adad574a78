import { assert, assertEquals } from "@std/assert";
import { circles } from "./circles.ts";
import { graphOf } from "./graph.ts";
import type { Import } from "./layers.ts";

/** Circles that may stay, each with its reason. Whoever removes one from the code removes it here. */
const ALLOWED: readonly { files: readonly string[]; reason: string }[] = [
  {
    files: ["src/graph/node.ts", "src/graph/variants.ts"],
    reason: "still to be untied: what an op must know of a device has the variants chosen for it, which have nodes",
  },
  {
    files: [
      "src/tensor/grad.ts",
      "src/tensor/operations.ts",
      "src/tensor/realize.ts",
      "src/tensor/tensor.ts",
      "src/tensor/value_of.ts",
      "src/tensor/watch.ts",
    ],
    reason: "a tensor has methods, and these take and give tensors",
  },
];

Deno.test("files import each other in circles only where they are one thing", async () => {
  const graphs = await Promise.all([graphOf("main.ts"), graphOf("src/mod.ts")]);
  const imports = graphs.flatMap(({ imports }) => imports);
  assert(imports.length > 500, `${imports.length} imports`);
  assertEquals(circles(imports), ALLOWED.map(({ files }) => [...files]));
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
