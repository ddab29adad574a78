/**
 * grad(): gradients as a result, as torch.autograd.grad.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import { compile, grad, type Tensor, tensor, zeros } from "../../src/mod.ts";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const lists = (all: readonly (Tensor | null)[]) => Promise.all(all.map(async (x) => x && [...await x.data()]));

Deno.test("grad() gives the gradients of leaves and results, and leaves grad alone", async () => {
  const x = leaf(1, 2), y = x.mul(2), z = y.mul(y).sum();
  assertEquals(await lists(grad(z, [x, y, z])), [[8, 16], [4, 8], [1]]);
  assertEquals([x.grad, y.grad], [null, null]);
  const w = leaf(3);
  assertEquals(await lists(grad(w, w)), [[1]]);
});

Deno.test("grad() of several outputs is that of their sum, weighted by gradOutputs", async () => {
  const x = leaf(1, 2), y = x.mul(x), z = x.sum();
  assertEquals(await lists(grad([y, z], x, { gradOutputs: [tensor([1, 10]), tensor(100)] })), [[102, 140]]);
  const a = leaf(1, 2), sum = a.sum();
  assertEquals(await lists(grad([sum, sum.mul(2)], [a, a], { gradOutputs: [null, tensor(10)] })), [[21, 21], [21, 21]]);
  const b = leaf(1), twice = b.mul(3);
  assertEquals(await lists(grad([twice, twice], b)), [[6]]);
  const c = leaf(1, 2);
  assertEquals(await lists(grad(c.mul(3), c, { gradOutputs: tensor([1, 2]) })), [[3, 6]]);
});

Deno.test("an output that is an input of another, and an input between others", async () => {
  const x = leaf(2), y = x.mul(3), z = y.mul(y);
  assertEquals(await lists(grad([z, y], [y, x], { retainGraph: true })), [[13], [39]]);
});

Deno.test("grad() frees what it went through, and no more", async () => {
  const x = leaf(2), y = x.mul(x), z = y.mul(3);
  assertEquals(await lists(grad(z, y)), [[3]]);
  y.backward(); // Behind y nothing was freed.
  assertEquals(await lists([x.grad]), [[4]]);
  assertThrows(() => grad(z, x), ShapeError, "a second time");
  const kept = leaf(1).exp();
  grad(kept, kept, { retainGraph: true });
  kept.backward();
});

Deno.test("an input that no output depends on is refused, or null with allowUnused", async () => {
  const x = leaf(1), unused = leaf(2), y = x.mul(2);
  assertThrows(() => grad(y, [x, unused], { retainGraph: true }), ShapeError, "no output depends on input 1");
  assertEquals(await lists(grad(y, [unused, x], { allowUnused: true })), [null, [2]]);
});

Deno.test("hooks run on the way, those of the inputs too; kept gradients are kept", async () => {
  const x = leaf(1, 2), y = x.mul(2), z = y.mul(y).sum();
  x.registerHook((one) => one.mul(100));
  y.registerHook((one) => one.mul(10));
  y.retainGrad();
  assertEquals(await lists([...grad(z, [x, y]), y.grad]), [[8000, 16000], [40, 80], [40, 80]]);
});

Deno.test("grad() in a step of a program", async () => {
  const x = leaf(3), program = compile(() => grad(x.mul(x), x));
  await program.run(2);
  assertEquals(await lists(program.result), [[6]]);
});

Deno.test("grad() refuses what requires no gradient, what does not fit, and unknown options", () => {
  const x = leaf(1, 2), y = x.sum();
  assertThrows(() => grad(y, zeros([2])), ShapeError, "requires no gradient");
  assertThrows(() => grad(zeros([]), x), ShapeError, "requires no gradient");
  assertThrows(() => grad(1 as never, x), ShapeError, "expected a Tensor, got 1");
  assertThrows(() => grad(y, "x" as never), ShapeError, 'expected a Tensor, got "x"');
  assertThrows(() => grad(x.mul(2), x), ShapeError, "needs a gradient of that shape");
  assertThrows(() => grad(y, x, { gradOutputs: zeros([2]) }), ShapeError, "[2]");
  assertThrows(() => grad(y, x, { gradOutputs: [null, null] }), ShapeError, "2 gradOutputs do not fit 1 outputs");
  assertThrows(() => grad(y, x, { allowUnused: 1 } as never), ShapeError, "allowUnused");
  assertThrows(() => grad(y, x, { createGraph: true } as never), ShapeError, "createGraph is not supported");
  assertThrows(() => grad(y, x, { gradient: null } as never), ShapeError, "unknown option");
  assertThrows(() => grad(y, x, 1 as never), ShapeError, "expected options such as");
});
