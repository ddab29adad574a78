/**
 * The record reader: bytes in memory to batches.
 */
import { CIFAR10_LAYOUT, recordBytes } from "../src/data/cifar.ts";
import { readRecords } from "../src/data/records.ts";

const RECORDS = 10_000, CHUNK = 65536, size = recordBytes(CIFAR10_LAYOUT);
const bytes = Uint8Array.from({ length: RECORDS * size }, (_, i) => i % size === 0 ? i / size % 10 : i * 31);

/** The bytes of one file of CIFAR-10, in chunks as from a disk. */
async function* chunks(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

/** Checks that every record is read correctly. */
async function check(): Promise<void> {
  let record = 0;
  for await (const { count, labels, pixels } of readRecords(chunks(), CIFAR10_LAYOUT, "bench")) {
    for (let i = 0; i < count; i++, record++) {
      const sent = bytes.subarray(record * size, (record + 1) * size), plane = pixels.subarray(i * (size - 1));
      const equal = labels[i] === sent[0] && sent.subarray(1).every((byte, at) => plane[at] === byte);
      if (!equal) throw new Error(`record ${record} differs from the one that was sent`);
    }
  }
  if (record !== RECORDS) throw new Error(`${record} of ${RECORDS} records arrived`);
}

await check();

Deno.bench("record reader, 10,000 records of CIFAR-10", async () => {
  for await (const { count } of readRecords(chunks(), CIFAR10_LAYOUT, "bench")) void count;
});
