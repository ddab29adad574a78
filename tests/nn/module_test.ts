/**
 * Module: names and their order, state dictionaries, train and eval, the layers' own forward; PyTorch's initialisation.
 */
import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ShapeError, WgradError } from "../../src/errors.ts";
import { F, manualSeed, nn, noGrad, ones, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { uniform } from "../support/random.ts";

const lenetNames = ["conv1", "conv2", "fc1", "fc2", "fc3"].flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);
const lenetShapes = [[6, 3, 5, 5], [6], [16, 6, 5, 5], [16], [120, 400], [120], [84, 120], [84], [10, 84], [10]];

/** Children two deep, one of them under two names. */
class Shared extends nn.Module {
  first = new nn.Linear(2, 3);
  body = new nn.Sequential(new nn.ReLU(), new nn.Linear(3, 3, { bias: false }));
  again = this.first;

  override forward(x: Tensor): Tensor {
    return this.body.forward(this.first.forward(x));
  }
}

Deno.test("parameters, their names, shapes and order are PyTorch's", () => {
  for (const [net, channels] of [[nn.models.lenet(), 3], [nn.models.lenetGray(), 1]] as const) {
    const named = net.namedParameters();
    assertEquals(named.map(([name]) => name), lenetNames);
    assertEquals(named.map(([, p]) => [...p.shape]), [[6, channels, 5, 5], ...lenetShapes.slice(1)]);
    assertEquals([...net.stateDict().keys()], lenetNames);
    named.forEach(([, p], i) => assertStrictEquals(p, net.parameters()[i]));
    assert(named.every(([, p]) => p.requiresGrad && p.isLeaf && p.dtype === "f32"));
  }
});

Deno.test("a shared child's parameters are listed once, and stand in the state under both names", () => {
  const net = new Shared();
  assertEquals(net.namedParameters().map(([name]) => name), ["first.weight", "first.bias", "body.1.weight"]);
  assertEquals(net.parameters().length, 3);
  assertEquals([...net.stateDict().keys()], [
    "first.weight",
    "first.bias",
    "body.1.weight",
    "again.weight",
    "again.bias",
  ]);
  assertEquals(net.namedModules().map(([name]) => name), ["", "first", "body", "body.0", "body.1"]);
  assertStrictEquals(net.namedModules()[0]![1], net);
});

Deno.test("without bias there is no bias", () => {
  const names = (net: nn.Module) => net.namedParameters().map(([name]) => name);
  assertEquals(names(new nn.Linear(2, 3, { bias: false })), ["weight"]);
  assertEquals(names(new nn.Conv2d(2, 3, 1, { bias: false })), ["weight"]);
  assertEquals(names(new nn.Conv2d(2, 3, 1)), ["weight", "bias"]);
  assertEquals(names(new nn.Sequential(new nn.ReLU(), new nn.Flatten(), new nn.MaxPool2d(2))), []);
});

Deno.test("loadStateDict() copies values: the same logits, bit for bit, and no shared memory", async () => {
  const from = nn.models.lenet(), to = nn.models.lenet(), x = toTensor(uniform(1, [2, 3, 32, 32]));
  const before = to.parameters();
  to.loadStateDict(from.stateDict());
  to.parameters().forEach((p, i) => assertStrictEquals(p, before[i]));
  assertSameBits(await to.forward(x).data(), await from.forward(x).data());
  noGrad(() => from.parameters()[0]!.zero_());
  assert((await to.parameters()[0]!.data()).some((v) => v !== 0), "the weights are shared");
  assert(to.parameters().every((p) => p.requiresGrad && p.isLeaf));
});

