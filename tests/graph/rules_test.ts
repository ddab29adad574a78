/**
 * The fusion rules: each of them saves kernels, and none changes a result beyond rounding.
 */
import { assert, assertEquals } from "@std/assert";
import { compile, F, full, nn, type Tensor, tensor } from "../../src/mod.ts";
import { recorder } from "../../src/graph/recorder.ts";
import { RULE_NAMES } from "../../src/ops/fuse.ts";
import { assertRelative } from "../support/close.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { withMerging } from "../support/merging.ts";
import { setWeights } from "../support/nets.ts";
import { uniform } from "../support/random.ts";

/** A net in which every rule finds something to do. */
class Net extends nn.Module {
  readonly conv1 = new nn.Conv2d(2, 3, 3);
  readonly conv2 = new nn.Conv2d(3, 4, 3);
  readonly linear = new nn.Linear(16, 8);
  readonly last = full([5, 8], 1, { requiresGrad: true });

  override forward(x: Tensor): Tensor {
    x = F.maxPool2d(F.relu(this.conv1.forward(x)), 2);
    x = F.maxPool2d(F.relu(this.conv2.forward(x)), 2);
    x = F.relu(this.linear.forward(x.flatten(1)));
    return x.matmul(this.last.t());
  }
}

/** One step's loss and gradients, and the kernels that it runs. */
async function step(): Promise<{ dispatches: number; results: number[][] }> {
  const net = setWeights(new Net(), 900), x = toTensor(uniform(901, [3, 2, 14, 14]), { requiresGrad: true });
  const labels = tensor(Uint32Array.of(1, 4, 0)), leaves = [x, ...net.parameters()];
  const program = compile(() => {
    for (const leaf of leaves) leaf.grad = null;
    const loss = F.crossEntropy(net.forward(x), labels, { labelSmoothing: 0.1 });
    loss.backward();
    return [loss, ...leaves.map((leaf) => leaf.grad!)];
  });
  await program.run();
  const results = (await values(program.result)).map((one) => [...one]);
  return { dispatches: await program.dispatches(), results };
}

for (const name of RULE_NAMES) {
  Deno.test(`the rule ${name} saves kernels, and leaves every gradient as it is`, async () => {
    // Merging hides how many kernels there are.
    const on = await withMerging(false, step);
    recorder.skippedRules.add(name);
    try {
      const off = await withMerging(false, step);
      assert(on.dispatches < off.dispatches, `${on.dispatches} kernels with the rule, ${off.dispatches} without`);
      on.results.forEach((result, i) => assertRelative(result, off.results[i]!, 1e-5, `result ${i}`));
    } finally {
      recorder.skippedRules.delete(name);
    }
  });
}

Deno.test("without any rule the results are the same", async () => {
  const on = await step();
  for (const name of RULE_NAMES) recorder.skippedRules.add(name);
  try {
    const off = await step();
    on.results.forEach((result, i) => assertRelative(result, off.results[i]!, 1e-5, `result ${i}`));
  } finally {
    recorder.skippedRules.clear();
  }
  assertEquals(recorder.skippedRules.size, 0);
});
