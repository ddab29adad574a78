import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { clock, loss, number, percent, setting, tickLabels, time } from "../../src/report/page/format.js";
import {
  addLine,
  failureOf,
  figuresOf,
  imagesIn,
  MAX_POINTS,
  noSeries,
  secondsAt,
  settingsOf,
  sizesOf,
  smooth,
  thin,
} from "../../src/report/page/series.js";
import { uniform } from "../support/random.ts";

Deno.test("thin() keeps the ends, every peak of a stretch, and the order", () => {
  const x = Array.from({ length: 10_001 }, (_, i) => i), y = [...uniform(7, [10_001]).data];
  y[5003] = 9;
  y[7777] = -9;
  const { x: kept, y: values } = thin({ x, y }, 200);
  assert(kept.length <= 200 && kept.length > 150, String(kept.length));
  assertEquals([kept[0], kept.at(-1)], [0, 10_000]);
  assert(kept.includes(5003) && kept.includes(7777));
  assertEquals(kept, kept.toSorted((a, b) => a - b));
  assertEquals(new Set(kept).size, kept.length);
  assertEquals(values, kept.map((i) => y[i]));
  assertEquals(thin({ x: [1, 2], y: [3, 4] }, 4), { x: [1, 2], y: [3, 4] });
  // Nothing to choose between: one point a stretch.
  assertEquals(thin({ x, y: x.map(() => 1) }, 10).x.length, 6);
});

Deno.test("smooth() leaves constants alone, does nothing with a decay of 0, and never looks ahead", () => {
  assertEquals(smooth([2, 2, 2], 0.9), [2, 2, 2]);
  assertEquals(smooth([3, 1, 2], 0), [3, 1, 2]);
  assertEquals(smooth([4, 1], 0.5), [4, 2]); // (0.5 * 4 + 1) / 1.5, as TensorBoard has it.
  assertEquals(smooth([5, 1, 7, 900], 0.8).slice(0, 3), smooth([5, 1, 7], 0.8));
  const line = Array.from({ length: 201 }, (_, i) => i);
  const noisy = line.map((i) => i % 2), calm = smooth(noisy, 0.9);
  for (const value of calm.slice(50, 150)) assertAlmostEquals(value, 0.5, 0.03);
});

Deno.test("addLine() takes steps that are done again for those from before", () => {
  const series = noSeries();
  for (const step of [1, 2, 3, 4]) addLine(series, { step, loss: step, lr: 0.1 });
  addLine(series, { step: 2, event: "resume", from: "last" });
  for (const step of [3, 4, 5]) addLine(series, { step, loss: 10 * step, lr: 0.1 });
  assertEquals(series.curves.loss, { x: [1, 2, 3, 4, 5], y: [1, 2, 30, 40, 50] });
  assertEquals(series.events, [{ step: 2, event: "resume", from: "last" }]);
  for (const event of ["restore", "device-lost"]) {
    addLine(series, { step: 5, valLoss: 1 });
    addLine(series, { step: 2, event });
    assertEquals([series.curves.loss!.x, series.curves.valLoss!.x], [[1, 2], []]);
  }
});

Deno.test("addLine() passes over what is no number, and keeps memory bounded", () => {
  const series = noSeries();
  for (const line of [{}, { step: "1", loss: 1 }, { step: 1, loss: "NaN" }, { step: 1, loss: null }]) {
    addLine(series, line);
  }
  assertEquals(series, noSeries());
  for (let step = 1; step <= 20_000; step++) addLine(series, { step, loss: step === 9000 ? -5 : 1 + step % 7 });
  for (let i = 0; i < 2000; i++) addLine(series, { step: i, event: "lr" });
  const { x, y } = series.curves.loss!;
  assert(x.length < 2 * MAX_POINTS, String(x.length));
  assertEquals([x[0], x.at(-1)], [1, 20_000]);
  assert(y.includes(-5));
  assert(series.events.length <= 500);
});

