import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeRgbPng } from "../../src/image/rgb_png.ts";
import { type Histogram, histogramOf } from "../../src/io/histogram.ts";
import { encodeEvent, type SummaryValue } from "../../src/io/tfevents.ts";
import { encodeRecord } from "../../src/io/tfrecord.ts";
import { uniform } from "../support/random.ts";
import { crc32c, readEvents, readRecords } from "./event_reader.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("the reader's checksum is CRC-32C: RFC 3720's vectors", () => {
  assertEquals(crc32c(bytesOf("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

Deno.test("encodeRecord() frames bytes of every length, and a changed or missing byte is found", () => {
  const all = Array.from({ length: 70 }, (_, length) => Uint8Array.from({ length }, (_, i) => i * 37 + length));
  const file = new Uint8Array(all.flatMap((data) => [...encodeRecord(data)]));
  assertEquals(readRecords(file), all);
  const one = encodeRecord(bytesOf("loss"));
  for (let i = 0; i < one.length; i++) {
    assertThrows(() => readRecords(one.with(i, one[i]! ^ 4)));
    if (i > 0) assertThrows(() => readRecords(one.subarray(0, i)));
  }
});

/** What is read of one event with one value. */
function roundTrip(value: SummaryValue) {
  const bytes = encodeRecord(encodeEvent({ kind: "values", wallTime: 1763990000.123456, step: 7, values: [value] }));
  const [event, ...more] = readEvents(bytes);
  assertEquals([event?.wallTime, event?.step, more.length, event?.values?.length], [1763990000.123456, 7, 0, 1]);
  return event!.values![0]!;
}

Deno.test("encodeEvent() writes scalars as the float32 nearest to them, also those that are not finite", () => {
  const scalars = [0, -0, 1, -1.5, 2.302585092994046, 1e-45, 1e-300, 3.4028234663852886e38, 1e300, -1e300];
  for (const scalar of [...scalars, 3.40282356e38, 3.40282357e38, NaN, Infinity, -Infinity]) {
    const read = roundTrip({ tag: "loss/train", scalar });
    assert("scalar" in read && Object.is(read.scalar, Math.fround(scalar)), `${scalar}`);
  }
});

Deno.test("encodeEvent() writes large steps, the file's version and the start of a session", () => {
  const events = [
    { kind: "version", wallTime: 1, step: 0 },
    { kind: "start", wallTime: 2, step: 2 ** 40 + 1 },
    { kind: "values", wallTime: 3, step: Number.MAX_SAFE_INTEGER, values: [] },
  ] as const;
  assertEquals(readEvents(new Uint8Array(events.flatMap((event) => [...encodeRecord(encodeEvent(event))]))), [
    { wallTime: 1, step: 0, version: "brain.Event:2" },
    { wallTime: 2, step: 2 ** 40 + 1, start: true },
    { wallTime: 3, step: Number.MAX_SAFE_INTEGER, values: [] },
  ]);
});

Deno.test("encodeEvent() writes images with their size, histograms to the last bit, and texts", () => {
  const png = encodeRgbPng({ width: 5, height: 3, data: Uint8Array.from({ length: 45 }, (_, i) => 5 * i) });
  // A view into a larger buffer, as slices of a file are.
  const view = new Uint8Array([0, 0, 0, ...png]).subarray(3);
  assertEquals(roundTrip({ tag: "grid", png: view }), {
    tag: "grid",
    image: { height: 3, width: 5, channels: 3, png },
  });
  const histogram = histogramOf(Float32Array.from(uniform(3, [1000]).data)), { limits, counts } = histogram;
  const numbers = [histogram.min, histogram.max, histogram.count, histogram.sum, histogram.sumOfSquares];
  assertEquals(roundTrip({ tag: "weights/a", histogram }), {
    tag: "weights/a",
    histogram: { numbers, limits: [...limits], counts: [...counts] },
  });
  const text = "größer als 2 µ: `lr`\n\n| a | b |";
  assertEquals(roundTrip({ tag: "config", text }), { tag: "config", text, plugin: "text" });
});

/** Whether every value is in the bucket that should have it: counted the slow way. */
function checkBuckets(values: readonly number[], { limits, counts }: Histogram): void {
  assertEquals(limits.length, counts.length);
  assert(counts[0]! > 0 && counts.at(-1)! > 0);
  limits.forEach((limit, i) => {
    const left = limits[i - 1] ?? -Infinity;
    assert(left < limit);
    assertEquals(counts[i], values.filter((value) => left <= value && value < limit).length, `bucket ${i}`);
    assert(counts[i]! > 0 || counts[i + 1]! > 0, "two empty buckets beside each other");
  });
}

Deno.test("histogramOf() counts every value in a bucket no wider than a tenth", () => {
  const cases = [
    [0],
    [-0, 0, 1e-13, -1e-13, 1e-12],
    [1, 1, 1, -1],
    [3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -1e-45],
    [...uniform(1, [500], 0.25).data, ...uniform(2, [500], 2 ** -12).data, 8],
  ].map((values) => [...Float32Array.from(values)]);
  for (const values of cases) {
    const histogram = histogramOf(Float32Array.from(values));
    checkBuckets(values, histogram);
    assertEquals([histogram.min, histogram.max], [Math.min(...values), Math.max(...values)]);
    assertEquals(histogram.count, values.length);
    assertEquals(histogram.sum, values.reduce((sum, value) => sum + value, 0));
    assertEquals(histogram.sumOfSquares, values.reduce((sum, value) => sum + value * value, 0));
    histogram.limits.forEach((limit, i) => {
      const left = histogram.limits[i - 1];
      if (histogram.counts[i] === 0 || left === undefined || Math.abs(left) < 1e-11 || Math.abs(limit) < 1e-11) return;
      if (Math.abs(limit) < 1e20 && Math.abs(left) < 1e20) assert(Math.abs(limit / left - 1) < 0.1001);
    });
  }
});
