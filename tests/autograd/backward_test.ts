/**
 * backward(): tensors used many times, long chains, accumulation, what is refused, and what gets no gradient.
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { WgradError } from "../../src/errors.ts";
import { noGrad, ones, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose } from "../support/close.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { map } from "../support/array.ts";
import { uniform } from "../support/random.ts";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const grad = async (x: Tensor) => [...await x.grad!.data()];

Deno.test("a tensor used twice adds both gradients: x * x + x", () =>
  gradcheck({
    inputs: [uniform(1, [5])],
    op: (x) => x.mul(x).add(x),
    reference: (x) => map(x, (v) => v * v + v),
  }));

Deno.test("a tensor used a hundred times", async () => {
  const x = leaf(2, 3);
  let y = x.mul(0);
  for (let i = 1; i <= 100; i++) y = y.add(x.mul(i));
  y.sum().backward();
  assertEquals(await grad(x), [5050, 5050]);
});

Deno.test("a second backward() adds to the gradient; zeroing it starts anew", async () => {
  const x = leaf(1, 2);
  x.mul(3).sum().backward();
  assertEquals(await grad(x), [3, 3]);
  x.mul(x).sum().backward();
  assertEquals(await grad(x), [5, 7]);
  x.grad = null;
  x.mul(2).sum().backward();
  assertEquals(await grad(x), [2, 2]);
  noGrad(() => x.grad!.zero_());
  x.mul(4).sum().backward();
  assertEquals(await grad(x), [4, 4]);
});

Deno.test("two backward() calls before anything is read", async () => {
  const x = leaf(1, 2);
  x.mul(3).sum().backward();
  x.mul(x).sum().backward();
  assertEquals(await grad(x), [5, 7]);
});

Deno.test("backward() of a tensor of many elements wants a gradient of its shape", async () => {
  const x = leaf(1, 2, 3);
  assertThrows(() => x.mul(2).backward(), WgradError);
  for (const shape of [[2], [3, 1], [1, 3], []]) assertThrows(() => x.mul(2).backward(zeros(shape)), WgradError);
  assertEquals(x.grad, null);
  x.mul(2).backward(tensor([1, 10, 100]));
  assertEquals(await grad(x), [2, 20, 200]);
});

Deno.test("backward() of one element needs no gradient, whatever its rank", async () => {
  for (const shape of [[], [1], [1, 1]]) {
    const x = ones(shape, { requiresGrad: true });
    x.mul(3).backward();
    assertEquals(await grad(x), [3]);
    assertEquals(x.grad!.shape, shape);
  }
});

Deno.test("backward() of a leaf gives it 1", async () => {
  const x = leaf(5);
  x.backward();
  assertEquals(await grad(x), [1]);
});

Deno.test("backward() of a tensor that requires no grad is refused", () => {
  assertThrows(() => tensor([1]).backward(), WgradError);
  assertThrows(() => tensor([1]).mul(2).backward(), WgradError);
  assertThrows(() => leaf(1).detach().backward(), WgradError);
  assertThrows(() => noGrad(() => leaf(1).mul(2)).backward(), WgradError);
});

Deno.test("only the leaves that require grad get one", async () => {
  const x = leaf(1, 2), y = tensor([3, 4]), z = x.mul(y);
  z.sum().backward();
  assertEquals(await grad(x), [3, 4]);
  assertEquals([y.grad, z.grad, z.isLeaf, x.isLeaf, z.requiresGrad, y.mul(2).requiresGrad], [
    null,
    null,
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("a leaf that the loss does not use gets no gradient", () => {
  const x = leaf(1), unused = leaf(2);
  unused.mul(2);
  x.mul(2).backward();
  assertStrictEquals(unused.grad, null);
});

Deno.test("detach() stops the gradient and keeps the values", async () => {
  const x = leaf(2, 3), y = x.mul(2).detach();
  assertEquals([y.requiresGrad, y.isLeaf, y.gradFn], [false, true, null]);
  x.mul(y).sum().backward();
  assertEquals(await grad(x), [4, 6]);
  assertEquals([...await y.data()], [4, 6]);
});

Deno.test("noGrad() records nothing, gives back the value, and ends with an exception too", () => {
  const x = leaf(1), y = noGrad(() => x.mul(2));
  assertEquals([y.requiresGrad, y.gradFn], [false, null]);
  assertEquals(noGrad(() => noGrad(() => 7)), 7);
  noGrad(() => {
    noGrad(() => 0);
    assert(!x.mul(2).requiresGrad, "an inner noGrad() ended the outer one");
  });
  assertThrows(
    () =>
      noGrad(() => {
        throw new Error("inside");
      }),
    Error,
    "inside",
  );
  assert(x.mul(2).requiresGrad, "grad stayed off");
});

Deno.test("requiresGrad can be set on a leaf, and not on a result", async () => {
  const x = tensor([1, 2]);
  x.requiresGrad = true;
  x.mul(2).sum().backward();
  assertEquals(await grad(x), [2, 2]);
  x.requiresGrad = false;
  assertEquals(x.mul(2).requiresGrad, false);
  assertThrows(() => leaf(1).mul(2).requiresGrad = false, WgradError);
  assertThrows(() => tensor(new Uint32Array(1)).requiresGrad = true, WgradError);
});

Deno.test("a gradient requires no grad, and is of the leaf's shape after broadcasting", async () => {
  const x = tensor([[1], [2]], { requiresGrad: true });
  x.mul(ones([2, 3])).sum().backward();
  assertEquals([x.grad!.requiresGrad, x.grad!.gradFn, x.grad!.shape], [false, null, [2, 1]]);
  assertEquals(await grad(x), [3, 3]);
});

Deno.test("the gradients of several losses of one graph add up", async () => {
  const x = leaf(1, 2), shared = x.mul(x);
  shared.sum().add(shared.mul(2).sum()).backward();
  assertEquals(await grad(x), [6, 12]);
});

Deno.test("values read before backward() do not change the gradients", async () => {
  const x = leaf(0.5, -1), y = x.exp(), z = y.mul(x);
  await y.data();
  await z.data();
  z.sum().backward();
  assertClose(await x.grad!.data(), [0.5, -1].map((v) => Math.exp(v) * (1 + v)));
});

Deno.test("a tensor made before a read is used after it", async () => {
  const x = leaf(1, 2), y = x.mul(2).relu();
  assertEquals([...await y.sum().data()], [6]);
  y.mul(y).sum().backward();
  assertEquals(await grad(x), [8, 16]);
});

Deno.test("grad can be set, and wants the leaf's shape", async () => {
  const x = leaf(1, 2);
  x.grad = tensor([10, 20]);
  x.mul(1).sum().backward();
  assertEquals(await grad(x), [11, 21]);
  assertThrows(() => x.grad = zeros([3]), WgradError);
});

Deno.test("toString() names shape, dtype and whether grad is required", () => {
  const text = String(tensor([[1, 2, 3]], { requiresGrad: true }));
  for (const part of ["1, 3", "f32", "requiresGrad"]) assert(text.includes(part), `${text} has no ${part}`);
});
