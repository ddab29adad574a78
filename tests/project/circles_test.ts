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
      "src/measure/self_test.ts",
      "src/measure/self_test_cases.ts",
      "src/measure/self_test_updates.ts",
    ],
    reason: "still to be untied: the cases use the comparison of the module that lists them",
  },
  {
    files: [
      "src/ops/elementwise/elementwise.ts",
      "src/ops/reduce/reduce.ts",
      "src/ops/shape/shape.ts",
    ],
    reason: "the gradient of each family of ops is made of ops of the others: a broadcast is undone by a sum",
  },
  {
    files: ["src/ops/matmul/matmul.ts", "src/ops/matmul/shared.ts"],
    reason: "still to be untied: one product with two families of kernels",
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
