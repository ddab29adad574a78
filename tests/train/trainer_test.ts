/**
 * The trainer: the same bits from the same seed, the steps and images of an epoch, a last batch that is not full, and no
 * memory made or waited for once it runs.
 */
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { permute, permuteKey } from "../../src/random.ts";
import { TrainingError, UsageError } from "../../src/errors.ts";
import { counters } from "../support/counters.ts";
import { F, manualSeed, nn, optim, tensor } from "../../src/mod.ts";
import { checkFits, type Progress } from "../../src/train/trainer.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { withMerging } from "../support/merging.ts";
import { allOf, images, train, trained, trainerOf, weightsOf } from "./fixtures.ts";

Deno.test("the same seed gives the same bits, and another seed others", async () => {
  const dataset = images(42);
  const run = async (seed: number) => {
    const trainer = await trainerOf(dataset, { seed, epochs: 2 });
    const { losses } = await trained(trainer);
    return { losses, weights: await weightsOf(trainer) };
  };
  const [first, again, other] = [await run(3), await run(3), await run(4)];
  assertEquals(first.losses.length, 22);
  assertSameBits(again.weights, first.weights);
  assertSameBits(Float32Array.from(again.losses), Float32Array.from(first.losses));
  assertNotEquals(other.losses, first.losses);
  assert(other.weights.every((weight, i) => weight !== first.weights[i]));
});

Deno.test("a run with its dispatches merged has the same bits", async () => {
  const dataset = images(10);
  const run = async () => {
    const trainer = await trainerOf(dataset, { seed: 3, epochs: 2 }), { dispatches } = counters;
    const { losses } = await trained(trainer);
    return { losses, weights: await weightsOf(trainer), dispatches: counters.dispatches - dispatches };
  };
  const off = await withMerging(false, run), on = await withMerging(true, run);
  assertSameBits(on.weights, off.weights);
  assertSameBits(Float32Array.from(on.losses), Float32Array.from(off.losses));
  // The loss is recorded along with some kernel of each of the six steps.
  assert(on.dispatches <= off.dispatches - 5 * 6, `${off.dispatches} dispatches, ${on.dispatches} merged`);
});

Deno.test("a run is the plain loop over the batches of permute(), the last of them not full", async () => {
  const dataset = images(10), { labels, pixels } = await allOf(dataset.train);
  const settings = { lr: 0.05, momentum: 0.9, weightDecay: 0.01, nesterov: true, dampening: 0 };
  const trainer = await trainerOf(dataset, { ...settings, seed: 5, epochs: 2 });
  const { losses, reports } = await trained(trainer);
  assertEquals([trainer.stepsPerEpoch, trainer.totalSteps, losses.length], [3, 6, 6]);
  assertEquals(reports.at(-1)!.step, 6);

  manualSeed(5);
  const net = nn.models.lenet(), optimizer = new optim.SGD(net.parameters(), settings), expected: number[] = [];
  for (const epoch of [0, 1]) {
    for (let start = 0; start < 10; start += 4) {
      const count = Math.min(4, 10 - start), key = permuteKey(5, epoch);
      const indices = Array.from({ length: count }, (_, i) => permute(start + i, 10, key));
      const bytes = indices.flatMap((index) => [...pixels.subarray(index * 3072, (index + 1) * 3072)]);
      const x = tensor(bytes.map((byte) => (byte / 255 - 0.5) / 0.5)).reshape([count, 3, 32, 32]);
      const loss = F.crossEntropy(net.forward(x), tensor(Uint32Array.from(indices, (index) => labels[index]!)));
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      expected.push(await loss.item());
    }
  }
  assertClose(losses, expected, { rtol: 1e-5, atol: 0 });
  const weights = (await Promise.all(net.parameters().map((one) => one.data()))).flatMap((part) => [...part]);
  assertClose(await weightsOf(trainer), weights, { rtol: 1e-4, atol: 1e-6 });
});