Deno.test("loadStateDict() names every key that is missing, unexpected or of another shape, and changes nothing", async () => {
  const net = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 4));
  const before = await values(net.parameters());
  const change = (edit: (state: Map<string, Tensor>) => void) => {
    const state = new Map(new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 4)).stateDict());
    edit(state);
    return assertThrows(() => net.loadStateDict(state), WgradError).message;
  };
  const includes = (text: string, ...parts: string[]) => {
    for (const part of parts) assert(text.includes(part), `"${text}" does not name ${part}`);
  };
  includes(change((s) => s.delete("0.bias")), "0.bias", "missing");
  includes(change((s) => s.set("2.weight", zeros([1]))), "2.weight", "unexpected");
  includes(change((s) => s.set("1.weight", zeros([3, 4]))), "1.weight", "3, 4", "4, 3");
  includes(change((s) => (s.delete("0.weight"), s.delete("1.bias"))), "0.weight", "1.bias");
  includes(change((s) => (s.delete("0.weight"), s.set("fc.weight", zeros([1])))), "0.weight", "fc.weight");
  (await values(net.parameters())).forEach((weights, i) => assertSameBits(weights, before[i]!));
});

Deno.test("loadStateDict() refuses what is no map of tensors, and changes nothing", async () => {
  const net = new nn.Linear(1, 2), before = await values(net.parameters());
  const gone = ones([2]);
  gone.dispose();
  const weight = ones([2, 1]),
    wrong: [unknown, string][] = [
      [{}, "expected a Map of tensors by name, as stateDict() gives, got an object"],
      [{ weight, bias: ones([2]) }, "expected a Map"],
      [undefined, "got undefined"],
      [new Map<string, unknown>([["weight", weight], ["bias", [1, 2]]]), "bias is an array instead of a Tensor"],
      [new Map<string, unknown>([["weight", weight], ["bias", undefined]]), "bias is undefined instead of a Tensor"],
      [new Map([["weight", weight], ["bias", zeros([2], { dtype: "u32" })]]), "bias is u32 instead of f32"],
      [new Map([["weight", weight], ["bias", gone]]), "disposed"],
    ];
  for (const [state, message] of wrong) {
    assertThrows(() => net.loadStateDict(state as Map<string, Tensor>), WgradError, message);
  }
  (await values(net.parameters())).forEach((weights, i) => assertSameBits(weights, before[i]!));
});

Deno.test("loadStateDict() reads the state before it changes anything, so that parameters can change places", async () => {
  const net = new nn.Sequential(new nn.Linear(2, 2, { bias: false }), new nn.Linear(2, 2, { bias: false }));
  const [a, b] = await values(net.parameters()), [first, second] = net.parameters();
  net.loadStateDict(new Map([["0.weight", second!], ["1.weight", first!]]));
  assertSameBits(await first!.data(), b!);
  assertSameBits(await second!.data(), a!);
});

/** Parameters of its own, and tensors that are none. */
class Scaled extends nn.Module {
  fc = new nn.Linear(2, 2);
  scale = tensor([2], { requiresGrad: true });
  shift = zeros([2]);
  steps = tensor(new Uint32Array(1));
  seen: Tensor | null = null;

  override forward(x: Tensor): Tensor {
    return this.seen = this.fc.forward(x).mul(this.scale).add(this.shift);
  }
}

Deno.test("frozen parameters stay parameters, in the state too; other tensors are none", async () => {
  const net = new Scaled(), names = ["scale", "fc.weight", "fc.bias"];
  // Frozen before anything has looked at them.
  for (const p of [net.fc.weight, net.fc.bias!, net.scale]) p.requiresGrad = false;
  assertEquals(net.namedParameters().map(([name]) => name), names);
  assertEquals([...net.stateDict().keys()], names);
  assertEquals(net.parameters().length, 3);

  const other = new Scaled();
  net.loadStateDict(other.stateDict());
  assertSameBits(await net.fc.weight.data(), await other.fc.weight.data());
  assert(net.parameters().every((p) => !p.requiresGrad));

  net.fc.weight.requiresGrad = true;
  net.forward(ones([1, 2])).sum().backward();
  assertEquals(net.parameters().map((p) => p.grad !== null), [false, true, false]);
  // The output that the module keeps requires a gradient, but was computed.
  assert(net.seen!.requiresGrad);
  assertEquals([...net.stateDict().keys()], names);
});

Deno.test("a tensor that is told to require gradients after it was made is a parameter from when that is seen", () => {
  const net = new Scaled();
  net.shift.requiresGrad = true;
  assertEquals(net.namedParameters().map(([name]) => name), ["scale", "shift", "fc.weight", "fc.bias"]);
  net.shift.requiresGrad = false;
  assertEquals(net.parameters().length, 4);
});

