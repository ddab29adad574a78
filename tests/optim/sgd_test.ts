/**
 * optim.SGD: twenty steps of a small net against PyTorch for every option, eager and compiled; state; what is refused.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError, WgradError } from "../../src/errors.ts";
import { compile, F, nn, ones, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose, assertRelative, assertSameBits } from "../support/close.ts";
import { load, readLines, type Stored } from "../support/golden.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { setWeights, SmallNet } from "../support/nets.ts";
import { bits, uniform } from "../support/random.ts";

interface GoldenSgd {
  options: { lr: number; momentum?: number; dampening?: number; weightDecay?: number; nesterov?: boolean };
  lrAfter10: number | null;
  losses: number[];
  after: Record<string, Stored>;
}

const cases = readLines<GoldenSgd>("sgd.jsonl");
const images = (step: number) => toTensor(uniform(500 + step, [5, 2, 6, 6]));
const labels = (step: number) => tensor(bits(600 + step, 5).map((b) => b % 4));

/** The small net, its optimizer, and one step on a batch. */
function trainer(options: GoldenSgd["options"]) {
  const net = setWeights(new SmallNet(), 400), optimizer = new optim.SGD(net.parameters(), options);
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { net, optimizer, step };
}

async function compare(net: SmallNet, losses: number[], golden: GoldenSgd): Promise<void> {
  assertClose(losses, golden.losses, { rtol: 0, atol: 1e-5, what: "losses" });
  for (const [name, p] of net.namedParameters()) {
    assertRelative(await p.data(), load(golden.after[name]!).data, 1e-5, name);
  }
}

for (const golden of cases) {
  const { options, lrAfter10 } = golden;
  const text = JSON.stringify(options).replaceAll('"', "") + (lrAfter10 === null ? "" : `, then lr ${lrAfter10}`);
  Deno.test(`SGD agrees with PyTorch over 20 steps: ${text}`, async () => {
    const { net, optimizer, step } = trainer(options), losses: Tensor[] = [];
    for (let i = 0; i < 20; i++) {
      if (i === 10 && lrAfter10 !== null) optimizer.lr = lrAfter10;
      losses.push(step(images(i), labels(i)));
    }
    await compare(net, (await values(losses)).map(([loss]) => loss!), golden);
  });

  Deno.test(`SGD agrees with PyTorch over 20 compiled steps: ${text}`, async () => {
    const { net, optimizer, step } = trainer(options), x = images(0), y = labels(0), losses: number[] = [];
    let loss!: Tensor;
    const program = compile(() => loss = step(x, y));
    for (let i = 0; i < 20; i++) {
      if (i === 10 && lrAfter10 !== null) optimizer.lr = lrAfter10;
      x.copy_(images(i));
      y.copy_(labels(i));
      await program.run();
      losses.push(await loss.item());
    }
    await compare(net, losses, golden);
  });
}

Deno.test("SGD's defaults are PyTorch's, and stand in paramGroups", () => {
  const p = tensor([1], { requiresGrad: true }), optimizer = new optim.SGD([p]);
  assertEquals(optimizer.lr, 1e-3);
  assertEquals(optimizer.paramGroups.length, 1);
  const { params, lr, momentum, dampening, weightDecay, nesterov } = optimizer.paramGroups[0]!;
  assertEquals([lr, momentum, dampening, weightDecay, nesterov], [1e-3, 0, 0, 0, false]);
  assert(params.length === 1 && params[0] === p);
});

Deno.test("a parameter without gradient is left alone, weight decay or not", async () => {
  const used = tensor([1, 2], { requiresGrad: true }), unused = tensor([3], { requiresGrad: true });
  const optimizer = new optim.SGD([used, unused], { lr: 0.5, momentum: 0.9, weightDecay: 0.1 });
  used.sum().backward();
  optimizer.step();
  assertClose(await used.data(), [0.45, 1.4]);
  assertEquals([...await unused.data()], [3]);
});

