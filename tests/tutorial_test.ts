/**
 * The first half of PyTorch's tutorial on neural networks, as a user of the library writes it; its numbers are PyTorch's.
 */
import { assert, assertEquals } from "@std/assert";
import { manualSeed, nn, noGrad, optim, randn } from "../src/mod.ts";
import { assertClose, assertRelative } from "./support/close.ts";
import { load, readLines, type Stored } from "./support/golden.ts";
import { toTensor, values } from "./support/gradcheck.ts";
import { setWeights } from "./support/nets.ts";
import { uniform } from "./support/random.ts";

Deno.test("the tutorial's first half runs as it is written there", async () => {
  manualSeed(0);
  const net = nn.models.lenetGray();
  assert(String(net).startsWith("NeuralNet(\n  (conv1): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))\n"));

  const params = net.parameters();
  assertEquals(params.length, 10);
  assertEquals([...params[0]!.shape], [6, 1, 5, 5]);

  const input = randn([1, 1, 32, 32]);
  const out = net.forward(input);
  assertEquals([...out.shape], [1, 10]);
  net.zeroGrad();
  out.backward(randn([1, 10]));
  assert((await net.conv1.bias!.grad!.data()).some((v) => v !== 0));

  const target = randn([10]).reshape([1, -1]);
  const criterion = new nn.MSELoss();
  const output = net.forward(input), loss = criterion.forward(output, target);
  assert(await loss.item() > 0);
  assertEquals(loss.gradFn!.name, "MseLossBackward0");
  assertEquals(loss.gradFn!.next[0]!.name, "AddmmBackward0"); // Linear
  assertEquals(loss.gradFn!.next[0]!.next[0]!.name, "ReluBackward0"); // its input, then weight and bias
  assertEquals(loss.gradFn!.next[0]!.next.slice(1).map((fn) => fn.name), ["AccumulateGrad", "AccumulateGrad"]);

  net.zeroGrad();
  const before = net.conv1.bias!.grad;
  assert(before === null || (await before.data()).every((v) => v === 0));
  loss.backward();
  assert((await net.conv1.bias!.grad!.data()).some((v) => v !== 0));

  const learningRate = 0.01;
  noGrad(() => {
    for (const p of net.parameters()) p.sub_(p.grad!.mul(learningRate));
  });

  const optimizer = new optim.SGD(net.parameters(), { lr: 0.01 });
  const losses: number[] = [];
  for (let i = 0; i < 100; i++) {
    optimizer.zeroGrad();
    const loss = criterion.forward(net.forward(input), target);
    loss.backward();
    optimizer.step();
    losses.push(await loss.item());
  }
  assert(losses.at(-1)! < 0.9 * losses[0]!, `the loss does not fall: ${losses[0]} to ${losses.at(-1)}`);
});

interface Golden {
  output: Stored;
  loss: number;
  grads: Record<string, Stored>;
  afterUpdate: { output: Stored; loss: number };
  train: { lr: number; losses: number[] };
}

Deno.test("the tutorial's net gives PyTorch's output, loss, gradients, update and 100 losses", async () => {
  const [golden] = readLines<Golden>("lenet_gray.jsonl") as [Golden];
  const net = setWeights(nn.models.lenetGray(), 200), criterion = new nn.MSELoss();
  const input = toTensor(uniform(300, [1, 1, 32, 32])), target = toTensor(uniform(301, [1, 10]));

  const output = net.forward(input), loss = criterion.forward(output, target);
  net.zeroGrad();
  loss.backward();
  assertRelative(await output.data(), load(golden.output).data, 1e-5, "output");
  assertRelative(await loss.data(), [golden.loss], 1e-5, "loss");
  assertRelative(await net.conv1.bias!.grad!.data(), load(golden.grads["conv1.bias"]!).data, 1e-5, "conv1.bias.grad");
  for (const [name, p] of net.namedParameters()) {
    const stored = golden.grads[name];
    if (stored) assertRelative(await p.grad!.data(), load(stored).data, 1e-5, `gradient of ${name}`);
  }

  noGrad(() => {
    for (const p of net.parameters()) p.sub_(p.grad!.mul(0.01));
  });
  const updated = net.forward(input);
  assertRelative(await updated.data(), load(golden.afterUpdate.output).data, 1e-5, "output after the update");
  assertRelative(await criterion.forward(updated, target).data(), [golden.afterUpdate.loss], 1e-5, "loss after it");

  const optimizer = new optim.SGD(net.parameters(), { lr: golden.train.lr });
  const losses = [];
  for (let i = 0; i < 100; i++) {
    optimizer.zeroGrad();
    const loss = criterion.forward(net.forward(input), target);
    loss.backward();
    optimizer.step();
    losses.push(loss);
    if (i % 10 === 9) await loss.item();
  }
  const found = (await values(losses)).map(([value]) => value!);
  assertClose(found, golden.train.losses, { rtol: 1e-4, atol: 1e-6, what: "losses" });
});
