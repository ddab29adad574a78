/**
 * What a run with a validation split saves, tests and reports: its best weights; and which runs have a validation split.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { evaluationFromJson, type WeightsResult } from "../../src/run/evaluation_file.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { weightsIn } from "../../src/run/checkpoint.ts";
import { readCheckpoint } from "../../src/run/checkpoints.ts";
import { withFolder } from "../data/fixtures.ts";
import { metricsOf, wgrad, writeData } from "./support.ts";

/** A learning rate at which the first epoch is the best of three on the images of `writeData()`. */
const ARGS = ["--data", "data", "--epochs", "4", "--batch-size", "8", "--lr", "0.3", "--val-split", "0.25", "--json"];

interface Result {
  readonly accuracy: number;
  readonly loss: number;
  readonly out: string;
  readonly results: readonly WeightsResult[];
}

for (const ema of [[], ["--ema", "0.5"]]) {
  const of = ema.length > 0 ? "of the averages" : "of the weights";
  Deno.test(`the best ${of} by validation loss are saved, tested and reported, and the last beside them`, () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const best = await wgrad(folder, ["train", ...ARGS, ...ema, "--name", "best"]);
      const last = await wgrad(folder, ["train", ...ARGS, ...ema, "--name", "last", "--final", "last"]);
      assertEquals([best.code, last.code], [0, 0], best.err.concat(last.err).join("\n"));
      const [a, b] = [best, last].map(({ out }) => JSON.parse(out[0]!) as Result) as [Result, Result];
      const validations = metricsOf(join(folder, "runs", "best")).filter(({ valLoss }) => valLoss !== undefined);
      const expected = validations.toSorted((a, b) => a.valLoss! - b.valLoss!)[0]!;
      assertEquals(validations.length, 4);
      assert(expected.epoch! < 4, "the test needs a run whose last epoch is not its best");

      const [saved, other] = a.results as [WeightsResult, WeightsResult];
      const { epoch, step, valLoss: loss, valAccuracy: accuracy } = expected,
        { valLoss, valAccuracy } = validations[3]!;
      assertEquals({ ...saved, loss: 0, accuracy: 0 }, {
        ...{ weights: "best", epoch: epoch!, step: step!, averaged: ema.length > 0, saved: true },
        ...{ data: "data", split: "test", images: 30, loss: 0, accuracy: 0 },
        validation: { images: 11, loss: loss!, accuracy: accuracy! },
      });
      assertEquals([other.weights, other.epoch, other.step, other.saved], ["last", 4, 16, false]);
      assertEquals(other.validation, { images: 11, loss: valLoss!, accuracy: valAccuracy! });
      assertEquals([saved.loss, saved.accuracy], [a.loss, a.accuracy]);
      assert(saved.loss !== other.loss);
      // The run that saves the last weights has the same two results, in the other order.
      assertEquals(b.results, [{ ...other, saved: true }, { ...saved, saved: false }]);

      // The file, its test, the metrics and evaluation.json are of the best weights.
      const run = join(folder, "runs", "best"), bytes = (path: string) => Deno.readFileSync(join(run, path));
      const checkpoint = (await readCheckpoint(join(run, "checkpoints", "best.safetensors")))!;
      const { tensors } = decodeSafetensors(bytes("model.safetensors"), "model");
      for (const [name, { data }] of weightsIn(checkpoint.tensors)) assertEquals(tensors.get(name)!.data, data, name);
      const tested = await wgrad(folder, ["eval", "--weights", join(run, "model.safetensors"), "--json"]);
      assertEquals(JSON.parse(tested.out[0]!).loss, a.loss, tested.err.join("\n"));
      const file = evaluationFromJson(new TextDecoder().decode(bytes("evaluation.json")), "evaluation.json");
      assertEquals([file.loss, file.results], [a.loss, a.results]);
      const { testLoss, step: at, weights, weightsStep } = metricsOf(run).at(-1)! as Record<string, unknown>;
      assertEquals([testLoss, at, weights, weightsStep], [a.loss, 16, "best", step]);

      const line = best.err.find((line) => line.startsWith("Accuracy of the "))!;
      assert(
        line.startsWith(`Accuracy of the best weights (epoch ${epoch}, step ${step}) on the 30 test images: `),
        line,
      );
      const start = best.err.findIndex((line) => line.startsWith("The weights with the smallest validation loss"));
      assertMatch(best.err[start + 1]!, new RegExp(`^  [\\d.]+ % .*best.*: epoch ${epoch}, step ${step}, .*; saved$`));
      assertMatch(best.err[start + 2]!, /last.*: epoch 4, step 16, validation loss .*; --final last saves these$/);
    }));
}

Deno.test("--final best needs images to validate with", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const refused = await wgrad(folder, ["train", "--data", "data", "--final", "best"]);
    assertEquals([refused.code, refused.err.at(-1)], [
      ...[2, "error: --final best needs images to validate with: add --val-split 0.1"],
    ]);
  }));

Deno.test("runs hold out 5 % of the training images and say so, unless a flag or the recipe says otherwise", () =>
  withFolder(async (folder) => {
    const base = ["train", "--data", "synthetic", "--batch-size", "64", "--no-progress"];
    const held = "holding out 5 % of the training images (500) for validation; --val-split 0 uses all";
    const splitOf = (run: string) =>
      JSON.parse(Deno.readTextFileSync(join(folder, "runs", run, "config.json"))).valSplit;
    const first = await wgrad(folder, [...base, "--max-steps", "2", "--name", "first"]);
    assertEquals(first.code, 0, first.err.join("\n"));
    assert(first.out.includes(held), first.out.join("\n"));
    assert(
      first.out.some((line) =>
        /^epoch 1\/1: training loss [\d.]+, training accuracy [\d.]+ % \(2 of 149 steps\)$/.test(line)
      ),
    );
    assertEquals(splitOf("first"), 0.05);
    // A run that goes on, or is repeated, keeps what it had, without a word.
    const resumed = await wgrad(folder, ["train", "--resume", "first", "--max-steps", "3"]);
    const config = join("runs", "first", "config.json");
    const again = await wgrad(folder, ["train", "--config", config, "--max-steps", "1", "--name", "again"]);
    const all = await wgrad(folder, [...base, "--max-steps", "1", "--val-split", "0", "--name", "all"]);
    for (const { code, out, err } of [resumed, again, all]) {
      assertEquals([code, out.includes(held)], [0, false], err.join("\n"));
    }
    assertEquals(["first", "again", "all"].map(splitOf), [0.05, 0.05, 0]);
  }));
