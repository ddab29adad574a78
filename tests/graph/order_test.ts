/**
 * Laziness is invisible: what was recorded first has the values of then, whatever changes, runs or is disposed of before
 * it is read; what is started together ends as if one had waited.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { WgradError } from "../../src/errors.ts";
import { compile, full, nn, noGrad, ones, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose } from "../support/close.ts";
import { values } from "../support/gradcheck.ts";

const list = async (x: Tensor) => [...await x.data()];

/** Work that takes over memory that was given back. */
async function reuseMemory(size: number): Promise<void> {
  for (let i = 0; i < 4; i++) await ones([size]).mul(77).data();
}

/** A counter and the program that advances it. */
async function counter() {
  const x = zeros([2]);
  const program = compile(() => x.add_(1));
  await program.run();
  return { x, program };
}

Deno.test("a value recorded before run() has the values from before it", async () => {
  const { x, program } = await counter();
  const product = x.mul(10), sum = x.sum();
  await program.run(5);
  assertEquals([await list(product), await list(sum), await list(x)], [[10, 10], [2], [6, 6]]);
});

Deno.test("backward() after run() of a loss recorded before it uses the values from before it", async () => {
  const x = tensor([3], { requiresGrad: true }), program = compile(() => noGrad(() => x.add_(1)));
  const loss = x.mul(x);
  await program.run();
  loss.backward();
  assertEquals([await list(loss), await list(x.grad!), await list(x)], [[9], [6], [4]]);
});

Deno.test("a clone taken before run() keeps the weights, read or not", async () => {
  const { x, program } = await counter();
  const copy = x.clone(), read = x.clone();
  assertEquals(await list(read), [1, 1]);
  await program.run(5);
  assertEquals([await list(copy), await list(read), await list(x)], [[1, 1], [1, 1], [6, 6]]);
});

Deno.test("a value recorded from a program's output keeps that run's values", async () => {
  const x = zeros([1]);
  let y!: Tensor;
  const program = compile(() => {
    x.add_(1);
    return y = x.mul(10);
  });
  await program.run();
  const z = y.add(1), copy = y.clone();
  await program.run(4);
  assertEquals([await list(z), await list(copy), await list(y)], [[11], [10], [50]]);
});

Deno.test("a value recorded before an optimizer's step keeps the old weights", async () => {
  const p = tensor([1, 2], { requiresGrad: true }), optimizer = new optim.SGD([p], { lr: 1, momentum: 0.9 });
  const before = p.detach().mul(10), copy = p.detach().clone();
  p.sum().backward();
  optimizer.step();
  assertEquals([await list(p), await list(before), await list(copy)], [[0, 1], [10, 20], [1, 2]]);
});

Deno.test("data() gives the values of the moment it was called", async () => {
  const x = tensor([1, 2]).mul(1), reads = [list(x)];
  x.add_(1);
  reads.push(list(x));
  x.zero_();
  reads.push(list(x));
  assertEquals(await Promise.all(reads), [[1, 2], [2, 3], [0, 0]]);
});

Deno.test("reads that are started together agree with reads one by one", async () => {
  const x = ones([3], { requiresGrad: true }), y = x.mul(2), z = y.add(x), w = z.mul(z).sum();
  w.backward();
  const all = await values([w, x.grad!, z, y, w, x, z]);
  assertEquals(all.map((one) => one[0]), [27, 18, 3, 2, 27, 1, 3]);
});

Deno.test("run() started twice without waiting runs both", async () => {
  const { x, program } = await counter();
  await Promise.all([program.run(3), program.run(4)]);
  assertEquals(await list(x), [8, 8]);
});

for (const [what, use] of [["result", (x: Tensor) => x.mul(10)], ["view", (x: Tensor) => x.reshape([2, 1])]] as const) {
  Deno.test(`a ${what} recorded before dispose() is right, or refused by a typed error`, async () => {
    const x = tensor([1, 2]).add(1);
    await x.data();
    const y = use(x), expected = await list(use(x));
    x.dispose();
    await reuseMemory(2);
    const found = await list(y).catch((error) => {
      if (!(error instanceof WgradError)) throw error;
      return expected;
    });
    assertEquals(found, expected);
  });
}

