/**
 * A checkpoint refers to the lines of `metrics.jsonl` instead of holding them: its size does not grow with the run, and a
 * run that goes on has the metrics of that step again, or says which are lost.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { WeightsError } from "../../src/errors.ts";
import { type Checkpoint, encodeCheckpoint, type RunState } from "../../src/run/checkpoint.ts";
import { readCheckpoint } from "../../src/run/checkpoints.ts";
import type { SavedMetrics } from "../../src/run/metrics.ts";
import { withFolder } from "../data/fixtures.ts";
import { images } from "../train/fixtures.ts";
import { metricsOf, newestOf, openSession } from "./session_support.ts";

const GIVEN = { epochs: 2, logEvery: 1, saveEvery: 5, keep: 9 };

/** A run of 22 steps that has ended, and what is needed to go on from its step 10. */
async function endedRun(path: string) {
  const { session } = await openSession(path, images(42), GIVEN);
  await session.run();
  const file = join(path, "metrics.jsonl"), text = await Deno.readTextFile(file);
  const checkpoint = (await readCheckpoint(join(path, "checkpoints", "step-000000010.safetensors")))!;
  const { bytes } = checkpoint.state.metrics!;
  return { file, text, checkpoint, before: text.slice(0, bytes), bytes };
}

/** Opens the run again, and returns its metrics and the warnings. */
async function goOn(path: string, checkpoint: Checkpoint) {
  const { warned } = await openSession(path, images(42), GIVEN, checkpoint);
  const [jsonl, csv] = ["metrics.jsonl", "metrics.csv"].map((name) => Deno.readTextFileSync(join(path, name)));
  return { jsonl, rows: csv!.split("\r\n").length - 2, warned };
}

Deno.test("a checkpoint does not grow with the metrics", () =>
  withFolder(async (folder) => {
    const { session } = await openSession(folder, images(42), GIVEN), { checkpoints, metrics } = session.folder;
    const size = async () => {
      await session.save();
      return (await Deno.stat(checkpoints.last)).size;
    };
    const before = await size();
    for (let i = 0; i < 1000; i++) metrics.add({ step: 0, event: "lr", from: 0.1, to: 0.1 + i });
    // Numbers in the state may have more digits.
    assert(await size() < before + 100);
    assert((await Deno.stat(metrics.jsonl)).size > 30_000);
  }));

Deno.test("a run that goes on has the metrics of its checkpoint to the byte", () =>
  withFolder(async (folder) => {
    const { checkpoint, before } = await endedRun(folder);
    assertEquals(before.trimEnd().split("\n").length, 10);
    assertEquals(await goOn(folder, checkpoint), { jsonl: before, rows: 10, warned: [] });
  }));

for (
  const [what, damage, lines] of [
    ["is missing", (file) => Deno.removeSync(file), 0],
    ["was cut short", (file, bytes) => Deno.truncateSync(file, bytes - 3), 9],
    ["was altered", (file) => {
      const text = Deno.readTextFileSync(file);
      Deno.writeTextFileSync(file, text.replace('"epoch":1', '"epoch":7').replace('"step":2,', ""));
    }, 9],
  ] satisfies [string, (file: string, bytes: number) => void, number][]
) {
  Deno.test(`a run whose metrics.jsonl ${what} says so, and goes on with the lines that there are`, () =>
    withFolder(async (folder) => {
      const { file, checkpoint, bytes } = await endedRun(folder);
      damage(file, bytes);
      const { jsonl, rows, warned } = await goOn(folder, checkpoint);
      assertEquals(warned, [
        `WARNING: ${file} ${what}: it no longer holds the lines of the checkpoint of step 10, ` +
        "and the run goes on with the lines that are left",
      ]);
      assertEquals([jsonl!.split("\n").length - 1, rows], [lines, lines]);
      assert(metricsOf(folder).every(({ step }) => step! <= 10));
      // From here on all is in order again.
      const { session } = await openSession(
        folder,
        images(42),
        GIVEN,
        await newestOf(
          (await openSession(folder, images(42), GIVEN, checkpoint)).session,
        ),
      );
      await session.run();
      assertEquals(metricsOf(folder).length, lines + 12);
      assertEquals((await goOn(folder, await newestOf(session))).warned, []);
    }));
}

Deno.test("a process that is killed between two steps of a resume loses no metrics", () =>
  withFolder(async (folder) => {
    const { checkpoint, before } = await endedRun(folder);
    // Killed when the metrics are cut: the checkpoints that need the lines behind are gone by then.
    await goOn(folder, checkpoint);
    const names = [...Deno.readDirSync(join(folder, "checkpoints"))].map(({ name }) => name).sort();
    assertEquals(names, ["step-000000005.safetensors", "step-000000010.safetensors"]);
    const { session } = await openSession(folder, images(42), GIVEN, checkpoint);
    assertEquals(await goOn(folder, await newestOf(session)), { jsonl: before, rows: 10, warned: [] });
  }));

Deno.test("a checkpoint of an older version, which holds the text of its metrics, can be used", () =>
  withFolder(async (folder) => {
    const { file, checkpoint, before } = await endedRun(folder);
    const { metrics: _, ...state } = checkpoint.state, data = new TextEncoder().encode(before);
    const tensors = new Map([...checkpoint.tensors, ["metrics", { dtype: "U8", shape: [data.length], data }] as const]);
    const path = join(folder, "checkpoints", "step-000000010.safetensors");
    await Deno.writeFile(path, encodeCheckpoint({ state, tensors }, { model: "lenet", normalize: "half" }));
    await Deno.remove(file);
    const older = (await readCheckpoint(path))!;
    assertEquals(await goOn(folder, older), { jsonl: before, rows: 10, warned: [] });
    const { session } = await openSession(folder, images(42), GIVEN, older);
    await session.run();
    assertEquals(metricsOf(folder).length, 22);
  }));

Deno.test("a checkpoint that says nothing of its metrics, or something else, is refused", () =>
  withFolder(async (folder) => {
    const { checkpoint: { state, tensors } } = await endedRun(folder), path = join(folder, "a.safetensors");
    const wrong = [undefined, {}, { bytes: -1, sha256: "" }, { bytes: 1 }, []];
    for (const metrics of wrong as (SavedMetrics | undefined)[]) {
      const { metrics: _, ...rest } = state;
      const changed: RunState = metrics === undefined ? rest : { ...rest, metrics };
      await Deno.writeFile(
        path,
        encodeCheckpoint({ state: changed, tensors }, { model: "lenet", normalize: "half" }),
      );
      await assertRejects(() => readCheckpoint(path), WeightsError, "is no checkpoint of a run");
    }
  }));
