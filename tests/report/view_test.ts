import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { join } from "node:path";
import { DataError } from "../../src/errors.ts";
import { filtersOf } from "../../src/report/filters.ts";
import { readRun } from "../../src/report/run_view.ts";
import { evaluationFromJson } from "../../src/run/evaluation_file.ts";
import { LOCK, lockRun } from "../../src/run/lock.ts";
import { writeRun } from "./fixtures.ts";

/** Gives `use` a folder of its own. */
async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const write = (folder: string, name: string, text: string) => Deno.writeTextFile(join(folder, name), text);

Deno.test("readRun() finds all that a finished run has", () =>
  inFolder(async (folder) => {
    const path = join(folder, "lenet-1");
    await writeRun(path);
    const run = await readRun(path);
    assertEquals([run.name, run.path, run.state, run.badLines], ["lenet-1", path, "finished", 0]);
    assertEquals([run.config.batchSize, run.environment.os], [64, "linux"]);
    assertEquals(run.series.curves.loss!.x.length, 60);
    assertEquals(run.series.curves.valAccuracy!.x.length, 10);
    assertEquals(run.series.events.map(({ event }) => event), ["resume"]);
    assertEquals(run.evaluation?.mistakes.length, 24);
    assertEquals([run.filters?.count, run.filters?.width, run.filters?.images.length], [16, 5, 16]);
    assertEquals((await readRun(path, { weights: false })).filters, undefined);
  }));

Deno.test("readRun() shows what there is of an old run, and drops a last line that is cut off", () =>
  inFolder(async (folder) => {
    await write(folder, "metrics.jsonl", '{"step":1,"loss":2}\n{"step":2,"loss":1}\n{"step":3,"lo');
    const { config, environment, series, state, badLines, ...more } = await readRun(folder);
    assertEquals([config, environment, state, badLines], [{}, {}, "stopped", 0]);
    assertEquals(series.curves.loss, { x: [1, 2], y: [2, 1] });
    assertEquals(Object.keys(more).sort(), ["defaults", "name", "path"]);
    await Deno.remove(join(folder, "metrics.jsonl"));
    await write(folder, "config.json", "{}");
    assertEquals((await readRun(folder)).series.curves.loss, { x: [], y: [] });
  }));

Deno.test("readRun() tells how a run ended: diverged, failed, ended early and tested, or interrupted", () =>
  inFolder(async (folder) => {
    await write(folder, "config.json", '{"epochs":9,"optimizer":"adam"}');
    const line = '{"step":3,"loss":2}\n', test = '{"step":3,"testLoss":2,"testAccuracy":0.5}\n';
    const stateOf = async (text: string) => {
      await write(folder, "metrics.jsonl", text);
      return (await readRun(folder)).state;
    };
    const failed = '{"step":3,"event":"failed","why":"the loss is NaN","diverged":true}\n';
    assertEquals(await stateOf(line), "stopped");
    assertEquals(await stateOf(line + failed), "diverged");
    assertEquals(await stateOf(`${line}{"step":3,"event":"failed","why":"the disk is full"}\n`), "failed");
    assertEquals(await stateOf(`${line}${failed}{"step":3,"event":"resume"}\n${line}`), "stopped");
    assertEquals(await stateOf(line + test), "finished");
    assertEquals(await stateOf(`${line}{"step":3,"event":"stop","totalSteps":9}\n${test}`), "ended-early");
    const { defaults } = await readRun(folder);
    assertEquals([defaults.epochs, defaults.optimizer, defaults.momentum], [2, "sgd", undefined]); // Adam has none.
  }));

Deno.test("readRun() leaves out the test of a run that went on after it", () =>
  inFolder(async (folder) => {
    await writeRun(folder, { lines: 20 });
    const metrics = await Deno.readTextFile(join(folder, "metrics.jsonl"));
    assert((await readRun(folder)).evaluation !== undefined);
    await write(folder, "metrics.jsonl", `${metrics}{"step":99999,"loss":1}\n`);
    assertEquals((await readRun(folder)).evaluation, undefined);
    // It went back to its last checkpoint, which was before the line of the test.
    await write(folder, "metrics.jsonl", `${metrics.replace(/.*testLoss.*\n/, "")}{"step":2600,"event":"resume"}\n`);
    const { evaluation, state } = await readRun(folder);
    assertEquals([evaluation, state], [undefined, "stopped"]);
  }));

