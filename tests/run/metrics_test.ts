/**
 * The metrics of a run: the same numbers in `metrics.jsonl`, in `metrics.csv` and in TensorBoard's files, also after a
 * write that was cut short and after a resume.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parse } from "npm:deno-std@1.4.0/csv/parse.js";
import { encodeRgbPng } from "../../src/image/rgb_png.ts";
import { DataError, DivergedError } from "../../src/errors.ts";
import { histogramOf } from "../../src/io/histogram.ts";
import { F, manualSeed, nn, optim, tensor } from "../../src/mod.ts";
import { EventLog } from "../../src/run/event_log.ts";
import { COLUMNS, type MetricLine, MetricsLog, parseMetrics } from "../../src/run/metrics.ts";
import { withFolder } from "../data/fixtures.ts";
import { type ReadEvent, readEvents } from "../io/event_reader.ts";
import { bits, uniform } from "../support/random.ts";
import { testWith } from "../support/tools.ts";
import { tensorBoardReads } from "./tensorboard.ts";

const training = (step: number, loss = 2.302585092994046 / step): MetricLine => ({
  step,
  epoch: 1,
  stepInEpoch: step,
  loss,
  lr: 0.1,
  imagesPerSecond: 1234.5,
  seconds: step / 8,
});
const LINES: MetricLine[] = [
  training(2),
  { ...training(4, 1e-7), accuracy: 0.75 },
  { step: 4, epoch: 1, seconds: 0.5, valLoss: 1.25, valAccuracy: 0.5 },
  { step: 4, event: "resume", from: 'runs/a "b", c', wgrad: "0.1.0", lr: 0.05 },
  { step: 6, epoch: 2, seconds: 0.75, testLoss: NaN, testAccuracy: 0.1 },
];

/** All events of a folder, by the order of the files' names. */
function eventsIn(folder: string): ReadEvent[] {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).filter((name) => name.includes("tfevents"));
  return names.sort().flatMap((name) => readEvents(Deno.readFileSync(join(folder, name))));
}

/** `[step, tag, value]` of every scalar. */
function scalarsOf(events: readonly ReadEvent[]): [number, string, number][] {
  return events.flatMap(({ step, values = [] }) =>
    values.map((value) => [step, value.tag, "scalar" in value ? value.scalar : NaN] as [number, string, number])
  );
}

function files(folder: string): { jsonl: string; csv: string } {
  const [jsonl, csv] = ["metrics.jsonl", "metrics.csv"].map((name) => Deno.readTextFileSync(join(folder, name)));
  return { jsonl: jsonl!, csv: csv! };
}

const never = (line: string) => {
  throw new Error(line);
};

Deno.test("MetricsLog writes the same numbers to all files at once", () =>
  withFolder(async (folder) => {
    const log = await MetricsLog.open(folder), begun = Date.now() / 1000;
    assertEquals(files(folder), { jsonl: "", csv: `${COLUMNS.join(",")}\r\n` });
    log.add(...LINES.slice(0, 3));
    log.add();
    log.add(...LINES.slice(3));
    const { jsonl, csv } = files(folder);
    const bytes = new TextEncoder().encode(jsonl), sha256 = createHash("sha256").update(bytes).digest("hex");
    assertEquals(log.saved(), { bytes: bytes.length, sha256 });
    assertEquals(parseMetrics(jsonl, "metrics.jsonl"), LINES);
    const wire = jsonl.split("\n").slice(0, -1).map((line) => JSON.parse(line));
    assertEquals(wire.map(({ testLoss }) => testLoss), [undefined, undefined, undefined, undefined, "NaN"]);
    assertEquals(wire[0], LINES[0]);

    const [header, ...rows] = parse(csv);
    assertEquals(header, [...COLUMNS]);
    assertEquals(rows, [
      ["2", "1", "2", "0.25", "1.151292546497023", "", "0.1", "1234.5", "", "", "", "", "", ""],
      ["4", "1", "4", "0.5", "1e-7", "0.75", "0.1", "1234.5", "", "", "", "", "", ""],
      ["4", "1", "", "0.5", "", "", "", "", "1.25", "0.5", "", "", "", ""],
      ["4", "", "", "", "", "", "0.05", "", "", "", "", "", "resume", '{"from":"runs/a \\"b\\", c","wgrad":"0.1.0"}'],
      ["6", "2", "", "0.75", "", "", "", "", "", "", "NaN", "0.1", "", ""],
    ]);

    const events = eventsIn(folder), f = Math.fround;
    assertEquals(events.map(({ step, version, start }) => [step, version, start]).slice(0, 2), [
      [0, "brain.Event:2", undefined],
      [1, undefined, true],
    ]);
    assertEquals(scalarsOf(events), [
      [2, "loss/train", f(2.302585092994046 / 2)],
      [2, "lr", f(0.1)],
      [2, "images_per_second", 1234.5],
      [4, "loss/train", f(1e-7)],
      [4, "lr", f(0.1)],
      [4, "images_per_second", 1234.5],
      [4, "accuracy/train", 0.75],
      [4, "loss/val", 1.25],
      [4, "accuracy/val", 0.5],
      [6, "loss/test", NaN],
      [6, "accuracy/test", f(0.1)],
    ]);
    // Lines that are added together were measured one after the other.
    const [, , two, four, val] = events.map(({ wallTime }) => wallTime);
    assert(Math.abs(four! - two! - 0.25) < 1e-3 && val === four && four! >= begun && four! <= Date.now() / 1000);
  }));

