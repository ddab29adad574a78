import { assert, assertEquals } from "@std/assert";
import { openDataset } from "../../src/data/open_dataset.ts";
import { sha256 } from "../../src/files/read.ts";
import { countClasses } from "../../src/data/inspect.ts";
import { openSynthetic, SYNTHETIC_CLASSES, syntheticBytes } from "../../src/data/synthetic.ts";
import { bytesOf } from "./fixtures.ts";

Deno.test("synthetic: ten classes, equally many images of each, and the log says loudly what they are", async () => {
  const lines: string[] = [];
  const dataset = await openDataset("synthetic", { log: (line) => lines.push(line) });
  assertEquals([dataset.name, dataset.synthetic, dataset.shape], ["synthetic", true, [3, 32, 32]]);
  assertEquals(dataset.classes, SYNTHETIC_CLASSES);
  assertEquals([dataset.train.count, dataset.test.count], [10_000, 2_000]);
  assertEquals(await countClasses(dataset.test, 10), new Array(10).fill(200));
  assertEquals(lines.length, 1);
  assert(lines[0]!.includes("SYNTHETIC"));
});

Deno.test("synthetic: the same bytes on every machine, in the training and the test split", async () => {
  // Hashes of the first 1,000 records, taken when the drawing was last changed on purpose.
  assertEquals(
    await sha256(syntheticBytes(1000, 0)),
    "43986eb23c32825bbf41d86a19f75804e4b3cf0500f4b2fb95029b21a87dad24",
  );
  assertEquals(
    await sha256(syntheticBytes(1000, 1)),
    "620d59e5764dcf1f9596d259e4366841f3a25e2b975e33e743631097d5f1c57a",
  );
});

Deno.test("synthetic: a pass is a stream, and can be had again", async () => {
  const { train } = openSynthetic({ trainCount: 300, testCount: 10 });
  const first = await bytesOf(train.records());
  assertEquals(first.length, 300 * 3073);
  assertEquals(await bytesOf(train.records()), first);
});

Deno.test("synthetic: no two images are alike, and no class is told by its mean colour", async () => {
  const { train } = openSynthetic({ trainCount: 2000 });
  const sums = SYNTHETIC_CLASSES.map(() => [0, 0, 0]), seen = new Set<string>();
  for await (const { count, labels, pixels } of train.records()) {
    for (let i = 0; i < count; i++) {
      seen.add(pixels.subarray(i * 3072, i * 3072 + 1024).join());
      for (let p = 0; p < 3072; p++) sums[labels[i]!]![Math.floor(p / 1024)]! += pixels[i * 3072 + p]!;
    }
  }
  assertEquals(seen.size, 2000);
  for (const sum of sums) {
    for (const channel of sum) {
      const mean = channel / (200 * 1024);
      assert(mean > 100 && mean < 155, `mean ${mean}`);
    }
  }
});