Deno.test("after its first epoch a run makes no buffer, no pipeline and no bind group, and keeps what it has", async () => {
  // 101 steps an epoch, the last of one image.
  const trainer = await trainerOf(images(401), { epochs: 5 }), seen = new Map<number, Partial<typeof counters>>();
  await train(trainer, ({ step }) => {
    const { buffersCreated, buffersLive, bytesLive, pipelinesCreated, bindGroupsCreated } = counters;
    seen.set(step, { buffersCreated, buffersLive, bytesLive, pipelinesCreated, bindGroupsCreated });
  });
  const later = [...seen].filter(([step]) => step > 101);
  assert(later.length >= 2);
  for (const [step, state] of later) assertEquals(state, later[0]![1], `step ${step}`);
});

Deno.test("reports cover every step once, in order, and images() counts a short last batch as what it is", async () => {
  const trainer = await trainerOf(images(42), { epochs: 3, maxSteps: 25 });
  assertEquals([trainer.stepsPerEpoch, trainer.totalSteps], [11, 25]);
  const reports: Progress[] = [];
  await train(trainer, (progress) => reports.push(progress));
  let step = 0, seconds = 0;
  for (const report of reports) {
    step += report.losses.length;
    assertEquals([report.step, report.epoch], [step, Math.ceil(step / 11)]);
    assertEquals(report.stepInEpoch, step - (report.epoch - 1) * 11);
    assert(report.losses.length > 0 && report.stepInEpoch >= report.losses.length);
    assertEquals(report.since, seconds);
    assert(report.seconds > seconds && report.secondsPerStep > 0 && report.secondsPerStep < Infinity);
    seconds = report.seconds;
  }
  const { position } = trainer;
  assertEquals([step, position.step, trainer.images(position.step)], [25, 25, 42 + 42 + 3 * 4]);
  assertEquals(position.seconds, seconds);
  assertEquals([0, 1, 10, 11, 12, 22, 33].map((steps) => trainer.images(steps)), [0, 4, 40, 42, 46, 84, 126]);
});

Deno.test("a batch larger than the data set takes what there is", async () => {
  const trainer = await trainerOf(images(4), { batchSize: 7, epochs: 3 });
  assertEquals([trainer.stepsPerEpoch, trainer.totalSteps], [1, 3]);
  const { losses } = await trained(trainer);
  const same = await trained(await trainerOf(images(4), { batchSize: 4, epochs: 3 }));
  assertEquals(losses, same.losses);
  assertEquals([1, 2, 3].map((steps) => trainer.images(steps)), [4, 8, 12]);
});

Deno.test("stop() ends the run early, with every step that was done reported", async () => {
  const trainer = await trainerOf(images(40), { epochs: 1e6 });
  let reported = 0;
  await train(trainer, ({ step }) => {
    reported = step;
    if (step >= 20) trainer.stop();
  });
  const steps = trainer.position.step;
  assertEquals(reported, steps);
  assert(steps >= 20 && steps < 1000, `${steps}`);
});

Deno.test("a loss that is not finite ends the run with the step's number, after the report of those before", async () => {
  const trainer = await trainerOf(images(400), { lr: 1e6 });
  const seen: number[] = [];
  const error = await assertRejects(() => train(trainer, ({ losses }) => seen.push(...losses)), TrainingError);
  const match = /^the loss is (NaN|Infinity) at step (\d+): training diverged; try a smaller --lr$/.exec(error.message);
  assertEquals([seen.length + 1, error.step], [Number(match?.[2]), Number(match?.[2])], error.message);
  assert(seen.length > 0 && seen.every(Number.isFinite));
});

Deno.test("lenet-gray trains on grey images", async () => {
  const { losses } = await trained(await trainerOf(images(64), { model: "lenet-gray", epochs: 20, lr: 0.005 }));
  const mean = (part: number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  const [first, last] = [mean(losses.slice(0, 16)), mean(losses.slice(-16))];
  assert(last < 0.7 * first, `from ${first} to ${last}`);
});

Deno.test("checkFits() refuses data that no model takes", () => {
  const dataset = images(4);
  checkFits("lenet", dataset);
  for (const shape of [[1, 32, 32], [3, 28, 32], [3, 32, 28]] as const) {
    const error = assertThrows(() => checkFits("lenet", { ...dataset, shape }), UsageError);
    assertEquals(
      error.message,
      `the model lenet takes images of 3 x 32 x 32, and synthetic has ${shape.join(" x ")}`,
    );
  }
  // A model is made for any number of classes.
  checkFits("lenet-gray", { ...dataset, classes: ["a", "b"] });
});
