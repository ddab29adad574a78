/**
 * The elementwise ops: gradients, broadcasting, numbers as the second argument, sizes around a workgroup's, views.
 */
import { assertThrows } from "@std/assert";
import { ones, type Tensor, tensor, zeros } from "../../../src/mod.ts";
import { expand, map, transpose, zip } from "../../support/array.ts";
import { assertClose, assertShape } from "../../support/close.ts";
import { ShapeError } from "../../../src/errors.ts";
import { engineOps } from "../../support/engine_ops.ts";
import { checkForward, checkOp, gradcheck, toTensor } from "../../support/gradcheck.ts";
import { positive, uniform, whole } from "../../support/random.ts";
import { binary, comparison, unary } from "../../support/reference.ts";

for (const op of Object.keys(unary)) {
  const x = op === "log" || op === "sqrt" ? positive(1, [3, 1, 5]) : uniform(1, [3, 1, 5], 2);
  Deno.test(`${op}() and its gradient`, () => checkOp(op, [x]));
}

for (const size of [[], [1], [63], [65], [257], [70_001]]) {
  const few = { smooth: size.length === 0 || size[0]! < 300 };
  Deno.test(`exp(), relu(), mul() of [${size}]`, async () => {
    await checkOp("exp", [uniform(2, size)], {}, few);
    await checkOp("relu", [uniform(3, size)], {}, few);
    await checkOp("mul", [uniform(4, size), uniform(5, size)], {}, few);
  });
}

const broadcasts = [
  [[], []],
  [[], [5]],
  [[1], []],
  [[7], [1]],
  [[3, 5], [5]],
  [[3, 5], [3, 1]],
  [[1, 5], [3, 1]],
  [[2, 1, 3], [1, 4, 1]],
  [[2, 3, 1, 5], [4, 1]],
  [[1, 1, 1], [2, 1]],
] as const;

for (const [i, [a, b]] of broadcasts.entries()) {
  // Each op and shape is a kernel of its own: every op on three shapes, one op on the others.
  const ops = i % 4 === 3 ? Object.keys(binary) : ["div"];
  Deno.test(`${ops.join(", ")} broadcast [${a}] and [${b}], and sum their gradients back`, async () => {
    for (const op of ops) {
      await checkOp(op, [positive(6, a), positive(7, b)]);
      if (a.length !== b.length) await checkOp(op, [positive(8, b), positive(9, a)]);
    }
  });
}

for (const op of [...Object.keys(binary), ...Object.keys(comparison)]) {
  Deno.test(`${op}() takes a number`, async () => {
    for (const other of [2, -1.5, 0.5]) {
      const x = op === "pow" ? positive(10, [2, 3]) : uniform(11, [2, 3]);
      if (op in binary) await checkOp(op, [x], { other });
      else await checkForward(op, [x], { other });
    }
  });
}

for (const op of Object.keys(comparison)) {
  Deno.test(`${op}() gives a mask of 0 and 1, and broadcasts`, () =>
    checkForward(op, [whole(12, [3, 4]), whole(13, [4])]));
}

Deno.test("a comparison has no gradient", () => {
  const x = toTensor(uniform(14, [3]), { requiresGrad: true });
  if (x.gt(0).requiresGrad) throw new Error("the mask requires grad");
});

Deno.test("the elementwise ops read views: transposed and expanded", async () => {
  await gradcheck({
    inputs: [uniform(15, [3, 4]), uniform(16, [4, 3])],
    op: (a, b) => a.transpose(0, 1).mul(b).exp(),
    reference: (a, b) => map(zip(transpose(a), b, binary.mul), Math.exp),
  });
  await gradcheck({
    inputs: [uniform(17, [3, 1]), uniform(18, [4])],
    op: (a, b) => a.expand([3, 4]).div(b.add(3)).relu(),
    reference: (a, b) => map(zip(expand(a, [3, 4]), map(b, (v) => v + 3), binary.div), unary.relu),
  });
});

Deno.test("a chain of elementwise ops and its gradients", () =>
  gradcheck({
    inputs: [positive(19, [5, 3]), positive(20, [3])],
    op: (a, b) => a.mul(b).add(1).log().neg().exp().sub(b.sqrt()).div(a.pow(2).add(b)).abs(),
    reference: (a, b) => {
      const left = zip(zip(a, b, (x, y) => 1 / (x * y + 1)), map(b, Math.sqrt), binary.sub);
      return map(zip(left, zip(a, b, (x, y) => x * x + y), binary.div), Math.abs);
    },
  }));

Deno.test("integer powers of negative numbers, and their gradients", async () => {
  for (const other of [2, 3, 4, -1, -2, -3, 1, 7]) {
    const x = map(positive(21, [7]), (v) => -v);
    await gradcheck({ inputs: [x], op: (t) => t.pow(other), reference: (t) => map(t, (v) => v ** other) });
  }
});

Deno.test("infinities, NaN and tiny numbers as the second argument", async () => {
  const x = tensor([1, -2]), special = { special: true };
  assertClose(await x.add(Infinity).data(), [Infinity, Infinity], special);
  assertClose(await x.mul(-Infinity).data(), [-Infinity, Infinity], special);
  assertClose(await x.mul(NaN).data(), [NaN, NaN], special);
  assertClose(await x.maximum(-Infinity).data(), [1, -2], special);
  assertClose(await x.mul(3.5e38).data(), [Infinity, -Infinity], special); // over float32's largest
  assertClose(await x.add(1e-30).data(), [1, -2]);
});

Deno.test("large and small values survive", async () => {
  const x = [1e38, 3.4e38, 1e-38, -3.4e38, 16777217, 0.1];
  assertClose(await tensor(x).mul(1).data(), x.map(Math.fround), { rtol: 0, atol: 0 });
  assertClose(await tensor([3e38]).add(tensor([3e38])).data(), [Infinity], { special: true });
});

Deno.test("exp() and log() are accurate over their whole range", async () => {
  const x = Array.from({ length: 400 }, (_, i) => Math.fround((i - 200) * 0.43)),
    y = x.map((v) => Math.fround(10 ** (v / 3)));
  assertClose(await tensor(x).exp().data(), x.map(Math.exp), { rtol: 1e-5, atol: 1e-38 });
  assertClose(await tensor(y).log().data(), y.map(Math.log), { rtol: 1e-6, atol: 1e-6 });
});

Deno.test("shapes that do not broadcast are refused at once", () => {
  for (const op of [...Object.keys(binary), ...Object.keys(comparison)]) {
    for (const [a, b] of [[[3], [4]], [[2, 3], [2]], [[2, 1, 3], [4, 2]]]) {
      assertThrows(() => engineOps[op]!([zeros(a!), zeros(b!)], {}), ShapeError);
    }
  }
});

Deno.test("an empty tensor is refused, or behaves as PyTorch's", async () => {
  const make = [() => zeros([0, 3]), () => tensor([]), () => ones([2, 0])];
  for (const f of make) {
    let x: Tensor;
    try {
      x = f();
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      continue;
    }
    const y = x.mul(2).add(1);
    assertShape(y.shape, x.shape);
    assertClose(await y.data(), []);
    assertClose([await x.sum().item()], [0]);
  }
});
