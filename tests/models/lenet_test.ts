/**
 * LeNet against PyTorch: logits and every gradient within 1e-5, the losses of 100 SGD steps within 1e-4.
 */
import { assertEquals } from "@std/assert";
import { compile, F, nn, optim, type Tensor } from "../../src/mod.ts";
import { assertClose, assertRelative } from "../support/close.ts";
import { load, readFloats, readLines, type Stored } from "../support/golden.ts";
import { values } from "../support/gradcheck.ts";
import { batchTensors, setWeights } from "../support/nets.ts";

interface GoldenBatch {
  batch: number;
  count: number;
  logits: Stored;
  loss: number;
}

interface GoldenTraining {
  train: { lr: number; momentum: number };
  cycle: number;
  losses: number[];
  logits: Stored;
  after: Record<string, Stored>;
}

const lines = readLines<GoldenBatch | GoldenTraining>("lenet.jsonl");
const batches = lines.slice(0, -1) as GoldenBatch[], training = lines.at(-1) as GoldenTraining;

for (const { batch, count, logits, loss } of batches) {
  Deno.test(`lenet() agrees with PyTorch: logits, loss and every gradient of batch ${batch} of ${count}`, async () => {
    const net = setWeights(nn.models.lenet(), 100), { images, labels } = batchTensors(batch, count);
    const found = net.forward(images), foundLoss = F.crossEntropy(found, labels);
    foundLoss.backward();
    assertRelative(await found.data(), load(logits).data, 1e-5, "logits");
    assertRelative(await foundLoss.data(), [loss], 1e-5, "loss");
    const golden = readFloats(`lenet_grads_${batch}.bin`);
    const grads = await values(net.parameters().map((p) => p.grad!));
    let offset = 0;
    net.namedParameters().forEach(([name], i) => {
      const grad = grads[i]!;
      assertRelative(grad, golden.subarray(offset, offset += grad.length), 1e-5, `gradient of ${name}`);
    });
    assertEquals(offset, golden.length);
  });
}

/** What training must have reached after its 100 steps. */
async function checkTrained(net: nn.Module): Promise<void> {
  assertRelative(await net.forward(batchTensors(0, 4).images).data(), load(training.logits).data, 1e-4, "logits after");
  const state = net.stateDict();
  for (const [name, stored] of Object.entries(training.after)) {
    assertRelative(await state.get(name)!.data(), load(stored).data, 1e-4, name);
  }
}

Deno.test("lenet() trains as in PyTorch: the losses of 100 SGD steps", async () => {
  const net = setWeights(nn.models.lenet(), 100), optimizer = new optim.SGD(net.parameters(), training.train);
  const criterion = new nn.CrossEntropyLoss(), losses: Tensor[] = [];
  for (let step = 0; step < 100; step++) {
    const { images, labels } = batchTensors(step % training.cycle, 4);
    optimizer.zeroGrad();
    const loss = criterion.forward(net.forward(images), labels);
    loss.backward();
    optimizer.step();
    losses.push(loss);
    if (step % 10 === 9) await loss.item();
  }
  assertClose((await values(losses)).map(([loss]) => loss!), training.losses, { rtol: 0, atol: 1e-4 });
  await checkTrained(net);
});

Deno.test("lenet() trains as in PyTorch when the step is compiled", async () => {
  const net = setWeights(nn.models.lenet(), 100), optimizer = new optim.SGD(net.parameters(), training.train);
  const { images, labels } = batchTensors(0, 4), losses: number[] = [];
  let loss!: Tensor;
  const program = compile(() => {
    optimizer.zeroGrad();
    loss = F.crossEntropy(net.forward(images), labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (let step = 0; step < 100; step++) {
    const next = batchTensors(step % training.cycle, 4);
    images.copy_(next.images);
    labels.copy_(next.labels);
    await program.run();
    losses.push(await loss.item());
  }
  assertClose(losses, training.losses, { rtol: 0, atol: 1e-4 });
  await checkTrained(net);
});
