/**
 * compile(): a program of n steps does what n eager steps do, allocates nothing after its first run, and repeats bit for
 * bit.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WgradError } from "../../src/errors.ts";
import { collectGarbage } from "../support/collect.ts";
import { counters } from "../support/counters.ts";
import { compile, F, manualSeed, nn, noGrad, ones, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { bits, uniform } from "../support/random.ts";

/** A small net with every kind of layer, its optimizer, a batch, and one training step. */
function trainer(seed = 0) {
  manualSeed(seed);
  const net = new nn.Sequential(
    new nn.Conv2d(2, 3, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(27, 5),
  );
  const optimizer = new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true });
  const images = toTensor(uniform(1, [3, 2, 6, 6])), labels = tensor(bits(2, 3).map((b) => b % 5));
  const step = (): Tensor => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net.forward(images), labels);
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { net, optimizer, images, labels, step };
}

/** A training step, compiled, with the tensor that holds its last loss. */
function compiled(seed = 0) {
  const parts = trainer(seed);
  let loss!: Tensor;
  const program = compile(() => loss = parts.step());
  return { ...parts, program, loss };
}

Deno.test("run(n) equals n eager steps: weights and last loss", async () => {
  const eager = trainer(), { net, program, loss } = compiled();
  for (const steps of [1, 2, 7]) {
    let expected!: Tensor;
    for (let i = 0; i < steps; i++) expected = eager.step();
    await program.run(steps);
    assertClose([await loss.item()], [await expected.item()]);
    const [a, e] = [await values(net.parameters()), await values(eager.net.parameters())];
    a.forEach((weights, i) => assertClose(weights, e[i]!, { what: net.namedParameters()[i]![0] }));
  }
});

Deno.test("compiling runs nothing: the weights move with run() alone", async () => {
  const { net, program } = compiled(), untouched = trainer().net;
  const [a, e] = [await values(net.parameters()), await values(untouched.parameters())];
  a.forEach((weights, i) => assertSameBits(weights, e[i]!));
  await program.run();
  assert((await net.parameters()[0]!.data()).some((v, i) => v !== e[0]![i]));
});

Deno.test("the same seed twice gives bit-equal weights, however the steps are split into runs", async () => {
  const train = async (...runs: number[]) => {
    const { net, program } = compiled(5);
    for (const n of runs) await program.run(n);
    return await values(net.parameters());
  };
  const [once, again, split] = [await train(20), await train(20), await train(1, 12, 7)];
  once.forEach((weights, i) => {
    assertSameBits(weights, again[i]!);
    assertSameBits(weights, split[i]!);
  });
  const other = compiled(6);
  await other.program.run(20);
  assert((await other.net.parameters()[0]!.data()).some((v, i) => v !== once[0]![i]));
});

Deno.test("after the first run nothing is created: no buffer, pipeline or bind group", async () => {
  const { program, loss } = compiled();
  await program.run(3);
  await loss.item();
  await program.run(1);
  await loss.item();
  const before = { ...counters };
  await program.run(100);
  await loss.item();
  const { submits, dispatches, ...created } = before;
  for (const name of Object.keys(created) as (keyof typeof created)[]) {
    assertEquals(counters[name], created[name], `${name} changed over run(100)`);
  }
  assert(counters.dispatches - dispatches >= 100, "the steps were not dispatched");
  assert(counters.submits - submits <= 50, `${counters.submits - submits} submits for 100 steps`);
});

Deno.test("eager training does not grow: replaced weights are collected, and their memory is used again", async () => {
  const net = new nn.Linear(1024, 1024), optimizer = new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = ones([1, 1024]), before = counters.bytesLive;
  for (let i = 0; i < 100; i++) {
    optimizer.zeroGrad();
    const loss = net.forward(x).sum();
    loss.backward();
    optimizer.step();
    await loss.item();
    if (i % 10 === 9) await collectGarbage();
  }
  // Each step leaves 8 MiB of old weights and momenta.
  const grown = (counters.bytesLive - before) / 2 ** 20;
  assert(grown < 400, `${grown} MiB more after 100 steps, which made 800`);
});

