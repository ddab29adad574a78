/**
 * sum, mean, max, min and argmax over every set of axes, and over few and many elements.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../../src/errors.ts";
import { zeros } from "../../../src/mod.ts";
import { transpose } from "../../support/array.ts";
import { engineOps } from "../../support/engine_ops.ts";
import { checkForward, checkOp, gradcheck } from "../../support/gradcheck.ts";
import { positive, uniform, whole } from "../../support/random.ts";
import { sum } from "../../support/reference.ts";

const subsets = Array.from({ length: 15 }, (_, i) => [0, 1, 2, 3].filter((d) => (i + 1) >> d & 1));

for (const dim of subsets) {
  Deno.test(`sum() and its gradient over [${dim}] of [2, 3, 4, 5]`, () =>
    checkOp("sum", [uniform(1, [2, 3, 4, 5])], { dim, keepdim: dim.length % 2 === 0 }));
}

for (const dim of [[0], [1, 3], [-1], [-2, 0]]) {
  Deno.test(`mean() and its gradient over [${dim}] of [2, 3, 4, 5]`, async () => {
    await checkOp("mean", [uniform(2, [2, 3, 4, 5])], { dim });
    await checkOp("mean", [uniform(2, [2, 3, 4, 5])], { dim, keepdim: true });
  });
}

for (const [op, dims] of [["max", [0, 1, -1]], ["min", [0, -2, 2]]] as const) {
  for (const dim of dims) {
    Deno.test(`${op}() and its gradient over ${dim}`, async () => {
      await checkOp(op, [uniform(3, [3, 4, 5])], { dim });
      await checkOp(op, [whole(4, [3, 4, 5])], { dim, keepdim: true }, { smooth: false });
    });
  }
  Deno.test(`${op}() of everything spreads its gradient over ties`, async () => {
    await checkOp(op, [uniform(5, [3, 5])]);
    await checkOp(op, [whole(6, [7, 31])], {}, { smooth: false });
  });
}

Deno.test("argmax() gives u32 indices of the first maximum", async () => {
  for (const dim of [0, 1, -1, undefined]) {
    await checkForward("argmax", [whole(7, [4, 5, 6])], { dim });
    await checkForward("argmax", [uniform(8, [4, 5, 6])], dim === undefined ? {} : { dim, keepdim: true });
  }
  await checkForward("argmax", [whole(9, [3, 4097])], { dim: 1 });
  const x = zeros([2, 3]).argmax(1);
  assertEquals(x.dtype, "u32");
  assertEquals(x.requiresGrad, false);
  const scalar = zeros([]).argmax();
  assertEquals([scalar.shape, await scalar.item()], [[], 0]);
});

const large = { smooth: false };

for (
  const [shape, dim] of [[[100_003], 0], [[3, 4097], 1], [[4097, 3], 0], [[4097, 1], 1], [[5, 1], -1], [
    [7, 129, 5],
    1,
  ]] as const
) {
  Deno.test(`sum(), mean(), max() of [${shape}] over ${dim}`, async () => {
    await checkOp("sum", [positive(10, shape)], { dim }, large);
    await checkOp("mean", [positive(11, shape)], { dim }, large);
    await checkOp("max", [uniform(12, shape)], { dim }, large);
  });
}

Deno.test("sum(), mean(), max(), min() of 100,003 elements", async () => {
  for (const op of ["sum", "mean", "max", "min"]) await checkOp(op, [positive(13, [100_003])], {}, large);
});

Deno.test("reductions of one element and of a scalar", async () => {
  for (const op of ["sum", "mean", "max", "min"]) {
    await checkOp(op, [uniform(14, [1])]);
    await checkOp(op, [uniform(15, [])]);
    await checkOp(op, [uniform(16, [1, 1, 1])], { dim: 1 });
  }
});

Deno.test("reductions read views", () =>
  gradcheck({
    inputs: [uniform(17, [4, 5])],
    op: (x) => x.transpose(0, 1).sum(0).mul(x.sum(1)),
    reference: (x) => {
      const a = sum(transpose(x), { dim: 0 });
      return { shape: a.shape, data: a.data.map((v) => v * v) };
    },
  }));

Deno.test("a dimension out of range or named twice is refused at once", () => {
  const x = zeros([2, 3]);
  for (const op of ["sum", "mean", "max", "min", "argmax"]) {
    for (const dim of [2, -3, 0.5, NaN]) assertThrows(() => engineOps[op]!([x], { dim }), ShapeError);
  }
  for (const op of ["sum", "mean"]) {
    assertThrows(() => engineOps[op]!([x], { dim: [0, 0] }), ShapeError);
    assertThrows(() => engineOps[op]!([x], { dim: [1, -1] }), ShapeError);
    assertThrows(() => engineOps[op]!([x], { dim: [0, 5] }), ShapeError);
  }
});
