/**
 * The training accuracy: what the device counts in a step is what a test of the same weights counts.
 */
import { assert, assertEquals } from "@std/assert";
import { evaluateModel } from "../../src/train/evaluate.ts";
import { images, trained, trainerOf } from "./fixtures.ts";

// Weights that get some images right, and more than one class of them.
const teacher = await trainerOf(images(42), { epochs: 8, lr: 0.02, seed: 3 });
await trained(teacher);

// With a rate of 0 the weights stay as they are. 42 images in steps of 4 or of 12 leave a smaller last step.
for (
  const given of [{ batchSize: 4 }, { batchSize: 4, accumulate: 3 }, { batchSize: 200 }, { batchSize: 13, epochs: 2 }]
) {
  Deno.test(`the correct predictions of an epoch are counted once each: ${JSON.stringify(given)}`, async () => {
    const trainer = await trainerOf(images(42), { epochs: 1, ...given, lr: 0 }), { model, data, batch } = trainer;
    model.loadStateDict(teacher.model.stateDict());
    const { reports } = await trained(trainer), { accuracy, confusion } = await evaluateModel(model, data, 10, batch);
    const predicted = confusion[0]!.filter((_, label) => confusion.some((row) => row[label]! > 0));
    assert(accuracy > 0.2 && accuracy < 0.9 && predicted.length > 1, `${accuracy}, ${predicted.length} classes`);
    for (const epoch of [1, 2].slice(0, given.epochs ?? 1)) {
      const of = reports.filter((report) => report.epoch === epoch), { ofEpoch } = of.at(-1)!;
      assertEquals([ofEpoch.images, ofEpoch.correct], [42, Math.round(42 * accuracy)]);
      assertEquals(of.flatMap(({ correct }) => [...correct]).reduce((sum, count) => sum + count), ofEpoch.correct);
      assertEquals(of.reduce((sum, { correct, imagesPerStep }) => sum + correct.length * imagesPerStep, 0), 42);
      assertEquals(ofEpoch.steps, trainer.stepsPerEpoch);
    }
  });
}