Deno.test("a counter in place advances once a step", async () => {
  const count = zeros([1]);
  const program = compile(() => count.add_(1));
  await program.run(10);
  assertEquals(await count.item(), 10);
  await program.run();
  assertEquals(await count.item(), 11);
});

Deno.test("a program reads what copy_() put into its input between runs", async () => {
  const x = zeros([3]), total = zeros([3]);
  let y!: Tensor;
  const program = compile(() => {
    total.add_(x);
    return y = x.mul(2);
  });
  for (const value of [1, 5, -3]) {
    x.copy_(tensor([value, value, value]));
    await program.run();
    assertEquals([...await y.data()], [2 * value, 2 * value, 2 * value]);
  }
  assertEquals([...await total.data()], [3, 3, 3]);
});

Deno.test("weights changed between runs are used by the next", async () => {
  const { net, program, loss } = compiled(), weights = net.parameters();
  await program.run(5);
  noGrad(() => weights.forEach((p) => p.zero_()));
  await program.run(1);
  assertClose([await loss.item()], [Math.log(5)]); // all logits are 0
});

Deno.test("optimizer.lr set between runs is used by the next", async () => {
  const { net, optimizer, program } = compiled();
  await program.run(2);
  const before = await net.parameters()[0]!.data();
  optimizer.lr = 0;
  await program.run(3);
  assertSameBits(await net.parameters()[0]!.data(), before);
  optimizer.lr = 0.1;
  await program.run(1);
  assert((await net.parameters()[0]!.data()).some((v, i) => v !== before[i]));
});

Deno.test("two programs share weights: one trains, one evaluates", async () => {
  const { net, images, labels, program } = compiled();
  let loss!: Tensor;
  const evaluate = compile(() => loss = noGrad(() => F.crossEntropy(net.forward(images), labels)));
  const losses: number[] = [];
  for (let i = 0; i < 4; i++) {
    await evaluate.run();
    losses.push(await loss.item());
    const eager = F.crossEntropy(net.forward(images), labels);
    assertClose([losses.at(-1)!], [await eager.item()]);
    await program.run(5);
  }
  assert(losses.every((v, i) => i === 0 || v < losses[i - 1]!), `the loss does not fall: ${losses}`);
});

Deno.test("a program that changes nothing gives the same each time", async () => {
  const x = toTensor(uniform(3, [4, 4]));
  let y!: Tensor;
  const program = compile(() => y = x.matmul(x).relu());
  await program.run(3);
  const first = await y.data();
  await program.run(2);
  assertSameBits(await y.data(), first);
  assertClose(await x.matmul(x).relu().data(), first);
});

Deno.test("several returned tensors hold the last step's values", async () => {
  const x = zeros([2]);
  let pair!: [Tensor, Tensor];
  const program = compile(() => {
    x.add_(1);
    return pair = [x.mul(2), x.neg()];
  });
  await program.run(4);
  assertEquals([[...await pair[0].data()], [...await pair[1].data()]], [[8, 8], [-4, -4]]);
});

Deno.test("gradients that the step returns are read after it; those from before stay", async () => {
  const x = tensor([1, 2], { requiresGrad: true });
  x.mul(7).sum().backward();
  let grad!: Tensor;
  const program = compile(() => {
    x.grad = null;
    x.mul(x).sum().backward();
    return grad = x.grad!;
  });
  await program.run(3);
  assertEquals([...await grad.data()], [2, 4]);
  assertEquals([...await x.grad!.data()], [7, 7]);
});

Deno.test("run() refuses a count that is none", async () => {
  const { program } = compiled();
  for (const n of [-1, 0.5, NaN, Infinity]) await assertRejects(() => program.run(n), WgradError);
});

Deno.test("an exception inside compile() comes out, and leaves the library usable", async () => {
  assertThrows(
    () =>
      compile(() => {
        throw new RangeError("inside");
      }),
    RangeError,
    "inside",
  );
  assertThrows(() => compile(() => zeros([2]).add(zeros([3]))), WgradError);
  assertEquals(await tensor([1, 2]).sum().item(), 3);
});

Deno.test("a program of 1,000 short steps", async () => {
  const x = tensor([1, 2, 3]);
  const program = compile(() => x.mul_(0.5).add_(1));
  await program.run(1000);
  assertClose(await x.data(), [2, 2, 2]);
});
