/**
 * The data set on the GPU: which images a batch holds, in which order, and how bytes become numbers, against the reader's
 * records, `permute` and the formula in float64.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Dataset } from "../../src/data/dataset.ts";
import { permute, permuteKey } from "../../src/random.ts";
import { DataError } from "../../src/errors.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { compile, tensor } from "../../src/mod.ts";
import { type BatchOptions, DeviceData, NORMALIZATIONS } from "../../src/train/device_data.ts";
import { assertClose } from "../support/close.ts";
import { allOf, images } from "./fixtures.ts";

const half: BatchOptions = { normalize: "half", channels: 3 };

/** A reader of batch after batch. */
function batches(data: DeviceData, count: number, stride: number, options: BatchOptions) {
  const program = compile(() => {
    const [x, labels] = data.next(count, stride, options);
    data.counters.add_(tensor(Uint32Array.of(1, 1)));
    return { x, labels };
  });
  return async () => {
    await program.run();
    const { x, labels } = program.result;
    return { shape: x.shape, x: await x.data(), labels: [...await labels.data()] };
  };
}

/** What a batch of these images must be, in float64. */
function expected(pixels: Uint8Array, indices: readonly number[], { normalize, channels }: BatchOptions): number[] {
  const { mean, deviation, greyMean, greyDeviation } = NORMALIZATIONS[normalize];
  return indices.flatMap((index) => {
    const image = pixels.subarray(index * 3072, (index + 1) * 3072);
    if (channels === 3) {
      return Array.from(image, (byte, i) => {
        const channel = Math.floor(i / 1024);
        return (byte / 255 - mean[channel]!) / deviation[channel]!;
      });
    }
    return Array.from({ length: 1024 }, (_, i) => {
      const grey = 0.299 * image[i]! + 0.587 * image[i + 1024]! + 0.114 * image[i + 2048]!;
      return (grey / 255 - greyMean) / greyDeviation;
    });
  });
}

// An odd number, so that the halves differ and labels do not fill their last word.
const COUNT = 37;

Deno.test("DeviceData gives the images of the file in the order of permute(), by epoch and seed", async () => {
  const dataset = images(COUNT), data = await DeviceData.upload(await requestBackend(), dataset, dataset.train);
  const { labels, pixels } = await allOf(dataset.train);
  const next = batches(data, 4, 4, half), tail = batches(data, 1, 4, half);
  const check = (batch: { x: ArrayLike<number>; labels: number[] }, indices: number[]) => {
    assertEquals(batch.labels, indices.map((index) => labels[index]!));
    assertClose(batch.x, expected(pixels, indices, half), { rtol: 0, atol: 3e-7 });
  };
  check(await next(), [0, 1, 2, 3]); // The file's own order, before the first epoch.
  for (const [seed, epoch] of [[0, 0], [0, 1], [7, 0], [2 ** 33, 0]] as const) {
    await data.begin(seed, epoch);
    const key = permuteKey(seed, epoch), seen: number[] = [];
    for (let start = 0; start < COUNT; start += 4) {
      const length = Math.min(4, COUNT - start);
      const indices = Array.from({ length }, (_, i) => permute(start + i, COUNT, key));
      check(await (length === 4 ? next() : tail()), indices);
      seen.push(...indices);
    }
    assertEquals(seen.sort((a, b) => a - b), Array.from({ length: COUNT }, (_, i) => i));
  }
  data.rewind();
  check(await next(), Array.from({ length: 4 }, (_, i) => permute(i, COUNT, permuteKey(2 ** 33, 0))));
  assertEquals((await data.counters.data())[1], 42, "rewind() leaves the step of the run alone");
});

for (const normalize of ["half", "cifar10"] as const) {
  for (const channels of [1, 3]) {
    Deno.test(`DeviceData normalises by ${normalize}, ${channels === 1 ? "grey" : "in colour"}`, async () => {
      const dataset = images(4), data = await DeviceData.upload(await requestBackend(), dataset, dataset.train);
      const options = { normalize, channels }, { pixels } = await allOf(dataset.train);
      const { shape, x } = await batches(data, 4, 4, options)();
      assertEquals(shape, [4, channels, 32, 32]);
      assertClose(x, expected(pixels, [0, 1, 2, 3], options), { rtol: 0, atol: 1e-6 });
    });
  }
}

Deno.test("half turns 0 and 255 into -1 and 1, and cifar10 has the measured mean and deviation", () => {
  const { half, cifar10 } = NORMALIZATIONS;
  assertEquals([(0 - half.mean[0]) / half.deviation[0], (1 - half.mean[0]) / half.deviation[0]], [-1, 1]);
  assertEquals(cifar10.mean, [0.4914, 0.48216, 0.44653]);
  assertEquals(cifar10.deviation, [0.24703, 0.24349, 0.26159]);
  // The mean of a weighted sum is the weighted sum of the means.
  assertClose([cifar10.greyMean], [0.299 * 0.4914 + 0.587 * 0.48216 + 0.114 * 0.44653], { rtol: 0, atol: 1e-5 });
});

Deno.test("a single image is a data set", async () => {
  const dataset = images(1), data = await DeviceData.upload(await requestBackend(), dataset, dataset.train);
  const { labels, pixels } = await allOf(dataset.train), batch = await batches(data, 1, 4, half)();
  assertEquals(batch.labels, [...labels]);
  assertClose(batch.x, expected(pixels, [0], half), { rtol: 0, atol: 3e-7 });
});

Deno.test("DeviceData.upload() refuses no images, too few, too many, and more than the GPU takes", async () => {
  const gpu = await requestBackend(), dataset = images(5);
  const upload = (count: number, of: Dataset = dataset) =>
    DeviceData.upload(gpu, of, { count, records: () => of.train.records() });
  await assertRejects(() => upload(0), DataError, "synthetic has no images");
  await assertRejects(() => upload(6), DataError, "synthetic: expected 6 images, read 5");
  await assertRejects(() => upload(4), DataError, "synthetic: more than the expected 4 images");
  const most = Math.floor(gpu.limits.bufferBytes / 3072) * 2;
  const error = await assertRejects(() => upload(most + 1), DataError);
  assert(error.message.includes(`takes ${most} of this size at most`), error.message);
});