Deno.test("a write that was cut short anywhere is dropped, and restore() cuts what came after the checkpoint", () =>
  withFolder(async (folder) => {
    const log = await MetricsLog.open(folder);
    log.add(...LINES.slice(0, 2));
    const checkpoint = { step: 4, saved: log.saved() }, before = files(folder);
    log.add(...LINES.slice(2));
    const { jsonl, csv } = files(folder);
    for (let length = checkpoint.saved.bytes; length < jsonl.length; length++) {
      const lines = jsonl.slice(0, length).split("\n").length - 1;
      assertEquals(parseMetrics(jsonl.slice(0, length), ""), LINES.slice(0, lines));
    }
    Deno.writeTextFileSync(log.csv, csv.slice(0, -9));
    for (let length = checkpoint.saved.bytes; length < jsonl.length; length++) {
      Deno.writeTextFileSync(log.jsonl, jsonl.slice(0, length));
      await log.restore(checkpoint, never);
      assertEquals(files(folder), before);
    }
    assertEquals(files(folder), before);
    assertEquals(eventsIn(folder).at(-1)!.start, true);
    assertEquals(eventsIn(folder).at(-1)!.step, 5);

    // Another process, within the same second; the last record of this one is cut short.
    log.add(training(5), training(6));
    Deno.truncateSync(log.events.path, Deno.statSync(log.events.path).size - 3);
    Deno.writeTextFileSync(log.jsonl, '{"step":7,"lo', { append: true });
    const next = await MetricsLog.open(folder, checkpoint, never);
    assertEquals(files(folder), before);
    assert(next.events.path > log.events.path);
    next.add(training(5));
    assertEquals(parseMetrics(files(folder).jsonl, ""), [...LINES.slice(0, 2), training(5)]);
    assertEquals(readEvents(Deno.readFileSync(next.events.path)).map(({ step }) => step), [0, 5, 5]);
  }));

Deno.test("parseMetrics() names the line that is none, and a file that cannot be written is named", () =>
  withFolder(async (folder) => {
    for (const line of ["{", "[]", "null", "3", '{"loss":1}', ""]) {
      const error = assertThrows(() => parseMetrics(`{"step":1}\n${line}\n`, "runs/a/metrics.jsonl"), DataError);
      assert(error.message.startsWith("runs/a/metrics.jsonl: line 2 is no line of metrics: "), error.message);
    }
    assertEquals(parseMetrics("", ""), []);
    const log = await MetricsLog.open(folder);
    await Deno.remove(folder, { recursive: true });
    const error = assertThrows(() => log.add(training(1)), DataError);
    assertEquals(error.message, `cannot write ${log.jsonl}: no such file or folder`);
    assertThrows(() => log.saved(), DataError, `cannot write ${log.jsonl}: no such file or folder`);
    assertThrows(() => new EventLog(folder, 0), DataError, "no such file or folder");
    await Deno.mkdir(folder);
  }));

Deno.test("a histogram of values that are not finite is refused by name", () =>
  withFolder((folder) => {
    const events = new EventLog(folder, 0);
    const weights = new Map([["conv1.weight", Float32Array.of(1, 2)]]);
    assertThrows(
      () => events.histograms(3, weights, new Map([["fc.bias", Float32Array.of(0, NaN)]])),
      DivergedError,
      "gradients/fc.bias is not finite after step 3: training diverged; try a smaller --lr",
    );
    assertEquals(readEvents(Deno.readFileSync(events.path)).length, 2);
    return Promise.resolve();
  }));

