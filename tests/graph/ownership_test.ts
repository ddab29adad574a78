/**
 * What a program takes for given, what it makes anew in each step, and what stays when weights are overwritten: the same
 * as if each step were run eagerly.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GpuError, WgradError } from "../../src/errors.ts";
import { counters } from "../support/counters.ts";
import { compile, F, full, nn, noGrad, ones, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose } from "../support/close.ts";

const list = async (x: Tensor) => [...await x.data()];
const parameter = (...values: number[]) => tensor(values, { requiresGrad: true });

/** A step of gradient 1 on every parameter. */
function step(optimizer: optim.SGD, params: readonly Tensor[]): void {
  optimizer.zeroGrad();
  params.map((p) => p.sum()).reduce((a, b) => a.add(b)).backward();
  optimizer.step();
}

Deno.test("a rate that was set before compile() and again between runs", async () => {
  const p = parameter(0), optimizer = new optim.SGD([p], { lr: 1 });
  optimizer.lr = 0.5;
  const program = compile(() => step(optimizer, [p]));
  await program.run();
  optimizer.lr = 0.05;
  await program.run();
  assertClose(await list(p), [-0.55]);
});

Deno.test("weights that were loaded and never read, in a program that trains and one that tests", async () => {
  const net = new nn.Linear(1, 1, { bias: false }), x = ones([1, 1]);
  net.loadStateDict(new Map([["weight", full([1, 1], 2)]]));
  const test = compile(() => net.forward(x)),
    train = compile(() => step(new optim.SGD([net.weight], { lr: 1 }), [net.weight]));
  await test.run();
  assertEquals(await test.result.item(), 2);
  await train.run();
  await test.run();
  assertEquals(await test.result.item(), 1);
});

Deno.test("what was recorded before compile() keeps its meaning", async () => {
  const a = tensor([1]), b = a.add(1), program = compile(() => b.mul(10));
  a.add_(10);
  await program.run();
  assertEquals(await program.result.item(), 20);
});

Deno.test("a result, or an intermediate, that is read before the first run", async () => {
  const x = tensor([1]);
  let middle!: Tensor;
  const program = compile(() => (middle = x.mul(2)).mul(3));
  assertEquals([await program.result.item(), await middle.item()], [6, 2]);
  x.copy_(tensor([10]));
  await program.run();
  assertEquals(await program.result.item(), 60);
});

Deno.test("tensors made in the step are made anew by each step", async () => {
  const x = tensor([1]), p = parameter(1), optimizer = new optim.SGD([p], { lr: 0.1 });
  const counted = compile(() => zeros([1]).add_(1)), changed = compile(() => x.mul(2).add_(1));
  const scaled = compile(() => {
    optimizer.zeroGrad();
    p.mul(p).sum().backward();
    noGrad(() => p.grad!.mul_(0.5));
    optimizer.step();
  });
  const momentum = parameter(0),
    fresh = compile(() => step(new optim.SGD([momentum], { lr: 1, momentum: 0.9 }), [momentum]));
  await counted.run(3);
  await changed.run();
  x.copy_(tensor([5]));
  await changed.run();
  await scaled.run(3);
  await fresh.run(2);
  assertEquals([await counted.result.item(), await changed.result.item(), await momentum.item()], [1, 11, -2]);
  assertClose(await list(p), [0.729]);
});

Deno.test("elements cannot be read while a step is recorded", async () => {
  const p = parameter(0), optimizer = new optim.SGD([p], { lr: 1 });
  let reading: Promise<unknown> | undefined;
  const program = compile(() => {
    step(optimizer, [p]);
    reading = p.data();
    reading.catch(() => {});
  });
  await assertRejects(() => reading!, WgradError, "while a step is recorded");
  await program.run(3);
  assertEquals(await p.item(), -3);
});

Deno.test("compile() refuses a step that is async", () => {
  assertThrows(() => compile(async () => await Promise.resolve(1)), WgradError, "async");
});

Deno.test("old weights stay readable through views, detached and fused readers", async () => {
  const make = () => new nn.Linear(1, 1, { bias: false }), x = ones([1, 1]);
  for (const run of [(fn: () => void) => fn(), async (fn: () => void) => await compile(fn).run()]) {
    const net = make(), optimizer = new optim.SGD([net.weight], { lr: 1 });
    net.loadStateDict(new Map([["weight", full([1, 1], 2)]]));
    const before = zeros([1, 1]), times = zeros([1, 1]), fused = zeros([1, 1]);
    await run(() => {
      const old = net.weight.detach(), out = net.forward(x);
      step(optimizer, [net.weight]);
      before.copy_(old);
      times.copy_(old.mul(10));
      fused.copy_(noGrad(() => out.relu()));
    });
    assertEquals([await list(before), await list(times), await list(fused)], [[2], [20], [2]]);
    assertEquals(await list(net.weight), [1]);
  }
});

