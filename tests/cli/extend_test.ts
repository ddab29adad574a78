/**
 * `wgrad train --resume RUN` with more epochs or steps, or with other batches: the run goes on, and counts its steps right.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { withFolder } from "../data/fixtures.ts";
import { metricsOf, wgrad, writeData } from "./support.ts";

/** 42 images: 11 steps of 4 are an epoch, and 6 steps of 8. */
const DATA = ["train", "--data", "data"];

const weightsOf = (folder: string, run: string) => Deno.readFileSync(join(folder, "runs", run, "model.safetensors"));

Deno.test("a finished run goes on for more epochs or steps, to the bits of a run that had them from the start", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const run = async (...args: string[]) => {
      const { code, out, err } = await wgrad(folder, args);
      assertEquals(code, 0, err.join("\n"));
      return out;
    };
    await run(...DATA, "--epochs", "2", "--name", "straight");
    await run(...DATA, "--epochs", "1", "--name", "epochs");
    const longer = await run("train", "--resume", "epochs", "--epochs", "2");
    assert(longer.includes("the run now has 22 steps (before: 11); the learning rate stays 0.001"), longer.join("\n"));
    assertEquals(weightsOf(folder, "epochs"), weightsOf(folder, "straight"));
    assertEquals(JSON.parse(Deno.readTextFileSync(join(folder, "runs", "epochs", "config.json"))).epochs, 2);

    await run(...DATA, "--max-steps", "5", "--name", "steps");
    const most = await wgrad(folder, ["train", "--resume", "steps", "--epochs", "3"]);
    assertEquals([most.code, most.err.at(-1)], [
      ...[2, "error: This run has done its 5 steps of --max-steps 5. Give a larger --max-steps."],
    ]);
    await run("train", "--resume", "steps", "--max-steps", "22");
    assertEquals(weightsOf(folder, "steps"), weightsOf(folder, "straight"));
    // It has finished, and asks for nothing more.
    assert((await run("train", "--resume", "steps")).some((line) => line.includes("has finished")));
  }));

Deno.test("a run that is extended says how its schedule goes on", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const cases: [schedule: string[], line: string][] = [
      [
        ["--schedule", "cosine"],
        "--schedule cosine is recomputed for all of them: the learning rate goes on at 0.0005 (before: 0)",
      ],
      [["--schedule", "exponential"], "--schedule exponential goes on as it was"],
      [["--warmup", "5"], "the warm-up goes on as it was"],
    ];
    for (const [schedule, expected] of cases) {
      const name = schedule.at(-1)!;
      const first = await wgrad(folder, [...DATA, ...schedule, "--epochs", "1", "--name", name]);
      const { code, out, err } = await wgrad(folder, ["train", "--resume", name, "--epochs", "2"]);
      assertEquals([first.code, code], [0, 0], err.join("\n"));
      assert(out.includes(`the run now has 22 steps (before: 11); ${expected}`), out.join("\n"));
    }
    const rates = metricsOf(join(folder, "runs", "cosine")).flatMap(({ lr }) => lr ?? []);
    assert(rates.length === 22 && rates[10]! < 1e-4 && Math.abs(rates[11]! - 0.0005) < 1e-9, rates.join());
  }));

Deno.test("steps that were taken stay steps under another --batch-size, and --max-steps counts them", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const first = await wgrad(folder, [...DATA, "--batch-size", "8", "--max-steps", "4", "--name", "run"]);
    assertEquals(first.code, 0, first.err.join("\n"));
    const resume = ["train", "--resume", "run", "--batch-size", "4", "--force", "--json"];
    const same = await wgrad(folder, resume);
    assert(JSON.parse(same.out[0]!).finished, same.err.join("\n"));
    const more = await wgrad(folder, [...resume, "--max-steps", "9"]);
    assertEquals(more.code, 0, more.err.join("\n"));
    // Five steps more: ten images end the epoch, in steps of 4, 4 and 2, and two are of the next.
    const { steps, imagesPerSecond, trainSeconds, results } = JSON.parse(more.out[0]!);
    assertEquals([steps, Math.round(imagesPerSecond * trainSeconds), results[0].step], [9, 4 + 4 + 2 + 4 + 4, 9]);
    for (
      const line of [
        "resuming at step 4 of 9",
        "each step now takes 4 images, and took 8: the 4 steps so far keep their count, and the epoch goes on after " +
        "the images that they took",
        "the run now has 9 steps (before: 4); the learning rate stays 0.001",
      ]
    ) assert(more.err.includes(line), more.err.join("\n"));
    assertEquals(
      metricsOf(join(folder, "runs", "run")).filter(({ loss }) => loss).map(({ step, epoch, stepInEpoch }) => [
        ...[step, epoch, stepInEpoch],
      ]),
      [[1, 1, 1], [2, 1, 2], [3, 1, 3], [4, 1, 4], [5, 1, 9], [6, 1, 10], [7, 1, 11], [8, 2, 1], [9, 2, 2]],
    );
  }));
