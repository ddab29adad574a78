/**
 * Hooks on gradients, and gradients that results keep.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import { compile, detectAnomaly, noGrad, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const list = async (x: Tensor | null) => [...await x!.data()];

Deno.test("hooks see whole gradients, from the result to the leaves, and may replace them", async () => {
  // The same in PyTorch: a, b = a * 2, c = (b * b).sum(), where b's hook gives 10 times its gradient.
  const a = leaf(1, 2), b = a.mul(2), c = b.mul(b).sum(), seen: [string, Tensor][] = [];
  a.registerHook((grad) => void seen.push(["a", grad]));
  b.registerHook((grad) => {
    seen.push(["b", grad]);
    return grad.mul(10);
  });
  c.registerHook((grad) => void seen.push(["c", grad]));
  c.backward();
  assertEquals(seen.map(([name]) => name), ["c", "b", "a"]);
  assertEquals(await Promise.all(seen.map(([, grad]) => list(grad))), [[1], [4, 8], [80, 160]]);
  assertEquals(await list(a.grad), [80, 160]);
});

Deno.test("hooks of one tensor run in the order of registration, each on what the one before it gave", async () => {
  const x = leaf(1, 2);
  x.registerHook((grad) => grad.add(1));
  const removed = x.registerHook((grad) => grad.mul(1000));
  x.registerHook((grad) => grad.mul(10));
  removed.remove();
  removed.remove();
  x.mul(3).sum().backward();
  assertEquals(await list(x.grad), [40, 40]);
  // What comes in is hooked, not what has been added up.
  x.mul(0).sum().backward();
  assertEquals(await list(x.grad), [50, 50]);
});

Deno.test("the gradient in a hook requires none, and changing it in place changes nothing", async () => {
  const x = leaf(1, 2), found: boolean[] = [];
  x.registerHook((grad) => {
    found.push(grad.requiresGrad, grad.mul(x).requiresGrad);
    grad.mul_(5);
  });
  x.mul(3).sum().backward();
  assertEquals([found, await list(x.grad)], [[false, false], [3, 3]]);
});

Deno.test("a hook on a tensor through which no gradient comes is not called", () => {
  const x = leaf(1), y = x.mul(2);
  let called = 0;
  y.registerHook(() => void called++);
  y.detach().add(x).backward();
  assertEquals(called, 0);
});

Deno.test("a leaf keeps its hooks through changes in place, and while it is frozen", async () => {
  const x = leaf(1, 2), optimizer = new optim.SGD([x], { lr: 1 });
  const handle = x.registerHook((grad) => grad.mul(10));
  x.sum().backward();
  optimizer.step();
  assertEquals(await list(x), [-9, -8]);
  x.requiresGrad = false;
  x.fill_(0);
  x.requiresGrad = true;
  x.sum().backward();
  assertEquals(await list(x.grad), [20, 20]);
  handle.remove();
  x.sum().backward();
  assertEquals(await list(x.grad), [21, 21]);
});

Deno.test("a result that is changed in place is another tensor to hooks: the old one keeps them", async () => {
  const x = leaf(1, 2), y = x.mul(2), seen: Tensor[] = [];
  y.registerHook((grad) => void seen.push(grad));
  y.mul_(3);
  y.sum().backward();
  assertEquals([seen.length, await list(seen[0]!), await list(x.grad)], [1, [3, 3], [6, 6]]);
});

Deno.test("a hook may read whatever it likes, later, and clip in a step of a program", async () => {
  const x = leaf(1, 2), optimizer = new optim.SGD([x], { lr: 1 });
  x.registerHook((grad) => grad.minimum(0.5).maximum(-0.5));
  const program = compile(() => {
    optimizer.zeroGrad();
    x.mul(tensor([100, -0.25])).sum().backward();
    optimizer.step();
  });
  await program.run(4);
  assertEquals(await list(x), [-1, 3]);
});

Deno.test("registerHook() refuses what cannot be: no gradient, no function, no gradient of the shape", () => {
  assertThrows(() => zeros([2]).registerHook(() => {}), ShapeError, "requires no gradient");
  assertThrows(() => leaf(1).registerHook(1 as never), ShapeError, "expected a function, got 1");
  for (const [wrong, part] of [[zeros([3]), "[3]"], [5, "got 5"], [Promise.resolve(), "a Promise"]] as const) {
    const x = leaf(1, 2);
    x.registerHook((() => wrong) as never);
    const error = assertThrows(() => x.sum().backward(), ShapeError, "hook");
    assert(error.message.includes(part), error.message);
    assertEquals(x.grad, null);
  }
});

Deno.test("retainGrad() keeps the gradient of a result, after its hooks, added up over calls", async () => {
  const x = leaf(1, 2), y = x.mul(2);
  assertEquals([y.retainsGrad, x.retainsGrad], [false, false]);
  y.retainGrad();
  x.retainGrad(); // Nothing to do for a leaf.
  assertEquals([y.retainsGrad, x.retainsGrad], [true, false]);
  y.registerHook((grad) => grad.mul(10));
  const loss = y.mul(y).sum();
  loss.backward({ retainGraph: true });
  assertEquals([await list(y.grad), await list(x.grad)], [[40, 80], [80, 160]]);
  loss.backward();
  assertEquals([await list(y.grad), await list(x.grad)], [[80, 160], [160, 320]]);
  assertThrows(() => zeros([2]).retainGrad(), ShapeError, "requires no gradient");
});

Deno.test("a step of a program may return the gradient that a result keeps", async () => {
  const x = leaf(1, 2);
  const program = compile(() => {
    x.grad = null;
    const y = x.mul(2);
    y.retainGrad();
    y.mul(y).sum().backward();
    return y.grad!;
  });
  await program.run();
  noGrad(() => x.fill_(5));
  await program.run();
  assertEquals(await list(program.result), [20, 20]);
});

Deno.test("hooks run in anomaly mode too", async () => {
  const x = leaf(1, 2);
  x.registerHook((grad) => grad.mul(2));
  detectAnomaly(() => x.exp().log().sum().backward());
  assertEquals((await list(x.grad)).map(Math.round), [2, 2]);
});
