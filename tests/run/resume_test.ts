/**
 * A run that is stopped anywhere and goes on from its checkpoint, in a trainer of its own, is the run that was never stopped:
 * the same weights, states of optimizers, averages and metrics, bit for bit.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { variantsOf } from "../../src/graph/device.ts";
import type { GivenConfig } from "../../src/config/settings.ts";
import { parseMetrics } from "../../src/run/metrics.ts";
import { useKernels } from "../../src/run/snapshot.ts";
import { withFolder } from "../data/fixtures.ts";
import { images } from "../train/fixtures.ts";
import { bitsOf, newestOf, openSession } from "./session_support.ts";

const CASES: Record<string, GivenConfig> = {
  "SGD with momentum": { epochs: 2 },
  "AdamW with averages, accumulation, clipping and a schedule": {
    epochs: 2,
    optimizer: "adamw",
    lr: 0.001,
    ema: 0.9,
    accumulate: 2,
    clipGrad: 1,
    schedule: "one-cycle",
  },
  "plateau, and held-out images": {
    epochs: 3,
    schedule: "plateau",
    sched: ["patience=0", "threshold=0.5"],
    valSplit: 0.2,
  },
  "frozen layers, and NAdam": { epochs: 2, optimizer: "nadam", lr: 0.001, freeze: ["conv*"] },
};

/** What must be the same of the metrics: all but times. */
function metricsOf(path: string) {
  const file = join(path, "metrics.jsonl");
  return parseMetrics(Deno.readTextFileSync(file), file).filter((line) => !("event" in line)).map((line) => {
    const { seconds: _, imagesPerSecond: __, ...rest } = line as unknown as Record<string, unknown>;
    return rest;
  });
}

for (const [name, given] of Object.entries(CASES)) {
  Deno.test(`stopped anywhere and resumed, a run has the same bits: ${name}`, () =>
    withFolder(async (folder) => {
      const dataset = images(42), straight = join(folder, "straight"), broken = join(folder, "broken");
      const whole = await openSession(straight, dataset, given);
      await whole.session.run();
      const expected = await newestOf(whole.session), total = expected.state.step;
      assertEquals(total, whole.session.trainer.totalSteps);

      // In the first epoch, at its end, and twice more.
      const { stepsPerEpoch } = whole.session.trainer, stops = [2, stepsPerEpoch, stepsPerEpoch + 1, total - 1];
      let { session } = await openSession(broken, dataset, { ...given, maxSteps: total, saveEvery: 1 });
      for (const stop of stops) {
        // A step at a time, so that it ends where it is told to.
        const { trainer, folder: { checkpoints } } = session, save = checkpoints.save.bind(checkpoints);
        checkpoints.save = async (bytes, step, best) => {
          await save(bytes, step, best);
          if (step === stop) session.stop();
        };
        await session.run();
        assertEquals(trainer.position.step, stop);
        ({ session } = await openSession(
          broken,
          dataset,
          { ...given, maxSteps: total, saveEvery: 1 },
          await newestOf(session),
        ));
        assertEquals(session.trainer.position.step, stop);
      }
      const { steps } = await session.run();
      assertEquals(steps, total);
      const actual = await newestOf(session);
      assertEquals(bitsOf(actual), bitsOf(expected));
      assert(bitsOf(actual).size > 10);
      for (const key of ["step", "epoch", "stepInEpoch", "schedule", "rng", "best", "ofEpoch"] as const) {
        assertEquals(actual.state[key], expected.state[key], key);
      }
      assertEquals(metricsOf(broken), metricsOf(straight));
      if (given.valSplit) assert(expected.state.best && metricsOf(straight).some((line) => "valLoss" in line));
    }));
}

Deno.test("a checkpoint has the kernels that were tuned, and a run that goes on uses those and no others", () =>
  withFolder(async (folder) => {
    const { session } = await openSession(folder, images(8), { epochs: 1 }), { gpu } = session.trainer.data;
    const { chosen } = variantsOf(gpu), before = [...chosen];
    try {
      chosen.clear();
      chosen.set("matmul 2x2", "tile 8");
      await session.save();
      const { state: { kernels } } = await newestOf(session);
      // Tuned meanwhile, by another run.
      chosen.set("matmul 2x2", "tile 16").set("conv2d 3x3", "shared");
      useKernels(gpu, kernels);
      assertEquals([...chosen], [["matmul 2x2", "tile 8"]]);
    } finally {
      chosen.clear();
      for (const [key, name] of before) chosen.set(key, name);
    }
  }));
