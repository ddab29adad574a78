/**
 * `trainRun()` as a program uses it, without the command line: it starts a run, stops it, and goes on with it to its end.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { requestBackend } from "../../src/backend/request.ts";
import { makeConfig } from "../../src/config/config.ts";
import { DivergedError } from "../../src/errors.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { weightsIn } from "../../src/run/checkpoint.ts";
import { readCheckpoint } from "../../src/run/checkpoints.ts";
import { findRun, reopen } from "../../src/run/resume.ts";
import { readRunFile } from "../../src/run/run_file.ts";
import type { Session } from "../../src/run/session.ts";
import { type RunOptions, type RunResult, trainRun } from "../../src/run/train_run.ts";
import type { Progress, Trainer } from "../../src/train/trainer.ts";
import { writeData } from "../cli/support.ts";
import { withFolder } from "../data/fixtures.ts";
import { metricsOf } from "./session_support.ts";

/** Options that note what the run says. @param stopAt the step after which the session is stopped. */
function optionsOf(calls: string[], stopAt = Infinity): RunOptions {
  let session: Session;
  return {
    listener: {
      say: (line) => calls.push(line.replace(/^(run|weights).*/, "$1").replace(/\d+\.\d+/g, "N")),
      warn: (line) => calls.push(line),
      status: () => {},
      started: (opened) => {
        session = opened;
        calls.push("started");
        return Promise.resolve();
      },
      progress: (_, { step }) => step >= stopAt && session.stop(),
      trained: ({ interrupted }) => calls.push(interrupted ? "interrupted" : "trained"),
      tested: ({ accuracy }) => calls.push(`tested: ${accuracy >= 0}`),
    },
    device: { open: () => requestBackend(), tune: () => Promise.resolve(false) },
    command: ["a", "program"],
    writeReport: () => Promise.resolve(void calls.push("report")),
  };
}

Deno.test("a program starts a run, stops it, goes on with it and gets its result", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const given = { data: join(folder, "data"), out: join(folder, "runs"), epochs: 2, lr: 0.01, logEvery: 100 };
    const straight = await trainRun(makeConfig({ ...given, name: "straight" }), optionsOf([]));

    const first: string[] = [], config = makeConfig({ ...given, name: "run", saveEvery: 1 });
    const stopped = await trainRun(config, optionsOf(first, 5));
    assert(stopped.steps >= 5 && stopped.steps < 22, `${stopped.steps}`);
    assertEquals([stopped.interrupted, stopped.evaluation, stopped.path], [true, null, join(folder, "runs", "run")]);
    assertEquals(first, ["run", "started", "interrupted", "report"]);

    const second: string[] = [], found = await findRun("run", join(folder, "runs"));
    let finished: RunResult;
    {
      const resumed = await reopen(found, {}, false, (line) => second.push(line));
      await using _ = resumed.lock;
      assertEquals([resumed.finished, resumed.checkpoint?.state.step], [false, stopped.steps]);
      finished = await trainRun(resumed.config, { ...optionsOf(second), resumed });
    }
    assertEquals(second, [
      ...["run", `resuming at step ${stopped.steps} of 22`, "started"],
      ...[1, 2].slice(stopped.steps < 11 ? 0 : 1).map((epoch) =>
        `epoch ${epoch}/2: training loss N, training accuracy N %`
      ),
      ...["trained", "tested: true", "report"],
    ]);
    assertEquals([finished.interrupted, finished.steps, finished.images], [
      ...[false, 22, 84 - (stopped.images)],
    ]);
    assertEquals(Deno.readFileSync(finished.weights), Deno.readFileSync(straight.weights));
    assertEquals(finished.evaluation?.loss, straight.evaluation?.loss);
    const file = (await readRunFile(finished.path))!;
    assertEquals([file.command, file.resumed?.length], ["a program", 1]);
    assert(Date.parse(file.finished!) > 0);

    // It has finished: there is nothing to go on with.
    const again = await reopen(found, {}, false, () => {});
    assertEquals(again.finished, true);
    await again.lock[Symbol.asyncDispose]();
  }));

Deno.test("a run that is stopped has its best weights so far; without them the last ones, and says so", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const given = { data: join(folder, "data"), out: join(folder, "runs"), batchSize: 8, epochs: 50, lr: 0.3 };
    const config = makeConfig({ ...given, name: "run", valSplit: 0.25, evalEvery: 2 });
    const { saved, weights, path } = await trainRun(config, optionsOf([], 9));
    const best = (await readCheckpoint(join(path, "checkpoints", "best.safetensors")))!;
    assertEquals([saved.weights, saved.step, saved.validation?.images], ["best", best.state.step, 11]);
    const { tensors } = decodeSafetensors(await Deno.readFile(weights), weights);
    for (const [name, { data }] of weightsIn(best.tensors)) assertEquals(tensors.get(name)!.data, data, name);

    // The file of the best weights is lost while the run goes on.
    const calls: string[] = [], options = optionsOf(calls);
    const listener = {
      ...options.listener,
      progress: (_: Trainer, { step }: Progress) => void (step > 4 && removeBest(join(folder, "runs", "other"))),
    };
    const other = await trainRun(
      makeConfig({ ...given, name: "other", valSplit: 0.25, epochs: 2, lr: 0 }),
      { ...options, listener },
    );
    assertEquals([other.saved.weights, other.evaluation?.results?.length], ["last", 1]);
    assert(
      calls.some((line) => /^WARNING: .*best.safetensors no longer has the best weights, of step 4: /.test(line)),
      calls.join("\n"),
    );
  }));

/** Removes the best checkpoint of a run, if it is there. */
function removeBest(run: string): void {
  try {
    Deno.removeSync(join(run, "checkpoints", "best.safetensors"));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

Deno.test("a run that fails has its report, says why in its metrics, and gives its lock back", () =>
  withFolder(async (folder) => {
    await writeData(folder);
    const calls: string[] = [], out = join(folder, "runs");
    const config = makeConfig({ data: join(folder, "data"), out, name: "run", lr: 1e6 });
    const error = await assertRejects(() => trainRun(config, optionsOf(calls)), DivergedError);
    assertEquals(error.message, `${error.what}: training diverged; try a smaller --lr`);
    assertEquals(error.what, `the loss is ${error.what.split(" ")[3]} at step ${error.step}`);
    assertEquals(calls, ["run", "started", "report", `report: ${join(out, "run", "report.html")}`]);
    const failed: Record<string, unknown> = metricsOf(join(out, "run")).at(-1)!,
      { event, why, diverged, step } = failed;
    assertEquals([event, why, diverged, step], ["failed", error.message, true, error.step! - 1]);
    const { lock } = await reopen(await findRun("run", out), {}, false, (line) => calls.push(line));
    await lock[Symbol.asyncDispose]();
    assertEquals(calls.length, 4);
  }));
