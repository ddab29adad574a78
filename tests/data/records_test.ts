import { assert, assertEquals, assertRejects } from "@std/assert";
import { CIFAR100_LAYOUT, CIFAR10_LAYOUT, recordBytes, type RecordLayout } from "../../src/data/cifar.ts";
import { type Batch, readRecords } from "../../src/data/records.ts";
import { DataError } from "../../src/errors.ts";
import { bytesOf, makeRecords } from "./fixtures.ts";

async function* chunksOf(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let offset = 0, i = 0; offset < bytes.length; i++) {
    const length = lengths[i % lengths.length]!;
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
}

async function collect(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const list: Batch[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

for (const layout of [CIFAR10_LAYOUT, CIFAR100_LAYOUT]) {
  Deno.test(`readRecords() takes ${layout.name} records apart, however the stream is cut`, async () => {
    const bytes = makeRecords(10, 1, layout), size = recordBytes(layout);
    for (const lengths of [[bytes.length], [size], [1], [7, 5000, 1, 3072, 0, 2]]) {
      const batches = await collect(readRecords(chunksOf(bytes, lengths), layout, "a.bin", { batchSize: 4 }));
      assertEquals(batches.map(({ count }) => count), [4, 4, 2]);
      for (const { count, labels, pixels, coarse } of batches) {
        assertEquals([labels.length, pixels.length], [count, count * 3072]);
        assertEquals(coarse?.length, layout === CIFAR100_LAYOUT ? count : undefined);
      }
      assertEquals(await bytesOf(readRecords(chunksOf(bytes, lengths), layout, "a.bin")), bytes);
    }
  });
}

Deno.test("readRecords() gives the fine label of CIFAR-100 as the label", async () => {
  const record = makeRecords(1, 0, CIFAR100_LAYOUT);
  record[0] = 19;
  record[1] = 99;
  const [batch] = await collect(readRecords(chunksOf(record, [100]), CIFAR100_LAYOUT, "train.bin"));
  assertEquals([batch!.labels[0], batch!.coarse![0]], [99, 19]);
});

Deno.test("readRecords() gives batches that stay as they are while reading goes on", async () => {
  const bytes = makeRecords(6);
  const [first] = await collect(readRecords(chunksOf(bytes, [1000]), CIFAR10_LAYOUT, "a.bin", { batchSize: 2 }));
  assertEquals(first!.pixels.subarray(0, 3072), bytes.subarray(1, 3073));
});

Deno.test("readRecords() of an empty stream yields nothing", async () => {
  assertEquals(await collect(readRecords(chunksOf(new Uint8Array(0), [1]), CIFAR10_LAYOUT, "a.bin")), []);
});

async function failure(bytes: Uint8Array, layout: RecordLayout): Promise<string> {
  const error = await assertRejects(
    () => collect(readRecords(chunksOf(bytes, [1000]), layout, "x/data_batch_1.bin")),
    DataError,
  );
  assertEquals(error.constructor, DataError);
  assert(!error.message.includes("\n"));
  return error.message;
}

Deno.test("readRecords() refuses a stream that ends inside a record: file and offset of that record", async () => {
  const size = recordBytes(CIFAR10_LAYOUT);
  for (const [length, start] of [[1, 0], [size - 1, 0], [size + 1, size], [3 * size - 5, 2 * size]] as const) {
    const message = await failure(makeRecords(3).subarray(0, length), CIFAR10_LAYOUT);
    assert(message.startsWith(`x/data_batch_1.bin: byte ${start}: the last record is incomplete: `), message);
    assert(message.includes(`${length - start} of 3073 bytes`), message);
  }
});

Deno.test("readRecords() refuses a label out of range: file and offset of the label", async () => {
  const ten = makeRecords(5);
  ten[3 * 3073] = 10;
  const message = await failure(ten, CIFAR10_LAYOUT);
  assert(message.startsWith("x/data_batch_1.bin: byte 9219: label 10 is out of range"), message);

  const coarse = makeRecords(5, 0, CIFAR100_LAYOUT);
  coarse[2 * 3074] = 20;
  assert((await failure(coarse, CIFAR100_LAYOUT)).startsWith("x/data_batch_1.bin: byte 6148: coarse label 20 is out"));
  const fine = makeRecords(5, 0, CIFAR100_LAYOUT);
  fine[2 * 3074 + 1] = 100;
  assert((await failure(fine, CIFAR100_LAYOUT)).startsWith("x/data_batch_1.bin: byte 6149: fine label 100 is out"));
});

Deno.test("readRecords() stops its source when the reader stops", async () => {
  let closed = false;
  async function* endless() {
    try {
      while (true) yield makeRecords(1);
    } finally {
      closed = true;
    }
  }
  for await (const batch of readRecords(endless(), CIFAR10_LAYOUT, "a.bin")) {
    assertEquals(batch.count, 256);
    break;
  }
  assert(closed);
});

Deno.test("readRecords() holds one batch and one chunk, whatever the length of the stream", async () => {
  const chunk = new Uint8Array(1 << 20), total = 768; // 768 MiB, all zeros: class 0, black
  const batchSize = 256, batchBytes = batchSize * 3073;
  let given = 0;
  async function* source() {
    // A whole number of records, so that the stream ends well.
    const end = Math.floor(total * chunk.length / 3073) * 3073;
    while (given < end) {
      const length = Math.min(chunk.length, end - given);
      given += length;
      yield chunk.subarray(0, length);
    }
  }
  let records = 0, most = 0, peak = 0;
  const before = Deno.memoryUsage().rss;
  for await (const batch of readRecords(source(), CIFAR10_LAYOUT, "a.bin", { batchSize })) {
    records += batch.count;
    most = Math.max(most, given - records * 3073);
    peak = Math.max(peak, Deno.memoryUsage().rss - before);
  }
  assertEquals(records, Math.floor(total * chunk.length / 3073));
  assert(most <= chunk.length + batchBytes, `${most} bytes were read ahead`);
  assert(peak < 256e6, `the process grew by ${peak} bytes`);
});
