/**
 * The ops that rearrange: their values and their gradients, alone and in chains of views.
 */
import { assertThrows } from "@std/assert";
import { ShapeError } from "../../../src/errors.ts";
import { zeros } from "../../../src/mod.ts";
import { expand, map, permute, reshape, transpose, zip } from "../../support/array.ts";
import { assertShape } from "../../support/close.ts";
import { engineOps } from "../../support/engine_ops.ts";
import { checkOp, gradcheck } from "../../support/gradcheck.ts";
import { uniform } from "../../support/random.ts";
import type { Options } from "../../support/reference_ops.ts";
import { binary } from "../../support/reference.ts";

const cases: [string, number[], Options][] = [
  ["reshape", [2, 3, 4], { shape: [4, 6] }],
  ["reshape", [2, 3, 4], { shape: [-1] }],
  ["reshape", [2, 3, 4], { shape: [3, -1, 2] }],
  ["reshape", [1], { shape: [] }],
  ["reshape", [], { shape: [1, 1] }],
  ["flatten", [2, 3, 4], {}],
  ["flatten", [2, 3, 4, 5], { startDim: 1 }],
  ["flatten", [2, 3, 4, 5], { startDim: 1, endDim: 2 }],
  ["flatten", [2, 3, 4], { startDim: -2, endDim: -1 }],
  ["flatten", [], {}],
  ["transpose", [2, 3, 4], { dims: [0, 2] }],
  ["transpose", [2, 3, 4], { dims: [-1, 1] }],
  ["transpose", [2, 3], { dims: [0, 0] }],
  ["t", [3, 5], {}],
  ["t", [4], {}],
  ["permute", [2, 3, 4, 5], { dims: [0, 2, 3, 1] }],
  ["permute", [2, 3, 4], { dims: [-1, 0, 1] }],
  ["expand", [3, 1], { shape: [3, 4] }],
  ["expand", [1, 3, 1], { shape: [2, 5, 3, 4] }],
  ["expand", [], { shape: [2, 3] }],
  ["squeeze", [1, 3, 1, 2], {}],
  ["squeeze", [1, 3, 1, 2], { dim: 2 }],
  ["squeeze", [1, 3, 1, 2], { dim: 1 }],
  ["squeeze", [1, 3], { dim: -2 }],
  ["unsqueeze", [3, 2], { dim: 0 }],
  ["unsqueeze", [3, 2], { dim: -1 }],
  ["clone", [3, 2], {}],
];

for (const [op, shape, options] of cases) {
  const text = JSON.stringify(options).slice(1, -1).replaceAll('"', "");
  Deno.test(`${op}(${text}) of [${shape}] and its gradient`, () => checkOp(op, [uniform(1, shape)], options));
}

Deno.test("expand() keeps a dimension given as -1", () => {
  assertShape(zeros([3, 1]).expand([2, -1, 4]).shape, [2, 3, 4]);
});

Deno.test("a view of a view of a view, with the gradient back through all", () =>
  gradcheck({
    inputs: [uniform(2, [2, 3, 4])],
    op: (x) => x.permute([2, 0, 1]).reshape([4, 6]).t().unsqueeze(0).expand([2, 6, 4]).flatten(1),
    reference: (x) => reshape(expand(transpose(reshape(permute(x, [2, 0, 1]), [4, 6])), [2, 6, 4]), [2, 24]),
  }));

Deno.test("reshape() of a transposed tensor reads it in its new order", () =>
  gradcheck({
    inputs: [uniform(3, [3, 5])],
    op: (x) => x.t().reshape([3, 5]).mul(x),
    reference: (x) => zip(reshape(transpose(x), [3, 5]), x, binary.mul),
  }));

Deno.test("two views of one tensor add their gradients", () =>
  gradcheck({
    inputs: [uniform(4, [3, 3])],
    op: (x) => x.t().mul(x).add(x.reshape([9]).reshape([3, 3]).mul(2)),
    reference: (x) => zip(zip(transpose(x), x, binary.mul), map(x, (v) => 2 * v), binary.add),
  }));

const refused: [string, number[], Options][] = [
  ["reshape", [2, 3], { shape: [4] }],
  ["reshape", [2, 3], { shape: [-1, -1] }],
  ["reshape", [2, 3], { shape: [-1, 4] }],
  ["reshape", [2, 3], { shape: [-2, -3] }],
  ["reshape", [2, 3], { shape: [1.5, 4] }],
  ["flatten", [2, 3], { startDim: 1, endDim: 0 }],
  ["flatten", [2, 3], { startDim: 2 }],
  ["transpose", [2, 3], { dims: [0, 2] }],
  ["t", [2, 3, 4], {}],
  ["permute", [2, 3], { dims: [0] }],
  ["permute", [2, 3], { dims: [0, 0] }],
  ["permute", [2, 3], { dims: [0, 2] }],
  ["expand", [3, 2], { shape: [3, 4] }],
  ["expand", [3, 2], { shape: [2] }],
  ["squeeze", [3, 1], { dim: 2 }],
  ["unsqueeze", [3], { dim: 3 }],
];

for (const [op, shape, options] of refused) {
  Deno.test(`${op}() of [${shape}] refuses ${JSON.stringify(options)} at once`, () => {
    assertThrows(() => engineOps[op]!([zeros(shape)], options), ShapeError);
  });
}
