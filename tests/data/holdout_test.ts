/**
 * Holding images out: how many, which, and in what order; and amounts that leave a part empty.
 */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Batch, Split } from "../../src/data/dataset.ts";
import { holdOut } from "../../src/data/holdout.ts";
import { UsageError } from "../../src/errors.ts";

/** Images of two pixels, which say the image's number, in batches of these sizes. */
function splitOf(...sizes: readonly number[]): Split {
  return {
    count: sizes.reduce((sum, size) => sum + size, 0),
    sha256: "a".repeat(64),
    async *records(): AsyncIterable<Batch> {
      let start = 0;
      for (const count of sizes) {
        const pixels = Uint8Array.from({ length: 2 * count }, (_, i) => start + (i >> 1));
        yield await Promise.resolve({ count, pixels, labels: pixels.filter((_, i) => i % 2 === 0).map((n) => n % 10) });
        start += count;
      }
    },
  };
}

/** The numbers of a split's images, in its order. */
async function numbersOf({ count, records }: Split): Promise<number[]> {
  const numbers: number[] = [];
  for await (const batch of records()) {
    assertEquals([batch.labels.length, batch.pixels.length], [batch.count, 2 * batch.count]);
    assert(batch.count > 0);
    for (let i = 0; i < batch.count; i++) {
      const [first, second] = batch.pixels.subarray(2 * i);
      assertEquals([second, batch.labels[i]], [first, first! % 10]);
      numbers.push(first!);
    }
  }
  assertEquals(numbers.length, count);
  return numbers;
}

async function partsOf(split: Split, amount: number, seed: number): Promise<[train: number[], validation: number[]]> {
  const { train, validation } = holdOut(split, amount, seed);
  assertEquals([train.sha256, validation.sha256], [split.sha256, split.sha256]);
  return [await numbersOf(train), await numbersOf(validation)];
}

Deno.test("a share or a number of the images is held out: every image is in one part, in the file's order", async () => {
  const held: [count: number, amount: number, expected: number][] = [
    [200, 0.1, 20],
    [200, 1, 1],
    [200, 199, 199],
    [42, 0.2, 8], // 8.4
    [42, 0.25, 11], // 10.5: half an image is rounded up
    [3, 0.2, 1], // 0.6
  ];
  for (const [count, amount, expected] of held) {
    const [train, validation] = await partsOf(splitOf(count), amount, 5);
    assertEquals([train.length, validation.length], [count - expected, expected], `${count} ${amount}`);
    for (const part of [train, validation]) assertEquals(part, part.toSorted((a, b) => a - b));
    assertEquals([...train, ...validation].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  }
});

Deno.test("which images are held out depends on the seed alone, however the batches are cut", async () => {
  const whole = await partsOf(splitOf(200), 0.25, 7);
  for (const sizes of [[200], [1, 199], Array(200).fill(1), [64, 64, 64, 8]]) {
    assertEquals(await partsOf(splitOf(...sizes), 0.25, 7), whole);
  }
  // As far apart as two draws are: a quarter of a quarter is in both.
  const other = (await partsOf(splitOf(200), 0.25, 8))[1], both = other.filter((n) => whole[1].includes(n)).length;
  assertNotEquals(other, whole[1]);
  assert(both > 3 && both < 25, `${both}`);
  // Not the beginning of the file, nor its end: every quarter of it has some.
  for (const quarter of [0, 1, 2, 3]) assert(whole[1].some((n) => Math.floor(n / 50) === quarter));
});

Deno.test("an amount that leaves a part without images, or is no number of them, is refused in one line", () => {
  const cases: [count: number, amount: number, message: string][] = [
    [42, 42, "--val-split 42 of 42 training images leaves no images for training"],
    [42, 1000, "--val-split 1000 of 42 training images leaves no images for training"],
    [42, 0.99, "--val-split 0.99 of 42 training images leaves no images for training"],
    [42, 0.01, "--val-split 0.01 of 42 training images leaves no images for validation"],
    [1, 0.5, "--val-split 0.5 of 1 training images leaves no images for training"],
    [42, 1.5, "--val-split 1.5 of 42 training images is not a whole number"],
  ];
  for (const [count, amount, message] of cases) {
    const error = assertThrows(() => holdOut(splitOf(count), amount, 0), UsageError);
    assertEquals(error.message, `${message}: give a fraction below 1, or a number of images`);
  }
});
