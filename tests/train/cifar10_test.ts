/**
 * Real images: a short run on CIFAR-10 learns. The set is fetched into the cache where it is not there yet.
 */
import { assert, assertEquals } from "@std/assert";
import { openDataset } from "../../src/data/open_dataset.ts";
import { trained, trainerOf } from "./fixtures.ts";

Deno.test("300 steps on CIFAR-10 bring the loss well below that of guessing", async () => {
  const dataset = await openDataset("cifar10", { log: console.error, need: ["train"] });
  assertEquals([dataset.train.count, dataset.synthetic], [50_000, false]);
  const trainer = await trainerOf(dataset, { batchSize: 32, lr: 0.02, maxSteps: 300, normalize: "cifar10" });
  const { losses } = await trained(trainer);
  const mean = (part: number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  const [first, last] = [mean(losses.slice(0, 10)), mean(losses.slice(-50))];
  // Guessing costs ln 10 = 2.303.
  assert(Math.abs(first - Math.log(10)) < 0.05, `the first steps' loss is ${first}`);

  assert(last < 1.9, `the last steps' loss is ${last}`);
});