/** Python's text of a number. */
function number(text: string): number {
  return text === "nan" ? NaN : text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

await testWith("tensorboard", "TensorBoard reads what a run with a resume wrote", () =>
  withFolder(async (folder) => {
    const run = await trainedNet(), losses = run.losses.map((loss, i) => training(i + 1, loss));
    const first = await MetricsLog.open(folder);
    first.add(...losses.slice(0, 2));
    const checkpoint = { step: 2, saved: first.saved() };
    // These steps are lost: a kill in the middle of a write.
    first.add(training(3, 99), training(4, NaN));
    first.events.image(4, "images/lost", run.png);
    Deno.truncateSync(first.events.path, Deno.statSync(first.events.path).size - 1);
    const log = await MetricsLog.open(folder, checkpoint, never);
    log.add(losses[2]!, { step: 3, epoch: 1, seconds: 1, testLoss: Infinity, testAccuracy: 0.5 });
    log.events.text(0, "config", run.text);
    log.events.image(3, "images/first", run.png);
    log.events.histograms(3, run.weights, run.gradients);

    const { scripts, pages } = await tensorBoardReads(folder);
    assertEquals(scripts.version, 2);
    // Both readers have the same scalars, and those are the lines.
    const scalars = Object.entries(scripts.scalars).map(([tag, rows]) =>
      [tag, rows.map(([step, value]) => [step, number(value!)])] as const
    );
    const f = Math.fround;
    assertEquals(
      new Map<string, unknown>(scalars),
      new Map<string, unknown>([
        ["loss/train", run.losses.map((loss, i) => [i + 1, f(loss)])],
        ["lr", [1, 2, 3].map((step) => [step, f(0.1)])],
        ["images_per_second", [1, 2, 3].map((step) => [step, 1234.5])],
        ["loss/test", [[3, Infinity]]],
        ["accuracy/test", [[3, 0.5]]],
      ]),
    );
    for (const [tag, rows] of Object.entries(scripts.scalars)) {
      assertEquals(pages["scalars"]?.[tag], rows.map(([step, value]) => [step, value!]), tag);
    }
    const times = readEvents(Deno.readFileSync(log.events.path)).map(({ wallTime }) => wallTime);
    assertEquals(number(scripts.scalars["loss/test"]![0]![2]!), times[3]);

    const png = run.png.toBase64();
    assertEquals(scripts.images, { "images/first": [[3, 8, 6, png]] });
    assertEquals(pages["images"], { "images/first": [[3, ["8", "6", png]]] });
    assertEquals(pages["text"], { config: [[0, [run.text]]] });

    const arrays = new Map([
      ...[...run.weights].map(([name, values]) => [`weights/${name}`, values] as const),
      ...[...run.gradients].map(([name, values]) => [`gradients/${name}`, values] as const),
    ]);
    assertEquals(new Set(Object.keys(scripts.histograms)), new Set(arrays.keys()));
    assertEquals(new Set(Object.keys(pages["histograms"]!)), new Set(arrays.keys()));
    for (const [tag, values] of arrays) {
      const { min, max, count, sum, sumOfSquares, limits, counts } = histogramOf(values);
      const [[step, ...read] = [], ...more] = scripts.histograms[tag]!;
      assertEquals([step, more], [3, []]);
      assertEquals((read as string[][]).map((texts) => texts.map(number)), [
        [min, max, count, sum, sumOfSquares],
        [...limits],
        [...counts],
      ], tag);
      // The page has [left, right, count] of each bucket; the outermost end with the least and the largest value.
      const shown = pages["histograms"]![tag]![0]![1] as string[][];
      assertEquals(shown.reduce((total, row) => total + number(row[2]!), 0), values.length, tag);
      assertEquals([number(shown[0]![0]!), number(shown.at(-1)![1]!)], [min, max], tag);
    }
  }));

/** Three steps of LeNet: losses, and the weights and gradients after them. */
async function trainedNet() {
  manualSeed(1);
  const net = nn.models.lenet(), optimizer = new optim.SGD(net.parameters(), { lr: 0.1 }), losses: number[] = [];
  const x = tensor(Float32Array.from(uniform(1, [4 * 3072]).data)).reshape([4, 3, 32, 32]);
  const labels = tensor(Uint32Array.of(1, 2, 3, 4));
  for (let step = 0; step < 3; step++) {
    const loss = F.crossEntropy(net.forward(x), labels);
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    losses.push(await loss.item());
  }
  const named = net.namedParameters();
  const arrays = async (of: (one: typeof named[number][1]) => Promise<unknown>) =>
    new Map(await Promise.all(named.map(async ([name, one]) => [name, await of(one) as Float32Array] as const)));
  return {
    losses,
    weights: await arrays((one) => one.data()),
    gradients: await arrays((one) => one.grad!.data()),
    png: encodeRgbPng({ width: 8, height: 6, data: Uint8Array.from(bits(2, 8 * 6 * 3)) }),
    text: "| setting | value |\n| --- | --- |\n| lr | 0.1 |",
  };
}
