/**
 * The training accuracy: what the device counts in a step is what a test of the same weights counts.
 */
import { assert, assertEquals } from "@std/assert";
import { evaluateModel } from "../../src/train/evaluate.ts";
import { images, trained, trainerOf } from "./fixtures.ts";

// With a rate of 0 the weights stay as they are. 42 images in steps of 4 or of 12 leave a smaller last step.
for (
  const given of [{ batchSize: 4 }, { batchSize: 4, accumulate: 3 }, { batchSize: 200 }, { batchSize: 13, epochs: 2 }]
) {
  Deno.test(`the correct predictions of an epoch are counted once each: ${JSON.stringify(given)}`, async () => {
    const trainer = await trainerOf(images(42), { epochs: 1, seed: 3, ...given, lr: 0 });
    const { reports } = await trained(trainer), { model, data, batch } = trainer;
    const { accuracy, confusion } = await evaluateModel(model, data, 10, batch);
    assert(accuracy > 0 && accuracy < 1 && confusion.flat().length === 100);
    for (const epoch of [1, 2].slice(0, given.epochs ?? 1)) {
      const of = reports.filter((report) => report.epoch === epoch), { ofEpoch } = of.at(-1)!;
      assertEquals([ofEpoch.images, ofEpoch.correct], [42, Math.round(42 * accuracy)]);
      assertEquals(of.flatMap(({ correct }) => [...correct]).reduce((sum, count) => sum + count), ofEpoch.correct);
      assertEquals(of.reduce((sum, { correct, imagesPerStep }) => sum + correct.length * imagesPerStep, 0), 42);
      assertEquals(ofEpoch.steps, trainer.stepsPerEpoch);
    }
  });
}