Deno.test("figuresOf() sums a run up, and says null where there is nothing", () => {
  const series = noSeries();
  assertEquals(new Set(Object.values(figuresOf({ series }))), new Set([null]));
  addLine(series, { step: 10, epoch: 1, loss: 2, seconds: 5, imagesPerSecond: 80 });
  addLine(series, { step: 10, epoch: 1, valLoss: 1.5, valAccuracy: 0.6, seconds: 6 });
  addLine(series, { step: 20, epoch: 2, loss: 1, seconds: 10, imagesPerSecond: 90 });
  addLine(series, { step: 20, epoch: 2, valLoss: 1.75, valAccuracy: 0.5, seconds: 11 });
  addLine(series, { step: 30, epoch: 2, loss: 1.25, seconds: 15, imagesPerSecond: 85 });
  const expected = {
    steps: 30,
    epoch: 2,
    trainLoss: 1.125,
    valLoss: 1.5,
    valAccuracy: 0.6,
    testLoss: null,
    testAccuracy: null,
    chance: null,
    seconds: 15,
    imagesPerSecond: null, // The size of a batch is not known.
  };
  assertEquals(figuresOf({ series }), expected);
  addLine(series, { step: 30, testLoss: 3, testAccuracy: 0.25 });
  assertEquals(figuresOf({ series }), { ...expected, testLoss: 3, testAccuracy: 0.25 });
  const evaluation = { loss: 4, accuracy: 0.125, images: 8, confusion: [[3, 3], [1, 1]] };
  assertEquals(figuresOf({ series, evaluation }), { ...expected, testLoss: 4, testAccuracy: 0.125, chance: 0.75 });
});

Deno.test("figuresOf() has the throughput of the whole run, without the time before the first line of each start", () => {
  const series = noSeries(),
    config = { batchSize: 4, accumulate: 2 },
    rate = () => figuresOf({ series, config }).imagesPerSecond;
  // Step 1 takes 40 s, since the kernels are compiled; the last window of two seconds is slow too.
  addLine(series, { step: 1, loss: 2, seconds: 40, imagesPerSecond: 0.2 });
  assertEquals(rate(), null);
  addLine(series, { step: 1001, loss: 2, seconds: 48, imagesPerSecond: 1000 });
  addLine(series, { step: 1101, loss: 2, seconds: 50, imagesPerSecond: 52 });
  assertEquals(rate(), 1100 * 8 / 10);
  // Lines that arrive twice count once, and a page that opens late has the same figures.
  addLine(series, { step: 1101, loss: 2, seconds: 50, imagesPerSecond: 52 });
  const sent = { ...JSON.parse(JSON.stringify(series)) };
  assertEquals(figuresOf({ series: sent, config }), figuresOf({ series, config }));
  addLine(series, { step: 1101, event: "resume" });
  addLine(sent, { step: 1101, event: "resume" });
  for (const one of [series, JSON.parse(JSON.stringify(sent))]) {
    addLine(one, { step: 1102, loss: 2, seconds: 90, imagesPerSecond: 0.2 });
    addLine(one, { step: 2202, loss: 2, seconds: 92, imagesPerSecond: 4400 });
    assertEquals(figuresOf({ series: one, config }).imagesPerSecond, 2200 * 8 / 12);
  }
});

Deno.test("imagesIn() counts the smaller last steps of epochs, which the throughput and the x axis of a comparison need", () => {
  const run = { config: { batchSize: 64 }, environment: { data: { images: 100 } } };
  assertEquals([0, 1, 2, 3, 4].map((step) => imagesIn(run, step)), [0, 64, 100, 164, 200]);
  assertEquals(sizesOf(run), { stepImages: 64, epochImages: 100, stepsPerEpoch: 2 });
  assertEquals([imagesIn({ config: { batchSize: 64 } }, 3), imagesIn({}, 3)], [192, null]);
});