Deno.test("a parameter whose first gradient comes late starts its momentum there", async () => {
  const a = tensor([1], { requiresGrad: true }), b = tensor([1], { requiresGrad: true });
  const optimizer = new optim.SGD([a, b], { lr: 1, momentum: 0.5, dampening: 0.5 });
  a.mul(1).backward();
  optimizer.step(); // a: v = 1
  optimizer.zeroGrad();
  a.add(b).backward();
  optimizer.step(); // a: v = 0.5 + 0.5; b: v = 1, without dampening
  assertClose(await a.data(), [-1]);
  assertClose(await b.data(), [0]);
});

Deno.test("zeroGrad() of the optimizer clears its parameters' gradients", async () => {
  const p = tensor([1], { requiresGrad: true }), optimizer = new optim.SGD([p], { lr: 1 });
  p.mul(3).backward();
  optimizer.zeroGrad();
  assert(p.grad === null || (await p.grad.data()).every((v) => v === 0));
  p.mul(2).backward();
  assertEquals([...await p.grad!.data()], [2]);
});

Deno.test("state that is saved and loaded goes on bit for bit", async () => {
  const options = { lr: 0.05, momentum: 0.9, weightDecay: 0.03, nesterov: true };
  const whole = trainer(options);
  for (let i = 0; i < 8; i++) whole.step(images(i), labels(i));
  const first = trainer(options), second = trainer(options);
  for (let i = 0; i < 4; i++) first.step(images(i), labels(i));
  second.net.loadStateDict(first.net.stateDict());
  second.optimizer.loadStateDict(first.optimizer.stateDict());
  for (let i = 4; i < 8; i++) second.step(images(i), labels(i));
  const [a, e] = [await values(second.net.parameters()), await values(whole.net.parameters())];
  a.forEach((weights, i) => assertSameBits(weights, e[i]!));
});

Deno.test("state of another optimizer is refused, by name", () => {
  const plain = trainer({ lr: 0.1 }).optimizer, other = trainer({ lr: 0.1, momentum: 0.9 }).optimizer;
  assertThrows(() => other.loadStateDict(plain.stateDict()), WgradError, "momentum");
  assertThrows(() => plain.loadStateDict(other.stateDict()), WgradError, "momentum");
});

Deno.test("groups of parameters have options of their own", async () => {
  const [a, b] = [tensor([1], { requiresGrad: true }), tensor([1], { requiresGrad: true })];
  const optimizer = new optim.SGD([{ params: [a], lr: 0.5 }, { params: [b], weightDecay: 1 }], { lr: 0.1 });
  a.add(b).backward();
  optimizer.step();
  assertClose(await a.data(), [0.5]);
  assertClose(await b.data(), [0.8]);
  assertEquals(optimizer.paramGroups.map(({ lr }) => lr), [0.5, 0.1]);
});

Deno.test("options that make no sense are refused at once", () => {
  const p = [tensor([1], { requiresGrad: true })];
  const wrong: object[] = [
    { lr: -1 },
    { lr: NaN },
    { lr: "0.1" },
    { lr: Infinity },
    { lr: 1e39 },
    { momentum: 1e39 },
    { weightDecay: 1e39 },
    { dampening: -1e39, momentum: 0.9 },
    { momentum: "0.9" },
    { weightDecay: null },
    { nesterov: 1, momentum: 0.9 },
    { momentum: -0.1 },
    { weightDecay: -0.1 },
    { dampening: NaN },
    { nesterov: true },
    { nesterov: true, momentum: 0.9, dampening: 0.1 },
    { learningRate: 0.1 },
    { weight_decay: 0.1 },
  ];
  for (const options of wrong) {
    assertThrows(() => new optim.SGD(p, options), UsageError, undefined, JSON.stringify(options));
  }
  assertThrows(() => new optim.SGD([]), WgradError);
  assertThrows(() => new optim.SGD([p[0]!.mul(2)]), WgradError);
  assertThrows(() => new optim.SGD([p[0]!, p[0]!]), WgradError);
  const optimizer = new optim.SGD(p);
  for (const lr of [-1, NaN, 1e39]) assertThrows(() => optimizer.lr = lr, UsageError, "SGD: lr must be");
  assertEquals(optimizer.lr, 1e-3);
});

