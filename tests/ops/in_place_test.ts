/**
 * The ops that change a tensor in place: their values, what they refuse, and that lazily recorded work never sees a later
 * change.
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ShapeError, WgradError } from "../../src/errors.ts";
import { noGrad, ones, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose } from "../support/close.ts";

const list = async (x: Tensor) => [...await x.data()];

Deno.test("add_, sub_, mul_, div_, copy_, zero_, fill_ change the tensor and return it", async () => {
  const cases: [(x: Tensor) => Tensor, number[]][] = [
    [(x) => x.add_(1), [2, 3, 5]],
    [(x) => x.add_(tensor([1, 2, 3])), [2, 4, 7]],
    [(x) => x.sub_(tensor([3])), [-2, -1, 1]],
    [(x) => x.mul_(tensor(2)), [2, 4, 8]],
    [(x) => x.div_(4), [0.25, 0.5, 1]],
    [(x) => x.copy_(tensor([7, 8, 9])), [7, 8, 9]],
    [(x) => x.zero_(), [0, 0, 0]],
    [(x) => x.fill_(2.5), [2.5, 2.5, 2.5]],
    [(x) => x.add_(x), [2, 4, 8]],
    [(x) => x.sub_(x.mul(0.5)), [0.5, 1, 2]],
    [(x) => x.add_(1).mul_(2).sub_(1), [3, 5, 9]],
    [(x) => x.copy_(tensor([5])), [5, 5, 5]],
  ];
  for (const [change, expected] of cases) {
    const x = tensor([1, 2, 4]);
    assertStrictEquals(change(x), x);
    assertEquals(await list(x), expected);
    assertEquals(await list(x.add(0)), expected);
  }
});

Deno.test("a value recorded before a change keeps the old numbers, read or not", async () => {
  const x = tensor([1, 2]), before = x.mul(10), sum = x.sum();
  x.add_(100);
  const between = x.mul(10);
  x.zero_();
  assertEquals(await list(before), [10, 20]);
  assertEquals(await sum.item(), 3);
  assertEquals(await list(between), [1010, 1020]);
  assertEquals(await list(x), [0, 0]);
});

Deno.test("clone() and the argument of copy_() stay apart from the changed tensor", async () => {
  const x = tensor([1, 2]), copy = x.clone(), source = tensor([3, 4]);
  x.copy_(source).add_(1);
  source.zero_();
  assertEquals([await list(x), await list(copy), await list(source)], [[4, 5], [1, 2], [0, 0]]);
});

Deno.test("a thousand changes in a row", async () => {
  const x = zeros([3]);
  for (let i = 0; i < 1000; i++) x.add_(1);
  assertEquals(await list(x), [1000, 1000, 1000]);
});

Deno.test("a leaf that requires grad is changed under noGrad, and refused outside", async () => {
  const x = tensor([1, 2], { requiresGrad: true });
  for (
    const change of [() => x.add_(1), () => x.zero_(), () => x.copy_(ones([2])), () => x.fill_(3), () => x.mul_(2)]
  ) {
    assertThrows(change, WgradError);
  }
  assertEquals(await list(x), [1, 2]);
  noGrad(() => x.sub_(0.5));
  assertEquals([await list(x), x.requiresGrad, x.isLeaf], [[0.5, 1.5], true, true]);
});

Deno.test("the manual update p -= lr * grad leaves the gradient as it was", async () => {
  const p = tensor([1, -2], { requiresGrad: true });
  for (let step = 0; step < 3; step++) {
    p.grad = null;
    p.mul(p).sum().backward();
    noGrad(() => p.sub_(p.grad!.mul(0.25)));
  }
  assertClose(await p.data(), [0.125, -0.25]);
  assertClose(await p.grad!.data(), [0.5, -1]); // 2p before the last update
});

Deno.test("shapes that do not fit in place are refused at once", async () => {
  const x = zeros([3]);
  for (const change of [x.add_, x.sub_, x.mul_, x.div_, x.copy_] as ((y: Tensor) => Tensor)[]) {
    assertThrows(() => change.call(x, zeros([2])), ShapeError);
    assertThrows(() => change.call(x, zeros([2, 3])), ShapeError); // the result would not fit
  }
  assertEquals(await list(x), [0, 0, 0]);
});