Deno.test("two losses recorded, one optimizer's step, then the other's gradient", async () => {
  const d = parameter(2), g = parameter(3), od = new optim.SGD([d], { lr: 1 }), og = new optim.SGD([g], { lr: 1 });
  const both = () => {
    const first = d.mul(1).sum(), second = d.mul(g).sum();
    od.zeroGrad();
    first.backward();
    od.step(); // d = 1.
    og.zeroGrad();
    second.backward(); // dg = the d of then, 2.
    og.step();
  };
  both();
  assertEquals([await d.item(), await g.item()], [1, 1]);
  await compile(both).run();
  assertEquals([await d.item(), await g.item()], [0, 0]);
});

Deno.test("several steps of one optimizer, and two optimizers, in one program", async () => {
  for (const momentum of [0, 0.9]) {
    const eager = parameter(0), compiled = parameter(0), options = { lr: 0.1, momentum };
    const a = new optim.SGD([eager], options), b = new optim.SGD([compiled], options);
    for (let i = 0; i < 6; i++) step(a, [eager]);
    await compile(() => {
      for (let i = 0; i < 3; i++) step(b, [compiled]);
    }).run(2);
    assertClose(await list(compiled), await list(eager));
  }
  const p = parameter(1), q = parameter(1), one = new optim.SGD([p, q], { lr: 1 }), two = new optim.SGD([p], { lr: 9 });
  await compile(() => {
    noGrad(() => p.mul_(0.5));
    step(one, [p, q]);
    step(two, [p]);
  }).run();
  assertEquals([await p.item(), await q.item()], [-9.5, 0]);
});

Deno.test("operations that change nothing still give a tensor of its own", async () => {
  const x = ones([2, 3]), program = compile(() => x.flatten(1).mul(1));
  await program.run();
  x.copy_(full([2, 3], 5));
  await program.run();
  assertEquals((await list(program.result))[0], 5);

  const y = ones([2]), same = y.reshape([2]);
  await compile(() => {
    y.add_(1);
    same.mul_(5);
  }).run();
  assertEquals([await list(y), await list(same)], [[2, 2], [5, 5]]);

  const p = parameter(1, 2), before = p.flatten(), view = p.flatten();
  view.dispose();
  noGrad(() => p.add_(1));
  assertEquals([await list(before), await list(p)], [[1, 2], [2, 3]]);

  const a = parameter(1), b = parameter(1);
  a.add(b).sum().backward();
  a.dispose();
  assertEquals(await list(b.grad!), [1]);
});

Deno.test("gradients end where a transposed matrix was recorded without them", async () => {
  const w = parameter(1, 2).reshape([1, 2]), leaf = tensor([[1, 2]], { requiresGrad: true }), v = ones([1, 2]);
  const constant = noGrad(() => leaf.t());
  v.matmul(constant).add(w.sum()).sum().backward();
  assertEquals(leaf.grad, null);
  const own = noGrad(() => leaf.t());
  own.requiresGrad = true;
  v.matmul(own).sum().backward();
  assertEquals([await list(own.grad!), leaf.grad], [[1, 1], null]);
});

Deno.test("a program keeps what it reads, though nothing else does", async () => {
  const x = tensor([1]), program = compile(() => F.mseLoss(x.mul(2).add(3), tensor([0])));
  await program.run();
  for (let i = 0; i < 300; i++) await tensor([i, 77]).mul(1.5).data(); // Garbage, and memory to take.
  await program.run();
  assertEquals(await program.result.item(), 25);
});

Deno.test("a run that cannot be built leaves the tensors as they were", async () => {
  const p = parameter(1), optimizer = new optim.SGD([p], { lr: 1 });
  const program = compile(() => {
    optimizer.zeroGrad();
    p.expand([1 << 26]).mul(1).sum().backward();
    optimizer.step();
  });
  await assertRejects(() => program.run(), GpuError, "does not fit");
  assertEquals(await p.item(), 1);
  step(optimizer, [p]);
  assertEquals(await p.item(), 0);
});

Deno.test("matrices of more rows, and batches of more matrices, than a grid has", async () => {
  const rows = await ones([262_148, 4]).matmul(ones([4, 4])).data();
  const batch = await ones([65_536, 1, 4]).matmul(ones([4, 1])).data();
  assert(rows.every((one) => one === 4) && batch.every((one) => one === 4));
});

Deno.test("large pools behind convolutions, and large kernels", async () => {
  for (const [height, width, pool] of [[1, 32, [1, 32]], [10, 10, 5], [16, 16, 8]] as const) {
    const x = ones([1, 2, height, width], { requiresGrad: true }), w = full([1, 2, 1, 1], 3, { requiresGrad: true });
    const y = F.maxPool2d(F.conv2d(x, w), pool);
    y.sum().backward();
    assertClose(await y.data(), new Array(y.numel).fill(6));
    assertClose(await list(w.grad!), [y.numel, y.numel]);
    assertClose([await x.grad!.sum().item()], [6 * y.numel]);
  }
  const x = ones([1, 1, 30, 30]), w = ones([1, 1, 28, 28], { requiresGrad: true });
  F.conv2d(x, w).sum().backward();
  assertClose(await w.grad!.data(), new Array(784).fill(9));
});