Deno.test("dispose() of a tensor leaves its views, detached copies and gradients intact", async () => {
  const x = tensor([1, 2, 3, 4], { requiresGrad: true }), y = x.mul(3), view = y.reshape([2, 2]), same = y.detach();
  y.sum().backward();
  const grad = x.grad!;
  await values([view, same, grad]);
  y.dispose();
  await reuseMemory(4);
  assertEquals([await list(view), await list(same), await list(grad)], [[3, 6, 9, 12], [3, 6, 9, 12], [3, 3, 3, 3]]);
});

Deno.test("a disposed tensor is refused by every use of it", async () => {
  const x = tensor([1, 2]);
  x.dispose();
  await assertRejects(async () => await x.data(), WgradError);
  await assertRejects(async () => await x.add(1).data(), WgradError);
});

Deno.test("a step reads and changes the same tensors in the order it was written", async () => {
  const x = tensor([1, 2]);
  let a!: Tensor, b!: Tensor;
  const program = compile(() => {
    a = x.mul(2);
    x.add_(1);
    b = x.mul(2);
    x.add_(a);
    return [a, b];
  });
  await program.run();
  assertEquals([await list(a), await list(b), await list(x)], [[2, 4], [4, 6], [4, 7]]);
  await program.run();
  assertEquals([await list(a), await list(b), await list(x)], [[8, 14], [10, 16], [13, 22]]);
});

Deno.test("a step that swaps two tensors, and one that transposes in place", async () => {
  const x = tensor([1]), y = tensor([10]), m = tensor([[1, 2], [3, 4]]);
  const program = compile(() => {
    const before = x.clone();
    x.copy_(y);
    y.copy_(before);
    m.copy_(m.t());
  });
  await program.run(3);
  assertEquals([await list(x), await list(y), await list(m)], [[10], [1], [1, 3, 2, 4]]);
  const added = tensor([[1, 2], [3, 4]]);
  await compile(() => added.add_(added.t())).run();
  assertEquals(await list(added), [2, 5, 5, 8]);
});

Deno.test("more tensors than a kernel can bind: a sum of 40, and an optimizer of 40 parameters", async () => {
  const sum = Array.from({ length: 40 }, (_, i) => tensor([i, 1])).reduce((a, b) => a.add(b));
  assertEquals(await list(sum), [780, 40]);

  const net = new nn.Sequential(...Array.from({ length: 20 }, () => new nn.Linear(3, 3))), all = net.parameters();
  const optimizer = new optim.SGD(all, { lr: 0.25, momentum: 0.9 });
  net.forward(ones([2, 3])).sum().backward();
  const [before, grads] = [await values(all), await values(all.map((p) => p.grad!))];
  optimizer.step();
  const expected = before.map((weights, i) => Array.from(weights, (w, k) => w - 0.25 * grads[i]![k]!));
  (await values(all)).forEach((weights, i) => assertClose(weights, expected[i]!, { what: `parameter ${i}` }));
});

Deno.test("more workgroups than one dimension of a dispatch has: 17 million elements", async () => {
  assertClose([await full([17_000_000], 1).add(1).sum().item()], [34_000_000], { rtol: 1e-6 });
});

Deno.test("a tensor over the device's limits gives the right sum, or a typed error", async () => {
  const sum = await full([40_000_000], 1).add(1).sum().item().catch((error) => {
    if (!(error instanceof WgradError)) throw error;
    return 80_000_000;
  });
  assertClose([sum], [80_000_000], { rtol: 1e-6 });
});

Deno.test("a parameter as it was after a step, read last: the step runs again, beside its states", async () => {
  const p = tensor([1, 2], { requiresGrad: true }), optimizer = new optim.SGD([p], { lr: 1, momentum: 0.5 });
  const seen: number[][] = [];
  for (let i = 0; i < 4; i++) {
    optimizer.zeroGrad();
    p.sum().backward();
    optimizer.step();
    const between = p.detach();
    noGrad(() => p.add_(10));
    seen.push(await list(p)); // Computes the optimizer's states as well, and forgets how.
    await reuseMemory(2);
    seen.push(await list(between));
  }
  // The momentum is 1, 1.5, 1.75, 1.875.
  const expected = [10, 18.5, 26.75, 34.875].flatMap((v) => [[v, v + 1], [v - 10, v - 9]]);
  assertEquals(seen, expected);
});
