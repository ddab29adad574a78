/**
 * Folders of runs: which one a run gets, who may write to it, and what a checkpoint's folder keeps.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError, UsageError, WeightsError, WgradError } from "../../src/errors.ts";
import { decodeCheckpoint, encodeCheckpoint, type RunState } from "../../src/run/checkpoint.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/run/checkpoints.ts";
import type { StoredTensor } from "../../src/io/stored_tensor.ts";
import { configFromJson, makeConfig } from "../../src/config/config.ts";
import { claimRun, RunFolder } from "../../src/run/folder.ts";
import { lockRun } from "../../src/run/lock.ts";
import { withFolder } from "../data/fixtures.ts";
import { bits } from "../support/random.ts";

Deno.test("claimRun() numbers runs, honours a name, and never takes a folder twice", () =>
  withFolder(async (base) => {
    const out = join(base, "new", "runs"), locks: AsyncDisposable[] = [];
    const claim = async (name?: string) => {
      const config = makeConfig({ out, name }), { path, lock } = await claimRun(config);
      locks.push(lock);
      await RunFolder.open(path, config);
      return path;
    };
    assertEquals(await claim(), join(out, "lenet-1"));
    assertEquals(await claim("a b"), join(out, "a b"));
    for (const name of ["lenet-7", "lenet-gray-30", "lenet-9x"]) await Deno.mkdir(join(out, name));
    assertEquals(await claim(), join(out, "lenet-8"));
    const paths = await Promise.all([claim(), claim(), claim()]);
    assertEquals(paths.sort(), ["lenet-10", "lenet-11", "lenet-9"].map((name) => join(out, name)));
    for (const lock of locks) await lock[Symbol.asyncDispose]();
    await assertRejects(() => claim("a b"), UsageError, "is already there: choose another --name, go on with it by");
    await Deno.writeTextFile(join(base, "file"), "");
    const blocked = await assertRejects(() => claimRun(makeConfig({ out: join(base, "file") })), WgradError);
    assert(!blocked.message.includes("\n"));
    // A run that ended before it had written its settings does not bar its name.
    await Deno.mkdir(join(out, "early"));
    await Deno.writeTextFile(join(out, "early", "run.lock"), "1\n");
    assertEquals(await claim("early"), join(out, "early"));
    await locks.at(-1)![Symbol.asyncDispose]();
  }));

Deno.test("a run's folder starts with its configuration and no metrics", () =>
  withFolder(async (path) => {
    const config = makeConfig({ lr: 0.1, nesterov: true }), folder = await RunFolder.open(path, config);
    assertEquals(folder.weights, join(path, "model.safetensors"));
    assertEquals(configFromJson(await Deno.readTextFile(join(path, "config.json")), "config.json"), config);
    assertEquals(await Deno.readTextFile(join(path, "metrics.jsonl")), "");
  }));

Deno.test({
  name: "a full disk is an error of one line that names the file",
  ignore: Deno.build.os !== "linux", // Only Linux has /dev/full.
  fn: () =>
    withFolder(async (path) => {
      const folder = await RunFolder.open(path, makeConfig({}));
      await Deno.remove(join(path, "metrics.jsonl"));
      await Deno.symlink("/dev/full", join(path, "metrics.jsonl"));
      const error = assertThrows(() => folder.metrics.add({ step: 1, event: "resume" }), DataError);
      assert(error.message.startsWith(`cannot write ${join(path, "metrics.jsonl")}: No space left`), error.message);
      assert(!error.message.includes("\n"));
    }),
});

Deno.test("a folder is locked by one at a time; the lock's file goes with it, and one left behind bars nobody", () =>
  withFolder(async (path) => {
    const first = await lockRun(path), file = join(path, "run.lock");
    assertEquals([first.stale, await Deno.readTextFile(file)], [null, `${Deno.pid}\n`]);
    const refused = await assertRejects(() => lockRun(path), UsageError);
    assertEquals(
      refused.message,
      `${path} is in use by another run, of process ${Deno.pid}: wait for it, or end it first`,
    );
    await first[Symbol.asyncDispose]();
    await assertRejects(() => Deno.stat(file), Deno.errors.NotFound);
    await Deno.writeTextFile(file, "999999999\n");
    const second = await lockRun(path);
    assertEquals([second.stale, await Deno.readTextFile(file)], ["999999999", `${Deno.pid}\n`]);
    await second[Symbol.asyncDispose]();
  }));

/** A checkpoint with nothing in it but noise. */
function checkpoint(step: number, change: object = {}): Uint8Array<ArrayBuffer> {
  const data = new Float32Array(bits(step, 500).buffer);
  const counts = { steps: 1, images: 4, correct: 2 },
    part = { ...counts, sum: 1 },
    best = { step: 10, loss: 1, accuracy: 0.5 };
  const state: RunState = {
    ...{
      step,
      epoch: 1,
      stepInEpoch: step,
      ofEpoch: { ...counts, loss: 3 },
      printed: part,
      noted: part,
      seconds: 1,
      rateScale: 1,
    },
    ...{ restores: 0, schedule: null, rng: [0, 0, 0], best: step < 10 ? null : best, config: {}, kernels: {} },
    data: { images: 42, sha256: "0" },
    ...change,
  };
  const tensors = new Map<string, StoredTensor>([
    ["model.a", { dtype: "F32", shape: [500], data }],
    ["metrics", { dtype: "U8", shape: [0], data: new Uint8Array(0) }],
  ]);
  return encodeCheckpoint({ state, tensors }, { model: "lenet", normalize: "half" });
}