Deno.test("what is no list of tensors or groups is refused by a typed error that says so", () => {
  const p = tensor([1], { requiresGrad: true }), q = tensor([1], { requiresGrad: true });
  const wrong: [params: unknown, message: string][] = [
    [p, "expected an array of tensors, such as model.parameters(), or of groups { params: [...] }, got a Tensor"],
    [new nn.Linear(1, 1), "got a Linear"],
    [{ params: [p] }, "got an object"],
    [undefined, "got undefined"],
    [[], "there are no parameters"],
    [[p, 3], "expected a Tensor as parameter, got 3"],
    [[p, null], "expected a Tensor as parameter, got null"],
    [new nn.Linear(1, 1).namedParameters(), "expected a Tensor as parameter, got an array"],
    [[{ params: p }], "params of a group must be an array of tensors, got a Tensor"],
    [[{ lr: 1 }], "params of a group must be an array of tensors, got undefined"],
    [[{ params: [p, "q"] }], 'expected a Tensor as parameter, got "q"'],
    [[{ params: [p] }, q], "got a Tensor among groups"],
    [[q, { params: [p] }], "got a Tensor among groups"],
    [[{ params: [p] }, { params: [p] }], "a parameter is given twice"],
    [[{ params: [p], learningRate: 1 }], 'unknown option "learningRate"'],
    [[p.mul(2)], "a parameter is no leaf"],
    [[zeros([1], { dtype: "u32" })], "parameters must be f32, got one of u32"],
  ];
  for (const [params, message] of wrong) {
    assertThrows(() => new optim.SGD(params as Tensor[]), UsageError, message);
  }
});

Deno.test("frozen parameters are taken and left alone, and trained when they are no longer frozen", async () => {
  const net = new nn.Linear(2, 1, { bias: true }), before = await net.weight.data();
  net.weight.requiresGrad = false;
  const optimizer = new optim.SGD(net.parameters(), { lr: 1, momentum: 0.5, weightDecay: 0.1 });
  const step = () => {
    optimizer.zeroGrad();
    net.forward(ones([1, 2])).sum().backward();
    optimizer.step();
  };
  const bias = (await net.bias!.data())[0]!;
  step();
  assertSameBits(await net.weight.data(), before);
  assertClose(await net.bias!.data(), [bias - 1 - 0.1 * bias]);
  net.weight.requiresGrad = true;
  step();
  assertClose(await net.weight.data(), [...before].map((v) => v - 1 - 0.1 * v));
});

Deno.test("the list of parameters is copied", () => {
  const params = [tensor([1], { requiresGrad: true })], optimizer = new optim.SGD(params, { momentum: 0.5 });
  params.push(tensor([2], { requiresGrad: true }));
  assertEquals(optimizer.paramGroups[0]!.params.length, 1);
});

Deno.test("loadStateDict() takes all or nothing: types, shapes and names are checked first", async () => {
  const make = () => {
    const params = [tensor([1, 2], { requiresGrad: true }), tensor([3], { requiresGrad: true })];
    return new optim.SGD(params, { momentum: 0.5 });
  };
  const optimizer = make(), before = await values([...optimizer.stateDict().values()]);
  const first = ones([2]),
    wrong: [state: unknown, message: string][] = [
      [{}, "expected a Map of tensors by name, as stateDict() gives, got an object"],
      [[], "got an array"],
      [new Map([["0.momentum.0", first]]), "missing 0.momentum.1"],
      [new Map([["0.momentum.0", first], ["0.momentum.1", ones([2])]]), "0.momentum.1 has shape [2] instead of [1]"],
      [
        new Map([["0.momentum.0", first], ["0.momentum.1", zeros([1], { dtype: "u32" })]]),
        "0.momentum.1 is u32 instead of f32",
      ],
      [new Map<string, unknown>([["0.momentum.0", first], ["0.momentum.1", [1]]]), "is an array instead of a Tensor"],
      [new Map([...make().stateDict(), ["lr", first]]), "unexpected lr"],
    ];
  for (const [state, message] of wrong) {
    assertThrows(() => optimizer.loadStateDict(state as Map<string, Tensor>), UsageError, message);
  }
  (await values([...optimizer.stateDict().values()])).forEach((one, i) => assertSameBits(one, before[i]!));
  optimizer.loadStateDict(new Map([["0.momentum.0", first], ["0.momentum.1", ones([1])]]));
  assertEquals((await values([...optimizer.stateDict().values()])).map((one) => [...one]), [[1, 1], [1]]);
});