Deno.test("readRun() counts damaged lines, and reads lines that lie across chunks", () =>
  inFolder(async (folder) => {
    const lines = Array.from({ length: 9000 }, (_, i) => `${JSON.stringify({ step: i + 1, loss: 1, note: "ä€😀" })}\n`);
    lines[17] = '{"step":18,"lo{"step":18,"loss":1}\n';
    lines[4000] = "7\n";
    await write(folder, "metrics.jsonl", lines.join("")); // More than a chunk of 256 KiB.
    const { series, badLines } = await readRun(folder);
    assertEquals(badLines, 2);
    assertEquals(series.curves.loss!.x.at(-1), 9000);
  }));

Deno.test("readRun() says running while another has the run's lock, but not of a run that has ended", () =>
  inFolder(async (folder) => {
    await writeRun(folder);
    {
      await using _ = await lockRun(folder);
      assertEquals((await readRun(folder)).state, "running");
      assertEquals((await readRun(folder, { ended: true })).state, "finished");
    }
    assertEquals((await readRun(folder)).state, "finished");
  }));

Deno.test("a look at whether a run is locked does not keep another from locking it", () =>
  inFolder(async (folder) => {
    const file = join(folder, LOCK);
    await Deno.writeTextFile(file, "");
    const looking = await Deno.open(file, { read: true });
    assert(await looking.tryLock(false));
    setTimeout(() => looking.close(), 60);
    await using _ = await lockRun(folder);
  }));

Deno.test("readRun() refuses in a line what is no run", () =>
  inFolder(async (folder) => {
    const refuses = async (path: string, why: RegExp) => {
      const { message } = await assertRejects(() => readRun(path), DataError);
      assert(why.test(message) && !message.includes("\n"), message);
    };
    await refuses(join(folder, "none"), /cannot read the run .*none: no such file/);
    await refuses(folder, /is not a run: it has neither config\.json nor metrics\.jsonl/);
    await write(folder, "config.json", "[1]");
    await refuses(join(folder, "config.json"), /is not the folder of a run/);
    await refuses(folder, /config\.json must contain one JSON object/);
    await write(folder, "config.json", '{"a\n');
    await refuses(folder, /config\.json is not JSON/);
    await write(folder, "config.json", "{}");
    await write(folder, "evaluation.json", "{}");
    await refuses(folder, /evaluation\.json is no result of a test/);
    await Deno.remove(join(folder, "evaluation.json"));
    await write(folder, "metrics.jsonl", "x".repeat(3 << 20));
    await refuses(folder, /metrics\.jsonl does not contain metrics/);
  }));

Deno.test("evaluationFromJson() takes no image but a PNG, no label that is no class, and no ragged matrix", () => {
  const mistake = { index: 0, label: 1, predicted: 0, probability: 0.5, png: "data:image/png;base64,AA==" };
  const good = {
    split: "test",
    images: 2,
    loss: 1,
    accuracy: 0.5,
    classes: ["a", "b"],
    perClass: [1, null],
    confusion: [[1, 0], [1, 0]],
    mistakes: [mistake],
  };
  const read = (value: object) => evaluationFromJson(JSON.stringify(value), "e.json");
  assertEquals(read(good), good);
  for (
    const bad of [
      { ...good, mistakes: [{ ...mistake, png: "https://example.com/x.png" }] },
      { ...good, mistakes: [{ ...mistake, label: 2 }] },
      { ...good, mistakes: [null] },
      { ...good, confusion: [[1, 0], [1]] },
      { ...good, perClass: [1] },
      { ...good, accuracy: "0.5" },
      { ...good, classes: undefined },
    ]
  ) {
    assertThrows(() => read(bad), DataError, "e.json is no result", JSON.stringify(bad));
  }
});

Deno.test("filtersOf() draws a layer's weights around grey, on one scale", () => {
  const weight = { dtype: "F32" as const, shape: [2, 3, 1, 2], data: new Float32Array(12) };
  weight.data.set([1, 0, 0.5, 0, -1, 0]); // Of the first filter's left pixel red is 1, green 0.5, blue -1.
  const bias = { dtype: "F32" as const, shape: [2], data: new Float32Array(2) };
  const filters = filtersOf({ tensors: new Map([["b", bias], ["w", weight]]) })!;
  assertEquals([filters.name, filters.width, filters.height, filters.count], ["w", 2, 1, 2]);
  const pixels = filters.images.map((uri) => [...decode(Uint8Array.fromBase64(uri.slice(uri.indexOf(",") + 1))).data]);
  assertEquals(pixels, [[255, 191, 0, 128, 128, 128], [128, 128, 128, 128, 128, 128]]);
  const grey = { ...weight, shape: [3, 1, 2, 2] };
  assertEquals(filtersOf({ tensors: new Map([["w", grey]]) })?.count, 3);
  assertEquals(filtersOf({ tensors: new Map([["w", { ...weight, shape: [1, 12, 1, 1] }]]) }), undefined);
});
