/**
 * Weight gradients of linear layers whose sums over the rows are split into chunks, and batches of products that are split
 * among dispatches.
 */
import { assert, assertEquals } from "@std/assert";
import { currentBackend } from "../../../src/backend/request.ts";
import { variantsOf } from "../../../src/graph/device.ts";
import { F, tensor } from "../../../src/mod.ts";
import { gradcheck } from "../../support/gradcheck.ts";
import { uniform } from "../../support/random.ts";
import { linear, linearGrads, matmul, matmulGrads } from "../../support/reference.ts";

/** x [rows, inputs], where the rows of a chunk fill half a uniform window or two of them; with vectors and without. */
for (const [rows, inputs, outputs] of [[128, 36, 12], [256, 400, 8], [192, 5, 3], [96, 8, 6]] as const) {
  Deno.test(`a weight's gradient in chunks: ${rows} rows of ${inputs}, ${outputs} outputs`, async () => {
    await tensor([1]).add(1).data();
    const variants = variantsOf(currentBackend()!), names = new Set<string>();
    const check = () =>
      gradcheck({
        inputs: [uniform(1, [rows, inputs]), uniform(2, [outputs, inputs]), uniform(3, [outputs])],
        op: (x, w, b) => F.linear(x, w, b),
        reference: (x, w, b) => linear(x, w, b),
        gradients: linearGrads,
        smooth: false,
      });
    try {
      variants.listener = ({ names: offered }) => offered.forEach((name) => names.add(name));
      await check();
      variants.listener = null;
      const split = [...names].filter((name) => / of \d+$/.test(name));
      const counts = new Set(split.map((name) => Number(name.split(" of ")[1])));
      assertEquals([...counts].sort((a, b) => a - b), [2, 4, 8].filter((one) => rows / one >= 32 && rows % one === 0));
      for (const family of ["registers", "shared"]) {
        for (const count of counts) {
          const name = split.find((name) => name.startsWith(`${family} `) && name.endsWith(` of ${count}`));
          assert(name, `${family} of ${count}`);
          variants.family = name!;
          await check();
        }
      }
    } finally {
      variants.listener = variants.family = null;
    }
  });
}

Deno.test("a batch of products too large for uniform buffers is split among dispatches", () =>
  gradcheck({
    inputs: [uniform(3, [16, 32, 64]), uniform(4, [16, 64, 40])],
    op: (a, b) => a.matmul(b),
    reference: matmul,
    gradients: matmulGrads,
    smooth: false,
  }));