Deno.test("the training loss is the mean of the steps of an epoch, whatever part of them each line has", () => {
  const series = noSeries(), config = {}, loss = () => figuresOf({ series, config }).trainLoss;
  addLine(series, { step: 30, epoch: 1, loss: 2 });
  addLine(series, { step: 40, epoch: 1, loss: 6 });
  assertEquals(loss(), 3);
  addLine(series, { step: 41, epoch: 2, loss: 0.5 });
  assertEquals(loss(), 0.5);
  // The run went back into the first epoch: what was left of it is trained again.
  addLine(series, { step: 30, event: "restore" });
  addLine(series, { step: 40, epoch: 1, loss: 4 });
  assertEquals(loss(), 4);
});

Deno.test("failureOf() tells why a run failed, until it trains again", () => {
  const series = noSeries();
  addLine(series, { step: 5, event: "lr", from: 1, to: 2 });
  assertEquals(failureOf(series), undefined);
  addLine(series, { step: 7, event: "failed", why: "the loss is NaN", diverged: true });
  assertEquals(failureOf(series), { state: "diverged", step: 7, why: "the loss is NaN" });
  addLine(series, { step: 7, event: "resume" });
  assertEquals(failureOf(series), undefined);
  addLine(series, { step: 9, event: "failed", why: "the disk is full" });
  assertEquals(failureOf(series)?.state, "failed");
});

Deno.test("tickLabels() writes numbers that are too long for an axis with exponents, and all in the same style", () => {
  assertEquals(tickLabels([0, 0.5, null, 1]), ["0", "0.5", "", "1"]);
  assertEquals(tickLabels([0, 2_000_000, 12_500_000]), ["0", "2e+6", "1.25e+7"]);
  assertEquals(tickLabels([0.0001, 0.01, 1]), ["1e-4", "1e-2", "1e+0"]);
  for (const label of tickLabels([1e-300, 123_456_789, 1e300])) assert(label.length < 9, label);
});

Deno.test("settingsOf() says where the learning rate was changed on the way", () => {
  const series = noSeries(), config = { lr: 0.001, epochs: 2 };
  addLine(series, { step: 1, event: "resume" });
  addLine(series, { step: 2, event: "device-lost" });
  assertEquals(settingsOf({ series, config }), config);
  for (const event of [{ event: "lr", from: 1, to: 2 }, { event: "restore", lr: 1 }, { event: "device-lost", lr: 1 }]) {
    const changed = noSeries();
    addLine(changed, { step: 3, ...event });
    assertEquals(settingsOf({ series: changed, config }), { lr: "0.001, then changed", epochs: 2 });
  }
});

Deno.test("secondsAt() finds the time of a step, between and beyond what was measured", () => {
  const seconds = { x: [100, 200], y: [10, 30] };
  assertEquals([0, 50, 100, 150, 200, 300].map((step) => secondsAt(seconds, step)), [0, 5, 10, 20, 30, 50]);
  assertEquals(secondsAt({ x: [], y: [] }, 5), 0);
});

Deno.test("numbers are written as a reader wants them", () => {
  assertEquals([12500, 0.001, 1.50449, 3.2e-7, 1e-5, 1234.5, 0, NaN, null].map(number), [
    "12,500",
    "0.001",
    "1.504",
    "3.2e-7",
    "1e-5",
    "1,235",
    "0",
    "–",
    "–",
  ]);
  assertEquals([1e5, 123456789, 4e-6, 0, 99999].map(loss), ["1.00e+5", "1.23e+8", "4.00e-6", "0.000", "99999.000"]);
  assertEquals([loss(1.5), loss("NaN"), percent(0.5853), percent(1, 0), percent(null)], [
    "1.500",
    "–",
    "58.5 %",
    "100 %",
    "–",
  ]);
  assertEquals([0.42, 42, 200, 7500, undefined].map(time), ["0.4 s", "42 s", "3 min 20 s", "2 h 05 min", "–"]);
  assertEquals([5, 200, 7500].map(clock), ["0:05", "3:20", "2:05:00"]);
  assertEquals([true, [], ["a=1", "b=2"], null, 0.001, { a: 1 }].map(setting), [
    "yes",
    "–",
    "a=1, b=2",
    "–",
    "0.001",
    '{"a":1}',
  ]);
});