/** Buffers of its own, one of which is no part of the state, and of a child that stands under two names. */
class Counted extends nn.Module {
  first = new nn.BatchNorm2d(2);
  scale = tensor([2], { requiresGrad: true });
  again = this.first;
  mean = this.registerBuffer("running_mean", ones([3]));
  seen = this.registerBuffer("seen", ones([1], { requiresGrad: true }), { persistent: false });

  override forward(x: Tensor): Tensor {
    return this.first.forward(x);
  }
}

Deno.test("buffers are part of the state, but no parameters, in PyTorch's order", async () => {
  const net = new Counted(), stats = ["running_mean", "running_var", "num_batches_tracked"];
  const own = (name: string) => stats.map((one) => `${name}.${one}`);
  assertEquals(net.namedBuffers().map(([name]) => name), ["running_mean", "seen", ...own("first")]);
  assertEquals(net.namedParameters().map(([name]) => name), ["scale", "first.weight", "first.bias"]);
  net.buffers().forEach((one, i) => assertStrictEquals(one, net.namedBuffers()[i]![1]));
  const child = (name: string) => [`${name}.weight`, `${name}.bias`, ...own(name)];
  assertEquals([...net.stateDict().keys()], ["scale", "running_mean", ...child("first"), ...child("again")]);

  net.first.forward(ones([1, 2, 1, 2]));
  const other = new Counted();
  other.loadStateDict(net.stateDict());
  assertEquals(await values(other.first.buffers()), [
    Float32Array.of(0.1, 0.1).map(Math.fround),
    Float32Array.of(0.9, 0.9),
    Uint32Array.of(1),
  ]);
  const state = net.stateDict();
  state.delete("first.running_var");
  assertThrows(() => other.loadStateDict(state), WgradError, "missing first.running_var");
});

Deno.test("registerBuffer() replaces a buffer, and refuses what is none", () => {
  const net = new Counted(), buffer = zeros([2]);
  assertStrictEquals(net.registerBuffer("seen", buffer), buffer);
  assert(net.buffers().includes(buffer) && [...net.stateDict().keys()].includes("seen"));
  const wrong: [unknown[], string][] = [
    [["a.b", buffer], 'registerBuffer: expected a name without dots, got "a.b"'],
    [["", buffer], "got"],
    [[3, buffer], "got 3"],
    [["a", 1], 'expected a Tensor for "a", got 1'],
    [["a", null], "got null"],
    [["scale", buffer], '"scale" is the name of a parameter or a child'],
    [["first", buffer], '"first" is the name of a parameter or a child'],
    [["a", buffer, { persist: true }], "unknown option"],
    [["a", buffer, { persistent: 1 }], "persistent must be true or false, got 1"],
  ];
  for (const [args, message] of wrong) {
    assertThrows(() => net.registerBuffer(...args as [string, Tensor]), ShapeError, message);
  }
  assertEquals(net.namedBuffers().filter(([name]) => name === "a"), []);
});

Deno.test("train() and eval() reach every module and return the module", () => {
  const net = new Shared(), all = () => net.namedModules().map(([, module]) => module.training);
  assertEquals(all(), [true, true, true, true, true]);
  assertStrictEquals(net.eval(), net);
  assertEquals(all(), [false, false, false, false, false]);
  assertStrictEquals(net.train(), net);
  assertEquals(all(), [true, true, true, true, true]);
  net.train(false);
  assertEquals(net.body.training, false);
});

Deno.test("zeroGrad() clears every gradient", async () => {
  const net = new Shared();
  const step = () => net.forward(ones([2, 2])).sum().backward();
  step();
  const once = await values(net.parameters().map((p) => p.grad!));
  net.zeroGrad();
  for (const p of net.parameters()) assert(p.grad === null || (await p.grad.data()).every((v) => v === 0));
  step();
  (await values(net.parameters().map((p) => p.grad!))).forEach((grad, i) => assertClose(grad, once[i]!));
});

