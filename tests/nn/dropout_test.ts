/**
 * Dropout: how much is dropped and how the rest is scaled; masks are never the same twice, save from the same seed or
 * state.
 */
import { assert, assertEquals, assertNotEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import {
  compile,
  F,
  getRngState,
  manualSeed,
  nn,
  ones,
  optim,
  setRngState,
  type Tensor,
  zeros,
} from "../../src/mod.ts";
import { mix32, Purpose, randomUint32 } from "../../src/random.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { withMerging } from "../support/merging.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { uniform } from "../support/random.ts";

/** The mask, 0 or 1, of the dropout number `call` after `manualSeed(seed)`, for `count` channels. */
function maskOf(seed: number, call: number, count: number, p: number): number[] {
  const golden = 0x9e3779b9, start = randomUint32({ seed, purpose: Purpose.dropout }, 0);
  const key = mix32(start + mix32(call + golden)), other = mix32(key + golden);
  return Array.from({ length: count }, (_, i) => Number((mix32(mix32(i + key) ^ other) >>> 8) * 2 ** -24 >= p));
}

/** A test of programs, whose dispatches are merged as on a GPU, and are not. */
function mergingToo(name: string, fn: () => Promise<void>): void {
  for (const forced of [false, true]) Deno.test(`${name}${forced ? ", merged" : ""}`, () => withMerging(forced, fn));
}

/** Two layers of dropout around a linear one, which learns. */
class Net extends nn.Module {
  first = new nn.Dropout(0.3);
  fc = new nn.Linear(16, 8);
  second = new nn.Dropout();

  override forward(x: Tensor): Tensor {
    return this.second.forward(this.fc.forward(this.first.forward(x)));
  }
}

Deno.test("dropout() drops a share p, and scales the rest by 1/(1 − p)", async () => {
  manualSeed(3);
  const count = 1e5, ps = [0.1, 0.25, 0.5, 0.9];
  const outputs = await values(ps.map((p) => F.dropout(ones([count]), p)));
  ps.forEach((p, i) => {
    const kept = outputs[i]!.filter((one) => one !== 0), sigma = Math.sqrt(count * p * (1 - p));
    assert(Math.abs(count - kept.length - p * count) < 5 * sigma, `p = ${p}: ${kept.length} of ${count} kept`);
    assert(kept.every((one) => Math.abs(one - 1 / (1 - p)) < 1e-6 / (1 - p)));
    // Neighbours are independent of each other.
    const both = outputs[i]!.filter((one, j) => one !== 0 && outputs[i]![j + 1]! > 0).length, q = (1 - p) ** 2;
    assert(Math.abs(both - q * count) < 7 * Math.sqrt(count * q * (1 - q)), `p = ${p}: ${both} pairs`);
  });
});

Deno.test("the mask is the documented function of the seed, the call and the index", async () => {
  for (const seed of [0, 1, 2 ** 40 + 7]) {
    manualSeed(seed);
    for (let call = 0; call < 3; call++) {
      // 259 elements do not divide into the invocations' four.
      assertEquals(
        Array.from(await F.dropout(ones([7, 37]), 0.5).data()),
        maskOf(seed, call, 259, 0.5).map((m) => 2 * m),
      );
    }
    const mask = maskOf(seed, 3, 6, 0.5);
    const found = await F.dropout2d(ones([2, 3, 3, 5])).data();
    assertEquals(Array.from(found), mask.flatMap((m) => new Array(15).fill(2 * m)));
  }
});

Deno.test("p = 0, and evaluation, are the identity; p = 1 leaves zeros, and no gradient", async () => {
  const x = toTensor(uniform(1, [2, 3, 4, 4]), { requiresGrad: true });
  const before = await getRngState();
  for (const drop of [F.dropout, F.dropout2d]) {
    assertStrictEquals(drop(x, 0), x);
    assertStrictEquals(drop(x, 0.5, false), x);
  }
  for (const layer of [new nn.Dropout(), new nn.Dropout2d()]) {
    assertStrictEquals(layer.eval().forward(x), x);
    assert(layer.train().forward(x) !== x);
  }
  assertEquals((await getRngState())[2], before[2]! + 2);
  const y = F.dropout(x, 1);
  y.sum().backward();
  for (const all of await values([y, F.dropout2d(x, 1), x.grad!])) assert(all.every((one) => one === 0));
});

Deno.test("dropout2d() drops whole channels, of each image apart", async () => {
  manualSeed(5);
  const y = await F.dropout2d(ones([40, 50, 2, 3]), 0.2).data();
  const channels = Array.from({ length: 2000 }, (_, i) => y.subarray(6 * i, 6 * i + 6));
  assert(channels.every((one) => one.every((element) => element === one[0])));
  const dropped = channels.filter(([one]) => one === 0).length;
  assert(Math.abs(dropped - 400) < 5 * Math.sqrt(2000 * 0.2 * 0.8), `${dropped} of 2000`);
  assertNotEquals(y.slice(0, 300), y.slice(300, 600));
});

Deno.test("layers pass their p on", async () => {
  manualSeed(6);
  const x = ones([2, 8, 1, 5]);
  const [elements, channels] = await values([new nn.Dropout(0.2).forward(x), new nn.Dropout2d(0.2).forward(x)]);
  assertClose(elements!, maskOf(6, 0, 80, 0.2).map((one) => one * 1.25));
  assertClose(channels!, maskOf(6, 1, 16, 0.2).flatMap((one) => new Array(5).fill(one * 1.25)));
});

Deno.test("the gradient's mask is the forward's, whatever was dropped in between", async () => {
  for (const drop of [F.dropout, F.dropout2d]) {
    const x = toTensor(uniform(2, [4, 5, 6, 7]), { requiresGrad: true }), dy = toTensor(uniform(3, [4, 5, 6, 7]));
    const y = drop(x, 0.3);
    F.dropout(ones([3]));
    y.backward(dy);
    const [input, output, given, grad] = await values([x, y, dy, x.grad!]);
    const mask = output!.map((one, i) => one / input![i]!);
    assert(mask.some((one) => one === 0) && mask.some((one) => one !== 0));
    assertClose(grad!, given!.map((one, i) => one * mask[i]!));
  }
});

Deno.test("dropout after backward() is no part of the graph that it freed", async () => {
  const x = ones([64], { requiresGrad: true });
  for (let step = 0; step < 3; step++) {
    const y = F.dropout(F.dropout(x, 0.3), 0.3);
    y.sum().backward();
    assertSameBits(await x.grad!.data(), await y.data());
    x.grad = null;
  }
});

Deno.test("gradFn names are PyTorch's", () => {
  const x = ones([1, 2, 3, 4], { requiresGrad: true });
  assertEquals(F.dropout(x).gradFn?.name, "NativeDropoutBackward0");
  for (const one of [x, ones([1, 2, 1, 1], { requiresGrad: true })]) {
    assertEquals(F.dropout2d(one).gradFn?.name, "MulBackward0");
  }
});

Deno.test("NaN and infinities do not vanish where they are dropped, as in PyTorch", async () => {
  const y = await F.dropout(ones([64]).mul(NaN), 0.9).data();
  assert(y.every(Number.isNaN));
});

Deno.test("each call has a mask of its own, and the same seed gives the same again", async () => {
  const draw = async () => {
    manualSeed(11);
    const x = ones([100]), layers = [new nn.Dropout(), new nn.Dropout()];
    return await values([...layers, layers[0]!].map((layer) => layer.forward(x)));
  };
  const masks = await draw(), again = await draw();
  for (const [i, j] of [[0, 1], [0, 2], [1, 2]] as const) assertNotEquals(masks[i], masks[j]);
  masks.forEach((mask, i) => assertSameBits(again[i]!, mask));
  manualSeed(12);
  assertNotEquals(await F.dropout(ones([100])).data(), masks[0]);
});

Deno.test("a mask is the same if it is read late, or twice", async () => {
  manualSeed(4);
  const early = F.dropout(ones([50])), late = F.dropout(ones([50]));
  const [first, second] = [maskOf(4, 0, 50, 0.5), maskOf(4, 1, 50, 0.5)].map((mask) => mask.map((one) => 2 * one));
  assertEquals(Array.from(await late.data()), second);
  assertEquals(Array.from(await early.add(0).data()), first);
  assertEquals(Array.from(await early.data()), first);
  assertEquals(await getRngState(), [4, 0, 2]);
});

mergingToo("each step of a program has masks of its own, counted on the GPU", async () => {
  manualSeed(9);
  const x = ones([60]);
  const step = compile(() => [F.dropout(x, 0.4), F.dropout(x, 0.4)] as const);
  for (let i = 0; i < 3; i++) {
    await step.run();
    const found = await values(step.result);
    found.forEach((y, k) => assertClose(y, maskOf(9, 2 * i + k, 60, 0.4).map((one) => one / 0.6)));
  }
  // An eager call goes on where the program ended, and the program where that did.
  assertEquals(Array.from(await F.dropout(x).data()), maskOf(9, 6, 60, 0.5).map((one) => 2 * one));
  await step.run(4);
  assertClose(await step.result[1].data(), maskOf(9, 14, 60, 0.4).map((one) => one / 0.6));
  assertEquals(await getRngState(), [9, 0, 15]);
});

mergingToo("training from the same seed, or resumed from its state, gives the same bits", async () => {
  const x = toTensor(uniform(6, [4, 16])), y = zeros([4, 8]);
  const start = () => {
    manualSeed(21);
    const net = new Net(), optimizer = new optim.SGD(net.parameters(), { lr: 0.1 });
    const once = () => {
      const loss = F.mseLoss(net.forward(x), y);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss;
    };
    return { net, once };
  };
  const weights = (net: Net) => net.fc.weight.data();
  const { net, once } = start(), program = compile(once);
  await program.run(5);
  const five = await weights(net),
    state = await getRngState(),
    saved = new Map(
      Array.from(net.stateDict(), ([name, one]) => [name, one.detach()]),
    );
  assertEquals(state, [21, 2, 10]);
  await program.run(3);
  const eight = await weights(net);
  assertNotEquals(eight, five);

  // The same program again, and another one, whose 5 steps are run by 2 and 3.
  const other = start(), second = compile(other.once);
  await second.run(2);
  await second.run(3);
  assertSameBits(await weights(other.net), five);

  const eager = start();
  for (let i = 0; i < 5; i++) eager.once();
  assertClose(await weights(eager.net), five);
  assertEquals(await getRngState(), state);

  // Back to after five steps.
  manualSeed(1);
  await F.dropout(x).data();
  net.loadStateDict(saved);
  setRngState(JSON.parse(JSON.stringify(state)));
  assertEquals(await getRngState(), state);
  await program.run(3);
  assertSameBits(await weights(net), eight);
});

Deno.test("counting takes no dispatch: one for each dropout, and one for each gradient", async () => {
  const x = ones([32], { requiresGrad: true });
  const dispatches = (layers: number) =>
    compile(() => {
      let y: Tensor = x;
      for (let i = 0; i < layers; i++) y = F.dropout(y);
      y.sum().backward();
      return x.grad!;
    }).dispatches();
  const [one, three] = [await dispatches(1), await dispatches(3)];
  assertEquals(three - one, 4);
});

Deno.test("getRngState() counts random tensors too, and setRngState() has them drawn again", async () => {
  manualSeed(8);
  const first = new nn.Linear(3, 2), state = await getRngState();
  assertEquals(state, [8, 2, 0]);
  const second = new nn.Linear(3, 2);
  setRngState(state);
  assertSameBits(await new nn.Linear(3, 2).weight.data(), await second.weight.data());
  assertNotEquals(await first.weight.data(), await second.weight.data());
});

Deno.test("wrong arguments are refused", async () => {
  const x = ones([2, 3]), refused = (fn: () => unknown, text: string) => assertThrows(fn, ShapeError, text);
  for (const p of [-0.1, 1.1, NaN, "0.5" as unknown as number]) {
    for (const make of [() => F.dropout(x, p), () => F.dropout(x, p, false), () => new nn.Dropout(p)]) {
      refused(make, "p must be a probability, from 0 to 1, got");
    }
  }
  refused(() => new nn.Dropout2d(2), "Dropout2d: p must be");
  refused(() => F.dropout(x, 0.5, 1 as unknown as boolean), "dropout: training must be true or false, got 1");
  refused(() => F.dropout(ones([2], { dtype: "u32" })), "dropout: expected a tensor of f32");
  refused(() => F.dropout(3 as unknown as Tensor), "dropout: expected a Tensor, got 3");
  refused(() => F.dropout2d(x), "dropout2d: expected x of shape [N, C, H, W], got [2, 3]");
  refused(() => F.dropout2d(ones([1, 1, 1, 1, 1])), "dropout2d: expected x of shape");
  refused(() => manualSeed(-1), "manualSeed: the seed must be");
  for (const bad of [[1, 2], [1, 2, 3, 4], [1, -1, 0], [1, 0, 2 ** 32], [1, 0.5, 0], [-1, 0, 0], null]) {
    const before = await getRngState();
    refused(() => setRngState(bad as number[]), "setRngState: ");
    assertEquals(await getRngState(), before);
  }
  await assertRejects(async () => await compile(() => ({ state: getRngState() })).result.state, ShapeError, "recorded");
});
