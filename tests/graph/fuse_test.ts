/**
 * Whatever the rewriting of the graph merges, the values that are asked for are all there and right.
 */
import { assertEquals } from "@std/assert";
import { F, nn, noGrad, type Tensor, tensor } from "../../src/mod.ts";
import { map, nd, reshape } from "../support/array.ts";
import { assertClose, assertRelative, assertSameBits } from "../support/close.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { uniform } from "../support/random.ts";
import { crossEntropy, linear, unary } from "../support/reference.ts";
import { conv2d, maxPool2d } from "../support/reference_conv.ts";

const x = uniform(1, [2, 3, 8, 8]), w = uniform(2, [4, 3, 3, 3], 0.5), b = uniform(3, [4]);
const v = uniform(4, [5, 36]), c = uniform(5, [5]), labels = nd([2], [4, 0]);

/** Every intermediate of conv, relu, pool, linear, cross-entropy, in float64. */
function expected() {
  const conv = conv2d(x, w, b), relu = map(conv, unary.relu), pool = maxPool2d(relu, 2).y;
  const logits = linear(reshape(pool, [2, 36]), v, c);
  return [conv, relu, pool, logits, crossEntropy(logits, labels)];
}

/** The same in the engine. */
function network(requiresGrad: boolean) {
  const [tx, tw, tb, tv, tc] = [x, w, b, v, c].map((p) => toTensor(p, { requiresGrad })) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const conv = F.conv2d(tx, tw, tb), relu = F.relu(conv), pool = F.maxPool2d(relu, 2);
  const logits = F.linear(pool.flatten(1), tv, tc);
  const loss = F.crossEntropy(logits, toTensor(labels, { dtype: "u32" }));
  return { kept: [conv, relu, pool, logits, loss], leaves: [tx, tw, tb, tv, tc], loss };
}

const names = ["conv", "relu", "pool", "logits", "loss"];

Deno.test("every intermediate can be read, in any order, whether merged or not", async () => {
  const truth = expected();
  for (const order of [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]]) {
    const { kept } = network(false);
    for (const i of order) assertRelative(await kept[i]!.data(), truth[i]!.data, 1e-5, `${names[i]} of order ${order}`);
  }
});

Deno.test("every intermediate can be read after backward(), and changes no gradient", async () => {
  const plain = network(true), read = network(true), truth = expected();
  plain.loss.backward();
  read.loss.backward();
  for (const i of [2, 1, 0, 3, 4]) assertRelative(await read.kept[i]!.data(), truth[i]!.data, 1e-5, names[i]);
  const [a, e] = [await values(read.leaves.map((t) => t.grad!)), await values(plain.leaves.map((t) => t.grad!))];
  a.forEach((grad, i) => assertRelative(grad, e[i]!, 1e-6, `gradient ${i}`));
});

Deno.test("intermediates read before backward() change no gradient", async () => {
  const plain = network(true), read = network(true);
  for (const t of read.kept) await t.data();
  plain.loss.backward();
  read.loss.backward();
  const [a, e] = [await values(read.leaves.map((t) => t.grad!)), await values(plain.leaves.map((t) => t.grad!))];
  a.forEach((grad, i) => assertRelative(grad, e[i]!, 1e-6, `gradient ${i}`));
});

Deno.test("the same work twice gives the same bits", async () => {
  const run = async () => {
    const { leaves, loss } = network(true);
    loss.backward();
    return await values([loss, ...leaves.map((t) => t.grad!)]);
  };
  const [first, second] = [await run(), await run()];
  first.forEach((bits, i) => assertSameBits(bits, second[i]!));
});

Deno.test("a frozen layer gets no gradient, the others get theirs", async () => {
  const all = network(true);
  all.loss.backward();
  const [tx, tw, tb, tv, tc] = [x, w, b, v, c].map((p, i) => toTensor(p, { requiresGrad: i > 2 }));
  const pool = F.maxPool2d(F.relu(F.conv2d(tx!, tw!, tb)), 2);
  F.crossEntropy(F.linear(pool.flatten(1), tv!, tc), toTensor(labels, { dtype: "u32" })).backward();
  assertEquals([tx!.grad, tw!.grad, tb!.grad], [null, null, null]);
  assertClose(await tv!.grad!.data(), await all.leaves[3]!.grad!.data());
  assertClose(await tc!.grad!.data(), await all.leaves[4]!.grad!.data());
});

Deno.test("a layer used twice adds its gradients", async () => {
  const layer = new nn.Linear(3, 3), input = tensor([[1, -2, 3]]);
  noGrad(() => {
    layer.weight.copy_(tensor([[1, 0, 0], [0, -1, 0], [0, 0, 2]]));
    layer.bias!.zero_();
  });
  layer.forward(layer.forward(input).relu()).sum().backward();
  assertClose(await layer.weight.grad!.data(), [2, 0, 9, 0, 4, 3, 3, -2, 12]);
  assertClose(await layer.bias!.grad!.data(), [2, 0, 3]);
});