Deno.test("the layers do what the functions of their name do", async () => {
  const x = toTensor(uniform(2, [2, 4, 7, 6])), options = { stride: 2, padding: 1, dilation: 1, groups: 2 };
  const conv = new nn.Conv2d(4, 6, [3, 2], options), plain = new nn.Conv2d(4, 6, 3, { bias: false });
  const linear = new nn.Linear(6, 5), labels = tensor(new Uint32Array([1, 3])), logits = toTensor(uniform(3, [2, 5]));
  const loss = { labelSmoothing: 0.2, reduction: "sum" } as const;
  const pairs: [Tensor, Tensor][] = [
    [conv.forward(x), F.conv2d(x, conv.weight, conv.bias ?? undefined, options)],
    [plain.forward(x), F.conv2d(x, plain.weight)],
    [linear.forward(x), F.linear(x, linear.weight, linear.bias ?? undefined)],
    [new nn.MaxPool2d(3, { stride: 2, padding: 1 }).forward(x), F.maxPool2d(x, 3, { stride: 2, padding: 1 })],
    [new nn.MaxPool2d([2, 3]).forward(x), F.maxPool2d(x, [2, 3])],
    [new nn.ReLU().forward(x), F.relu(x)],
    [new nn.Flatten().forward(x), x.flatten(1)],
    [new nn.Flatten(0, 1).forward(x), x.flatten(0, 1)],
    [new nn.CrossEntropyLoss(loss).forward(logits, labels), F.crossEntropy(logits, labels, loss)],
    [new nn.MSELoss({ reduction: "none" }).forward(x, x.neg()), F.mseLoss(x, x.neg(), { reduction: "none" })],
    [new nn.Sequential(new nn.ReLU(), new nn.MaxPool2d(2)).forward(x), F.maxPool2d(x.relu(), 2)],
  ];
  for (const [layer, direct] of pairs) {
    assertEquals(layer.shape, direct.shape);
    assertSameBits(await layer.data(), await direct.data());
  }
});

Deno.test("initial weights and biases are uniform within 1 / sqrt(fan in)", async () => {
  manualSeed(11);
  const layers: [nn.Module, number][] = [
    [new nn.Linear(400, 120), 400],
    [new nn.Linear(4, 6000), 4],
    [new nn.Conv2d(32, 64, 3), 288],
    [new nn.Conv2d(64, 640, [1, 5], { groups: 8 }), 40],
  ];
  for (const [layer, fanIn] of layers) {
    for (const [name, p] of layer.namedParameters()) {
      const scaled = Array.from(await p.data(), (v) => v * Math.sqrt(fanIn)), n = scaled.length;
      const what = `${layer} ${name}`, largest = Math.max(...scaled.slice(0, 5000).map(Math.abs));
      assert(scaled.every((v) => Math.abs(v) <= 1.000001), `${what}: beyond the bound`);
      if (n < 100) continue;
      const mean = scaled.reduce((a, v) => a + v, 0) / n, square = scaled.reduce((a, v) => a + v * v, 0) / n;
      const quarter = scaled.filter((v) => v < -0.5).length / n;
      // Five standard deviations of each statistic of a uniform sample.
      assertClose([mean], [0], { rtol: 0, atol: 5 * Math.sqrt(1 / 3 / n), what: `${what}: mean` });
      assertClose([square], [1 / 3], { rtol: 0, atol: 5 * Math.sqrt(4 / 45 / n), what: `${what}: mean square` });
      assertClose([quarter], [0.25], { rtol: 0, atol: 5 * Math.sqrt(3 / 16 / n), what: `${what}: lowest quarter` });
      assert(largest > 0.9, `${what}: the bound is not reached`);
    }
  }
});

Deno.test("manualSeed() fixes the initial weights; every parameter draws its own", async () => {
  const make = async (seed: number) => {
    manualSeed(seed);
    return await values(nn.models.lenet().parameters());
  };
  const [a, b, c] = [await make(3), await make(3), await make(4)];
  a.forEach((weights, i) => {
    assertSameBits(weights, b[i]!);
    assertNotStrictEquals(weights[0], c[i]![0]);
  });
  assertEquals(new Set(a.map((weights) => weights[0])).size, a.length, "two parameters start alike");
});
