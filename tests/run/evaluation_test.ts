/**
 * `evaluation.json`: its pictures are of the images that the model was wrong about.
 */
import { assert, assertEquals } from "@std/assert";
import { decodeRgbPng } from "../../src/image/rgb_png.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { manualSeed, nn } from "../../src/mod.ts";
import { DeviceData } from "../../src/train/device_data.ts";
import { evaluateModel } from "../../src/train/evaluate.ts";
import { evaluationFile, gridOfMistakes } from "../../src/run/evaluation.ts";
import { allOf, images } from "../train/fixtures.ts";

Deno.test("evaluation.json has the figures, and the images of the surest mistakes", async () => {
  manualSeed(1);
  const dataset = images(4, 40),
    gpu = await requestBackend(),
    data = await DeviceData.upload(gpu, dataset, dataset.test);
  const result = await evaluateModel(nn.models.lenet(), data, 10, { normalize: "half", channels: 3 });
  // A class that the split has not.
  const perClass = result.perClass.with(3, NaN), file = await evaluationFile({ ...result, perClass }, dataset, "test");
  assertEquals([file.split, file.images, file.loss, file.accuracy], ["test", 40, result.loss, result.accuracy]);
  assertEquals([file.perClass, file.confusion], [result.perClass.with(3, null!), result.confusion]);
  assertEquals(JSON.parse(JSON.stringify(file)), file as unknown);
  // At most three of each pair of classes, and the most confident first.
  const pairs = file.confusion.flatMap((row, label) => row.map((count, i) => i === label ? 0 : Math.min(3, count)));
  const expected = pairs.reduce((sum, count) => sum + count, 0);
  assert(expected > 20 && expected < 40, `${expected}`); // There are more mistakes than these.
  assertEquals([file.mistakes.length, new Set(file.mistakes.map(({ png }) => png)).size], [expected, expected]);
  const sure = file.mistakes.map(({ probability }) => probability);
  assertEquals(sure, sure.toSorted((a, b) => b - a));

  const { pixels, labels } = await allOf(dataset.test);
  for (const { png, index, label, predicted } of file.mistakes) {
    assert(png.startsWith("data:image/png;base64,"));
    const image = decodeRgbPng(Uint8Array.fromBase64(png.slice(png.indexOf(",") + 1)), "png");
    assertEquals([image.width, image.height, label], [32, 32, labels[index]]);
    assert(predicted !== label);
    // Planes of red, green and blue, against pixels of the three.
    const planes = pixels.subarray(index * 3072, (index + 1) * 3072);
    const expected = Uint8Array.from({ length: 3072 }, (_, i) => planes[(i % 3) * 1024 + Math.floor(i / 3)]!);
    assertEquals(image.data, expected, `image ${index}`);
  }
  const grid = decodeRgbPng(gridOfMistakes(file), "grid"),
    some = decodeRgbPng(gridOfMistakes({ ...file, mistakes: file.mistakes.slice(0, 5) }), "row");
  assert(grid.width === some.width && grid.height > 4 * some.height, `${grid.height} ${some.height}`);
});