Deno.test("an eager step with momentum that nothing read, then a program that reads the weights", async () => {
  const p = parameter(1), optimizer = new optim.SGD([p], { lr: 0.25, momentum: 0.9 });
  p.sum().backward();
  p.grad!.fill_(2);
  optimizer.step();
  const program = compile(() => noGrad(() => p.mul(1)));
  await program.run();
  assertEquals([await list(program.result), await list(noGrad(() => p.mul(1))), await list(p)], [[0.5], [0.5], [0.5]]);
});

Deno.test("a pool of one place behind a convolution", async () => {
  const x = ones([1, 1, 3, 3], { requiresGrad: true }), w = full([1, 1, 2, 2], 2);
  F.maxPool2d(F.conv2d(x, w), 1).sum().backward();
  assertEquals(await list(x.grad!), [2, 4, 2, 4, 8, 4, 2, 4, 2]);
});

Deno.test("a run that is refused, since a tensor was disposed of, changes nothing", async () => {
  const x = tensor([1]),
    program = compile(() => {
      x.add_(1);
      return x.mul(2);
    });
  await program.run();
  program.result.dispose();
  await assertRejects(() => program.run(), WgradError, "disposed");
  assertEquals(await x.item(), 2);
});

Deno.test("a program that reads another one's result, whichever is built first", async () => {
  const x = tensor([1]), a = compile(() => x.mul(2)), b = compile(() => a.result.add(1));
  await b.run();
  assertEquals(await b.result.item(), 3);
  x.copy_(tensor([5]));
  await a.run();
  await b.run();
  assertEquals(await b.result.item(), 11);
  const c = compile(() => x.mul(3)), d = compile(() => c.result.add(1));
  await c.dispatches();
  await d.run();
  assertEquals(await d.result.item(), 16);
  x.copy_(tensor([7]));
  await c.run();
  await d.run();
  assertEquals([await d.result.item(), await c.result.item()], [22, 21]);
});

Deno.test("runs that fail in a queue leave what was recorded before, and what comes after, right", async () => {
  const p = parameter(1), optimizer = new optim.SGD([p], { lr: 1 });
  const good = compile(() => noGrad(() => p.add_(1)));
  const bad = compile(() => {
    optimizer.zeroGrad();
    p.expand([1 << 26]).mul(1).sum().backward();
    optimizer.step();
  });
  await good.run();
  const before = p.detach(), runs = [bad.run(), bad.run(), good.run()];
  assertEquals((await Promise.allSettled(runs)).map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
  assertEquals([await before.item(), await p.item()], [2, 3]);
  noGrad(() => p.fill_(7));
  await assertRejects(() => bad.run(), GpuError);
  assertEquals(await p.item(), 7);
  await good.run();
  assertEquals(await p.item(), 8);
});

Deno.test("backward() in a step, of a graph from before a change in place", async () => {
  const x = parameter(2), loss = x.mul(x).sum();
  noGrad(() => x.fill_(5));
  const program = compile(() => {
    x.grad = null;
    loss.backward();
    return x.grad!;
  });
  await program.run();
  assertEquals(await list(program.result), [4]);
});

Deno.test("what is recorded from a result before the first run has the elements of then", async () => {
  const x = tensor([1]),
    program = compile(() => {
      const y = x.mul(2);
      x.add_(1);
      return y;
    });
  const twice = program.result.mul(2);
  await program.run(2);
  assertEquals([await twice.item(), await program.result.item(), await x.item()], [4, 4, 3]);
});

Deno.test("a state that was loaded may be disposed of once it was used", async () => {
  const net = new nn.Linear(1, 1, { bias: false }), state = full([1, 1], 2), x = ones([1, 1]);
  net.loadStateDict(new Map([["weight", state]]));
  const train = compile(() => step(new optim.SGD([net.weight], { lr: 1 }), [net.weight])),
    test = compile(() => net.forward(x));
  await train.run();
  state.dispose();
  await test.run();
  assertEquals(await test.result.item(), 1);
});

Deno.test("a tensor that lost what it needs spoils no other's reading", async () => {
  const a = tensor([1]), b = tensor([2]);
  await b.data();
  a.add_(b);
  b.dispose();
  assertEquals(await ones([1]).add(1).item(), 2);
  await assertRejects(() => a.data(), WgradError, "disposed");
});

Deno.test("run() within a step is refused", () => {
  const x = tensor([1]), inner = compile(() => x.add_(1));
  let run!: Promise<void>;
  compile(() => {
    run = inner.run();
    run.catch(() => {});
  });
  return assertRejects(() => run, WgradError, "being recorded").then(() => {});
});

Deno.test("programs make no copies of weights that nothing outside reads", async () => {
  const net = nn.models.lenet(), optimizer = new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = ones([1, 3, 32, 32]), y = tensor(Uint32Array.of(1));
  const program = compile(() => {
    optimizer.zeroGrad();
    F.crossEntropy(net.forward(x), y).backward();
    optimizer.step();
  });
  await program.dispatches();
  const before = counters.bytesLive;
  await program.run();
  assertEquals(counters.bytesLive, before);
});
