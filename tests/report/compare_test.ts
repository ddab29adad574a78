import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { compareRuns } from "../../src/report/comparison.ts";
import { addLine, noSeries } from "../../src/report/page/series.js";
import type { RunView } from "../../src/report/run_view.ts";
import { lockRun } from "../../src/run/lock.ts";
import { wgrad } from "../cli/support.ts";
import { writeRun } from "./fixtures.ts";

function run(
  name: string,
  config: Record<string, unknown>,
  lines: Record<string, unknown>[],
  environment: Record<string, unknown> = {},
): RunView {
  const series = noSeries();
  for (const line of lines) addLine(series, line);
  const settings = { name, ...config };
  return { name, path: name, state: "stopped", config: settings, defaults: {}, environment, series, badLines: 0 };
}

const LINES = [{ step: 5, loss: 2 }, { step: 9, loss: 2.5 }, { step: 9, valLoss: 3, valAccuracy: 0.5 }];

Deno.test("compareRuns() shows the results, which are the best, and only those settings that differ", () => {
  const { names, results, settings, notes } = compareRuns([
    run("a", { model: "lenet", lr: 0.1, momentum: 0.9, weightDecay: 0, opt: [] }, LINES),
    run("b", { model: "lenet", lr: 0.2, momentum: 0.9, weightDecay: 0.01, opt: [] }, [{ step: 5, loss: 2 }]),
  ]);
  assertEquals([names, notes], [["a", "b"], []]);
  assertEquals(settings, [
    { label: "lr", values: ["0.1", "0.2"], best: [] },
    { label: "weight-decay", values: ["0", "0.01"], best: [] },
  ]);
  const row = (label: string) => results.find((row) => row.label === label);
  // The mean of an epoch, and not the least loss of a batch, which is the same here.
  const loss = row("training loss, mean of the last epoch");
  assertEquals([loss?.values, loss?.best], [["2.222", "2.000"], [1]]);
  assertEquals(results.filter(({ label }) => label.includes("best")), []);
  assertEquals(row("highest validation accuracy")?.values, ["50.00 %", "–"]);
  assertEquals([row("steps")?.values, row("test accuracy")], [["9", "5"], undefined]);
});

Deno.test("compareRuns() marks nothing across different data, and says so", () => {
  const on = (name: string, data: string, sha256: string, config = {}) =>
    run(name, { data, valSplit: 0.1, seed: 0, ...config }, LINES.map((line) => ({ ...line, loss: name.length })), {
      data: { name: data, sha256 },
    });
  const marked = (...runs: RunView[]) => compareRuns(runs).results.flatMap(({ best }) => best).length;
  const notes = (...runs: RunView[]) => compareRuns(runs).notes.join();
  const a = on("a", "cifar10", "x");
  assertEquals([marked(a, on("bb", "cifar10", "x")), notes(a, on("bb", "cifar10", "x"))], [1, ""]);
  const other = on("bb", "synthetic", "y");
  assertEquals(marked(a, other), 0);
  assertEquals(
    notes(a, other, on("c", "cifar10", "x")),
    "These runs have different data, so no result is marked as the best: a, c (cifar10); bb (synthetic).",
  );
  // Images of the same folder that have changed since.
  assertEquals(marked(a, on("bb", "cifar10", "y")), 0);
  // Other images are held out: the validations were of different images, and all else is comparable.
  const split = on("bb", "cifar10", "y", { valSplit: 0.2 });
  assertEquals(marked(a, split), 1);
  assertEquals(
    notes(a, split),
    "These runs were validated with different images, so no validation result is marked as the best.",
  );
});

Deno.test("wgrad compare prints a table and writes a page; runs are found by folder, or by name in runs/", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeRun(join(folder, "runs", "a"));
    await writeRun(join(folder, "b"), { config: { lr: 0.1 } });
    const { code, out, err } = await wgrad(folder, [
      "compare",
      "a",
      "b",
      "--json",
      "--out",
      join(folder, "new", "c.html"),
    ]);
    assertEquals(code, 0, err.join("\n"));
    assertEquals(err[0]?.trim().split(/ +/), ["a", "b"]);
    const indexOf = (pattern: RegExp) => err.findIndex((line) => pattern.test(line));
    const [results, settings] = [indexOf(/^test accuracy +58\.53 % +58\.53 %$/), indexOf(/^lr +0\.05 +0\.1$/)];
    assert(0 < results && results < settings, err.join("\n"));
    assertEquals(indexOf(/^model/), -1); // It is the same.
    const { runs } = JSON.parse(out.at(-1)!);
    assertEquals([out.length, runs.length, runs[0].testAccuracy, runs[1].config.lr], [1, 2, 0.5853, 0.1]);
    assert((await Deno.readTextFile(join(folder, "new", "c.html"))).startsWith("<!DOCTYPE html>"));
    const none = await wgrad(folder, ["compare", "a", "nope"]);
    assertEquals([none.code, none.err], [1, ["error: cannot read the run nope: no such file or folder"]]);
    const one = await wgrad(folder, ["compare", "a"]);
    assertEquals([one.code, one.err], [2, ["error: compare needs at least two runs; see wgrad compare --help"]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("wgrad compare shows control characters as text, keeps files of others, and takes 24 runs at most", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["a", "b"]) {
      await writeRun(join(folder, name), { config: { model: `${name}\u001b]0;pwn\u0007` } });
    }
    const first = await wgrad(folder, ["compare", "a", "b"]);
    assertEquals(first.code, 0, first.err.join("\n"));
    assert(first.out.some((line) => line.includes("\\u001b]0;pwn\\u0007")), first.out.join("\n"));
    assert(!/\p{C}/u.test(first.out.join("")));
    assertEquals((await wgrad(folder, ["compare", "a", "b"])).code, 0); // The page is its own.
    for (const file of [join("a", "config.json"), "a"]) {
      const { code, out, err } = await wgrad(folder, ["compare", "a", "b", "--out", file]);
      const why = "exists and is not a page that wgrad has written: choose another file";
      assertEquals([code, out, err], [2, [], [`error: ${file} ${why}`]]);
    }
    assert((await Deno.readTextFile(join(folder, "a", "config.json"))).startsWith("{"));
    const many = await wgrad(folder, ["compare", ...Array(25).fill("a")]);
    assertEquals([many.code, many.err], [2, ["error: compare takes at most 24 runs, but got 25"]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("wgrad report writes the report of a run anew, as it stands", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    const run = join("runs", "a"), page = join(folder, run, "report.html");
    await writeRun(join(folder, run));
    const { code, out, err } = await wgrad(folder, ["report", "a"]);
    assertEquals([code, out, err], [0, [`report: ${page}`], []]);
    assert((await Deno.readTextFile(page)).includes('"state":"finished"'));
    await using _ = await lockRun(join(folder, run));
    assertEquals((await wgrad(folder, ["report", run, "--json"])).out, [JSON.stringify({ report: page })]);
    assert((await Deno.readTextFile(page)).includes('"state":"running"'));
    const none = await wgrad(folder, ["report", "nope"]);
    assertEquals([none.code, none.err], [1, ["error: cannot read the run nope: no such file or folder"]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