Deno.test("a checkpoint whose state is none is refused, though its checksum is right", () => {
  assertEquals(decodeCheckpoint(checkpoint(5), "a").state.step, 5);
  const wrong: object[] = [
    { step: null },
    { step: -1 },
    { stepInEpoch: 6 },
    { epoch: 0 },
    { seconds: "1" },
    { rateScale: -1 },
    { rng: "x" },
    { rng: [0, 0] },
    { printed: 1 },
    { noted: { sum: 1 } },
    { noted: { sum: 1, steps: 1, images: 4, correct: -1 } },
    { ofEpoch: undefined },
    { ofEpoch: { steps: 1, loss: null, images: 4, correct: 2 } },
    { ofEpoch: "all" },
    { best: { step: 1 } },
    { config: [] },
    { data: undefined },
    { data: { images: 1 } },
    { kernels: { a: 1 } },
  ];
  for (const change of wrong) {
    const error = assertThrows(() => decodeCheckpoint(checkpoint(5, change), "a"), WeightsError);
    assertEquals(error.message, "a is no checkpoint of a run", JSON.stringify(change));
  }
});

Deno.test("a checkpoint of an older version, which counted no predictions, can be used", () => {
  const part = { sum: 2, steps: 2 };
  const { state } = decodeCheckpoint(
    checkpoint(5, { ofEpoch: undefined, lossOfEpoch: 3, printed: part, noted: part }),
    "a",
  );
  assertEquals(state.ofEpoch, { steps: 5, loss: 3, images: 0, correct: 0 });
  assertEquals([state.printed, state.noted], [{ ...part, images: 0, correct: 0 }, { ...part, images: 0, correct: 0 }]);
});

const never = (line: string) => {
  throw new Error(line);
};

Deno.test("the newest checkpoints stay, the best beside them; the newest is known by its step, whatever clocks say", () =>
  withFolder(async (path) => {
    const folder = new CheckpointFolder(join(path, "checkpoints"), 2);
    assertEquals(await folder.newest(never), null);
    for (const step of [5, 10, 15, 20]) await folder.save(checkpoint(step), step, step === 10);
    const names = () => [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
    const stay = ["best.safetensors", "last.safetensors", "step-000000015.safetensors", "step-000000020.safetensors"];
    assertEquals(names(), stay);
    assertEquals((await readCheckpoint(folder.best))!.state.step, 10);
    assertEquals((await readCheckpoint(folder.last))!.state.step, 20);
    // The clock went back by a year between the two.
    await Deno.utime(join(folder.path, "step-000000020.safetensors"), 1, 1);
    assertEquals((await folder.newest(never))!.state.step, 20);
    assertEquals(await folder.rewind((await folder.newest(never))!), true);
    assertEquals(names(), stay);
    // After a resume from an earlier one, the later ones are of another time, also where it is killed at once.
    assertEquals(await folder.rewind((await readCheckpoint(join(folder.path, "step-000000015.safetensors")))!), true);
    assertEquals(names(), ["best.safetensors", "step-000000015.safetensors"]);
    assertEquals(await folder.rewind(decodeCheckpoint(checkpoint(9), "a")), false);
    assertEquals(names(), []);
    for (const step of [10, 15, 20]) await folder.save(checkpoint(step), step, step === 10);
    await folder.save(checkpoint(12), 12, false);
    assertEquals(names(), ["best.safetensors", "last.safetensors", "step-000000012.safetensors"]);
    assertEquals((await folder.newest(never))!.state.step, 12);
  }));

Deno.test("a checkpoint that is cut short or altered in any bit is recognised, and the one before it is used", () =>
  withFolder(async (path) => {
    const folder = new CheckpointFolder(path, 3), whole = checkpoint(9);
    const file = join(path, "step-000000009.safetensors");
    await folder.save(checkpoint(7), 7, false);
    await folder.save(whole, 9, false);
    const random = bits(3, 400);
    for (let i = 0; i < 200; i++) {
      const bytes = whole.slice(0, i % 4 === 0 ? random[2 * i]! % whole.length : whole.length);
      if (i % 4 > 0) bytes[random[2 * i]! % whole.length]! ^= 1 << random[2 * i + 1]! % 8;
      await Deno.writeFile(file, bytes);
      const warned: string[] = [];
      assertEquals((await folder.newest((line) => warned.push(line)))?.state.step, 7, `${i}`);
      assertEquals(warned.length, 1);
      assert(
        warned[0]!.startsWith(`WARNING: ${file}`) && warned[0]!.endsWith(": the one before it is used"),
        warned[0],
      );
      assert(!warned[0]!.includes("\n"));
    }
    for (const name of ["step-000000007.safetensors", "last.safetensors"]) await Deno.truncate(join(path, name), 100);
    await assertRejects(() => folder.newest(() => {}), WeightsError, "no checkpoint in ");
  }));
