/**
 * A whole training step of LeNet, at batch 4 and 128.
 */
import { benchStep } from "../src/measure/steps.ts";
import { register } from "./support.ts";

for (const [batchSize, times] of [[4, 32], [128, 2]] as const) {
  await register({ name: `step of lenet, batch ${batchSize}`, ...benchStep("lenet", batchSize) }, times);
}
