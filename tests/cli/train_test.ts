/**
 * `wgrad train` and `wgrad eval` as processes: what they print where, what they leave on the disk, how they fail.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { configFromJson, makeConfig } from "../../src/config/config.ts";
import { withFolder } from "../data/fixtures.ts";
import { filesOf, metricsOf, namesIn, wgrad, writeData } from "./support.ts";

const FAST = ["--data", "data", "--log-every", "5"];

Deno.test("train --json and eval --json: one object on stdout, the lines on stderr, and the same figures", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const { code, out, err } = await wgrad(folder, ["train", ...FAST, "--epochs", "2", "--json"]);
    assertEquals(code, 0, err.join("\n"));
    assertEquals(out.length, 1);
    const result = JSON.parse(out[0]!);
    const keys = ["accuracy", "loss", "trainSeconds", "imagesPerSecond", "steps", "out", "adapter", "results"];
    assertEquals(Object.keys(result), keys);
    // 11 steps an epoch, the last of two images.
    assertEquals([result.steps, result.out], [22, join("runs", "lenet-1")]);
    assert(Math.abs(result.imagesPerSecond - 84 / result.trainSeconds) < 1e-9);
    assert(Number.isInteger(result.accuracy * 30) && result.loss > 0);
    assert(err.some((line) => line.includes(result.adapter)), err.join("\n"));

    const losses = err.filter((line) => line.startsWith("["));
    assertEquals(losses.map((line) => line.replace(/\d\.\d{3}$/, "L")), [
      "[1,     5] loss: L",
      "[1,    10] loss: L",
      "[2,     5] loss: L",
      "[2,    10] loss: L",
    ]);
    const tested = err.find((line) => line.startsWith("Accuracy of"));
    const percent = (100 * result.accuracy).toFixed(2);
    const figures = `${percent} % (loss ${result.loss.toFixed(3)})`;
    assertEquals(tested, `Accuracy of the network on the 30 test images: ${figures}`);
    assertEquals(err.filter((line) => line.startsWith("Next: ")).length, 3);
    // Two epochs of eleven steps, each with its line.
    const epochs = err.filter((line) => line.startsWith("epoch "));
    assertEquals(epochs.map((line) => line.replace(/\d+\.\d+/g, "N")), [
      "epoch 1/2: training loss N, training accuracy N %",
      "epoch 2/2: training loss N, training accuracy N %",
    ]);
    assertEquals(result.results.map(({ weights, step, saved }: Record<string, unknown>) => [weights, step, saved]), [
      ["last", 22, true],
    ]);

    const run = join(folder, result.out);
    assertEquals(filesOf(run), [
      ...["checkpoints", "config.json", "evaluation.json", "events", "metrics.csv", "metrics.jsonl"],
      ...["model.safetensors", "report.html", "run.json"],
    ]);
    assertEquals(namesIn(join(run, "checkpoints")), [
      "last.safetensors",
      "step-000000011.safetensors",
      "step-000000022.safetensors",
    ]);
    const { command, seed, data, adapter, finished } = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    assertEquals([command, seed, data.name, data.images], [
      "wgrad train --data data --log-every 5 --epochs 2 --json",
      0,
      "data",
      42,
    ]);
    assert(/^[0-9a-f]{64}$/.test(data.sha256) && adapter.name === result.adapter && Date.parse(finished) > 0);
    const config = configFromJson(await Deno.readTextFile(join(run, "config.json")), "config.json");
    assertEquals(config, makeConfig({ data: "data", logEvery: 5, epochs: 2 }));
    const metrics = metricsOf(run), last = metrics.pop();
    assertEquals({ ...last, seconds: 0 }, {
      step: 22,
      epoch: 2,
      seconds: 0,
      testLoss: result.loss,
      testAccuracy: result.accuracy,
    });
    // A run as short as this has a line of metrics for each step, whatever is printed.
    assertEquals(
      metrics.map(({ epoch, stepInEpoch, step, lr }) => [epoch, stepInEpoch, step, lr]),
      Array.from({ length: 22 }, (_, i) => [i < 11 ? 1 : 2, i % 11 + 1, i + 1, 0.001]),
    );
    const means = [0, 5, 11, 16].map((from) =>
      metrics.slice(from, from + 5).reduce((sum, { loss }) => sum + loss! / 5, 0)
    );
    assertEquals(means.map((loss) => loss.toFixed(3)), losses.map((line) => line.slice(-5)));
    metrics.forEach(({ step, seconds, imagesPerSecond }, i) => {
      assert(seconds! > (metrics[i - 1]?.seconds ?? 0) && imagesPerSecond! > 0);
      // Until the first two seconds are over, it is the mean since the beginning.
      const images = step! * 4 - (step! > 10 ? 2 : 0) - (step! > 21 ? 2 : 0);
      if (seconds! < 2) assert(Math.abs(imagesPerSecond! * seconds! / images - 1) < 1e-6, `${i}`);
    });

    const weights = join(result.out, "model.safetensors");
    const evaluated = await wgrad(folder, ["eval", "--weights", weights, "--data", "data", "--json"]);
    assertEquals([evaluated.code, evaluated.out.length], [0, 1], evaluated.err.join("\n"));
    const test = JSON.parse(evaluated.out[0]!);
    assertEquals(Object.keys(test), ["accuracy", "loss", "perClass", "confusion", "data", "split", "images"]);
    assertEquals([test.data, test.split, test.images], ["data", "test", 30]);
    assertEquals([test.accuracy, test.loss], [result.accuracy, result.loss]);
    const { confusion, perClass } = test as { confusion: number[][]; perClass: Record<string, number | null> };
    assertEquals([confusion.length, confusion.flat().length], [10, 100]);
    assertEquals(confusion.flat().reduce((sum, count) => sum + count), 30);
    assertEquals(confusion.reduce((sum, row, label) => sum + row[label]!, 0), Math.round(30 * test.accuracy));
    assertEquals(Object.keys(perClass).length, 10);
    Object.entries(perClass).forEach(([name, share], label) => {
      const row = confusion[label]!, of = row.reduce((sum, count) => sum + count);
      assertEquals(share, of === 0 ? null : row[label]! / of, name);
      const line = evaluated.err.find((line) => line.startsWith(`Accuracy for ${name}`));
      assert(line?.endsWith(of === 0 ? ": no images" : `: ${(100 * share!).toFixed(2)} %`), line);
    });
  }));

Deno.test("train on one .bin file, --quiet: the result alone; a larger batch than images; --normalize is kept", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const settings = ["--batch-size", "16", "--normalize", "cifar10", "--log-every", "1", "--name", "my run"];
    const { code, out, err } = await wgrad(folder, ["train", "--data", "one.bin", ...settings, "--quiet"]);
    assertEquals(code, 0, err.join("\n"));
    assertEquals(out.length, 11);
    assert(out[0]!.startsWith("Accuracy of the network on the 10 test images: "), out[0]);
    assert(out.slice(1).every((line) => line.startsWith("Accuracy for class ")), out.join("\n"));
    assertEquals(err.filter((line) => !line.startsWith("NOTE: no GPU is used")), []);
    const run = join(folder, "runs", "my run"), metrics = metricsOf(run);
    assertEquals(metrics.map(({ step }) => step), [1, 2, 2]);

    // The file says how its pixels were scaled. Both splits are the one file.
    const weights = ["--weights", join(run, "model.safetensors"), "--data", "one.bin"];
    for (const split of ["train", "test"]) {
      const test = await wgrad(folder, ["eval", ...weights, "--split", split, "--json", "--quiet"]);
      const { loss } = JSON.parse(test.out.at(-1)!);
      assertEquals(loss, metrics.at(-1)!.testLoss);
    }
    const other = await wgrad(folder, ["eval", ...weights, "--normalize", "half", "--json"]);
    assert(JSON.parse(other.out[0]!).loss !== metrics.at(-1)!.testLoss);

    const taken = await wgrad(folder, ["train", "--data", "one.bin", "--name", "my run"]);
    assertEquals([taken.code, taken.err.at(-1)], [
      2,
      `error: ${join("runs", "my run")} is already there: choose another --name, go on with it by --resume ${
        join("runs", "my run")
      }, or remove it`,
    ]);
  }));

Deno.test("train --data synthetic says so where the accuracy stands, also under --quiet; --max-steps ends it", () =>
  withFolder(async (folder) => {
    const args = ["--data", "synthetic", "--max-steps", "3", "--model", "lenet-gray", "--no-progress", "--quiet"];
    const { code, out, err } = await wgrad(folder, ["train", ...args]);
    assertEquals(code, 0, err.join("\n"));
    assert(
      out[0]!.startsWith("Accuracy of the best weights (epoch 1, step 3) on the 2000 SYNTHETIC test images: "),
      out[0],
    );
    assertEquals(metricsOf(join(folder, "runs", "lenet-gray-1")).map(({ step }) => step), [1, 2, 3, 3, 3]);
  }));

Deno.test("a loss that is not finite: exit 1, one line with the step, and the metrics of the steps before", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const args = ["train", "--data", "data", "--lr", "1e6", "--log-every", "1", "--epochs", "9", "--json"];
    const { code, out, err } = await wgrad(folder, args);
    assertEquals([code, out], [1, []]);
    const match = /^error: the loss is (?:NaN|Infinity) at step (\d+): training diverged; try a smaller --lr$/
      .exec(err.at(-1)!);
    assert(match !== null, err.join("\n"));
    const metrics = metricsOf(join(folder, "runs", "lenet-1")), failed = metrics.pop();
    assertEquals<unknown>({ ...failed, step: 0 }, {
      step: 0,
      diverged: true,
      event: "failed",
      why: err.at(-1)!.replace("error: ", ""),
    });
    const steps = metrics.map(({ step }) => step);
    assertEquals(steps, Array.from({ length: Number(match![1]) - 1 }, (_, i) => i + 1));
    assert(steps.length > 0);
    assertEquals(filesOf(join(folder, "runs", "lenet-1")), [
      "config.json",
      "events",
      "metrics.csv",
      "metrics.jsonl",
      "report.html",
      "run.json",
    ]);
  }));

Deno.test("a command that cannot do its work ends with one line, and leaves nothing behind", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const write = (name: string, bytes: Uint8Array) => Deno.writeFile(join(folder, name), bytes);
    await write("garbage", crypto.getRandomValues(new Uint8Array(5000)));
    await write("empty", new Uint8Array(0));
    await write("odd.bin", new Uint8Array(3073 * 2 + 1));
    const cases: [args: string[], code: number, message: RegExp][] = [
      [["eval"], 2, /^error: eval needs --weights FILE; see wgrad eval --help$/],
      [["eval", "--weights", "none"], 1, /^error: cannot read none: no such file or folder$/],
      [["eval", "--weights", "data"], 1, /^error: cannot read data: it is a folder$/],
      [
        ["eval", "--weights", "empty"],
        1,
        /^error: empty is not a weights file: it is neither safetensors nor \.pth nor \.npz$/,
      ],
      [
        ["eval", "--weights", "garbage"],
        1,
        /^error: garbage is not a weights file: it is neither safetensors nor \.pth nor \.npz$/,
      ],
      [["train", "--data", "odd.bin"], 1, /^error: odd\.bin: byte 6146: the last record is incomplete/],
      [["train", "--data", "cifar10", "--offline"], 1, /^error: CIFAR-10 in the cache is not complete .*--offline/],
      [
        ["train", "--data", "data", "--out", "empty/runs"],
        1,
        /^error: cannot make a run's folder in empty.runs: [^\n]+$/,
      ],
      [
        ["train", "--data", "data", "--adapter", "Voodoo 2"],
        2,
        /^error: no adapter is named "Voodoo 2": this machine has /,
      ],
    ];
    const before = namesIn(folder);
    for (const [args, code, message] of cases) {
      const run = await wgrad(folder, args);
      assertEquals(
        [run.code, run.err.filter((line) => line.startsWith("error:")).length],
        [code, 1],
        run.err.join("\n"),
      );
      assert(message.test(run.err.at(-1)!), run.err.join("\n"));
      assertEquals(namesIn(folder), before);
    }
  }));

Deno.test("train --config FILE repeats a run to the bit, in a folder of its own; a flag beside it goes before", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const update = ["--optimizer", "adamw", "--opt", "betas=0.8,0.9", "--lr", "0.002", "--weight-decay", "0.1"];
    const schedule = ["--schedule", "one-cycle", "--sched", "pct_start=0.5", "--warmup", "2"];
    const others = ["--label-smoothing", "0.1", "--clip-grad", "1", "--ema", "0.9", "--accumulate", "2"];
    const first = await wgrad(folder, ["train", ...FAST, ...update, ...schedule, ...others, "--name", "first"]);
    assertEquals(first.code, 0, first.err.join("\n"));
    const file = join("runs", "first", "config.json");
    const again = await wgrad(folder, ["train", "--config", file]);
    const other = await wgrad(folder, ["train", "--config", file, "--seed", "1", "--name", "other"]);
    assertEquals([again.code, other.code], [0, 0], again.err.concat(other.err).join("\n"));
    const weights = (name: string) => Deno.readFile(join(folder, "runs", name, "model.safetensors"));
    assertEquals(await weights("lenet-1"), await weights("first"));
    const read = (name: string) => Deno.readTextFileSync(join(folder, "runs", name, "config.json"));
    assertEquals(JSON.parse(read("other")), { ...JSON.parse(read("first")), seed: 1, name: "other" });
    const rates = metricsOf(join(folder, "runs", "first")).map(({ lr }) => lr).filter((lr) => lr !== undefined);
    assert(rates.length > 0 && new Set(rates).size === rates.length, `${rates}`);
  }));
