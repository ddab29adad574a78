/**
 * A run while it goes: validation, the best checkpoint, which checkpoints there are, and what it can be told.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { holdOut } from "../../src/data/holdout.ts";
import { UsageError } from "../../src/errors.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { manualSeed, nn, type Tensor } from "../../src/mod.ts";
import { readCheckpoint } from "../../src/run/checkpoints.ts";
import { makeConfig } from "../../src/config/config.ts";
import { DeviceData } from "../../src/train/device_data.ts";
import { evaluateModel } from "../../src/train/evaluate.ts";
import type { GivenConfig } from "../../src/config/settings.ts";
import type { Session } from "../../src/run/session.ts";
import { capture } from "../../src/run/snapshot.ts";
import { type Progress, Trainer } from "../../src/train/trainer.ts";
import { loadWeights } from "../../src/run/weights.ts";
import { withFolder } from "../data/fixtures.ts";
import { images, train } from "../train/fixtures.ts";
import { bitsOf, metricsOf, newestOf, openSession, savedSteps } from "./session_support.ts";

const OPTIONS = { normalize: "half", channels: 3 } as const;

/** Does something where the run has a checkpoint of this step, when no steps are under way. */
function atStep(session: Session, step: number, what: () => void): void {
  const { checkpoints } = session.folder, save = checkpoints.save.bind(checkpoints);
  checkpoints.save = async (bytes, saved, best) => {
    await save(bytes, saved, best);
    if (saved === step) what();
  };
}

Deno.test("validation comes every so many steps and after each epoch, and best.safetensors has the least loss", () =>
  withFolder(async (folder) => {
    const dataset = images(42), given: GivenConfig = { epochs: 2, valSplit: 0.2, evalEvery: 4, ema: 0.5, lr: 0.05 };
    const { session, said } = await openSession(join(folder, "run"), dataset, given);
    await session.run();
    // 34 images are left to train on: 9 steps.
    const lines = metricsOf(session.folder.path).filter((line) => line.valLoss !== undefined);
    assertEquals(lines.map(({ step, epoch }) => [step, epoch]), [[4, 1], [8, 1], [9, 1], [12, 2], [16, 2], [18, 2]]);
    assertEquals(
      said.filter((line) => line.includes("validation")),
      lines.map(({ step, epoch, valLoss, valAccuracy }) =>
        `[${epoch}, step ${step}] validation loss: ${valLoss!.toFixed(3)}, accuracy: ${
          (100 * valAccuracy!).toFixed(2)
        } %`
      ),
    );
    assert(lines.every((line) => line.testLoss === undefined));
    const least = lines.reduce((best, line) => line.valLoss! < best.valLoss! ? line : best);
    const { checkpoints } = session.folder, best = (await readCheckpoint(checkpoints.best))!;
    assertEquals(best.state.step, least.step);
    assertEquals(best.state.best, { step: least.step, loss: least.valLoss, accuracy: least.valAccuracy });
    assertEquals((await newestOf(session)).state.best, best.state.best);

    // What was tested are the averages, on the images that are held out.
    const gpu = await requestBackend(), { validation } = holdOut(dataset.train, 0.2, 0);
    const data = await DeviceData.upload(gpu, dataset, validation), { module } = await loadWeights(checkpoints.best);
    const { loss, accuracy } = await evaluateModel(module, data, 10, OPTIONS);
    assertEquals([loss, accuracy], [least.valLoss, least.valAccuracy]);
  }));

Deno.test("without held-out images it is the test images that are tested, and none of it is called the best", () =>
  withFolder(async (folder) => {
    const { session, said } = await openSession(folder, images(42), { epochs: 2, maxSteps: 13, evalEvery: 6 });
    await session.run();
    // The end is tested by the command, on the file that it saved.
    const lines = metricsOf(folder).filter((line) => line.testLoss !== undefined);
    assertEquals(lines.map(({ step }) => step), [6, 11, 12]);
    assertEquals(said.filter((line) => / test loss: \d\.\d{3}, accuracy: \d+\.\d\d %$/.test(line)).length, 3);
    assertEquals(savedSteps(session.folder), [11, 13]);
    assert(!said.some((line) => line.includes("validation")));
    assertEquals((await newestOf(session)).state.best, null);
    assertEquals(await readCheckpoint(session.folder.checkpoints.best), undefined);
  }));

Deno.test("tests and checkpoints on the way change no bit of what is trained", () =>
  withFolder(async (folder) => {
    const dataset = images(42),
      bits = async (name: string, more: GivenConfig) => {
        const given: GivenConfig = { epochs: 2, optimizer: "adamw", lr: 0.001, ema: 0.9, ...more };
        const { session } = await openSession(join(folder, name), dataset, given);
        await session.run();
        return {
          bits: bitsOf(await newestOf(session)),
          losses: metricsOf(session.folder.path).filter(({ loss }) => loss),
        };
      };
    const plain = await bits("plain", {}), tested = await bits("tested", { evalEvery: 2, saveEvery: 5 });
    assertEquals(tested.bits, plain.bits);
    assertEquals(tested.losses.map(({ loss }) => loss), plain.losses.map(({ loss }) => loss));
    assert(plain.losses.length > 0);
  }));

/** A net that draws random numbers, and has running statistics. */
class Restless extends nn.Module {
  readonly fc1 = new nn.Linear(3072, 16);
  readonly norm = new nn.BatchNorm1d(16);
  readonly drop = new nn.Dropout(0.5);
  readonly fc2 = new nn.Linear(16, 10);

  override forward(x: Tensor): Tensor {
    return this.fc2.forward(this.drop.forward(this.norm.forward(this.fc1.forward(x.flatten(1)))));
  }
}

Deno.test("nor do tests, and gradients for histograms, of a net with dropout and running statistics", async () => {
  const gpu = await requestBackend(), dataset = images(12), config = makeConfig({ epochs: 3, seed: 4, lr: 0.01 });
  const run = async (looks: boolean) => {
    manualSeed(config.seed);
    const data = await DeviceData.upload(gpu, dataset, dataset.train), model = new Restless();
    const tests = await DeviceData.upload(gpu, dataset, dataset.test);
    const trainer = new Trainer(config, model, data, OPTIONS), seen: Float32Array[] = [];
    await train(trainer, undefined, async () => {
      if (!looks) return;
      seen.push((await trainer.gradients()).get("fc1.weight")!);
      await evaluateModel(model, tests, 10, OPTIONS);
    });
    const { tensors, state: { rng } } = await capture(trainer);
    return { bits: bitsOf({ tensors }), rng, seen };
  };
  const plain = await run(false), looked = await run(true);
  assertEquals([looked.bits, looked.rng], [plain.bits, plain.rng]);
  assertEquals(looked.seen.length, 3);
  assert(looked.seen.every((gradient) => gradient.some((one) => one !== 0)));
});

Deno.test("--save-every and --keep: the newest so many, whatever their reason, and the end", () =>
  withFolder(async (folder) => {
    const seen: number[] = [], given = { epochs: 2, maxSteps: 20, saveEvery: 4, keep: 2 };
    const { session } = await openSession(folder, images(42), given), { checkpoints } = session.folder;
    const save = checkpoints.save.bind(checkpoints);
    checkpoints.save = async (bytes, step, best) => {
      await save(bytes, step, best);
      seen.push(step);
      assertEquals(savedSteps(session.folder), seen.slice(-2));
    };
    await session.run();
    assertEquals(seen, [4, 8, 11, 12, 16, 20]);
    assertEquals((await readCheckpoint(checkpoints.last))!.state.step, 20);
  }));

for (const schedule of ["none", "cosine"] as const) {
  Deno.test(`a learning rate that is set holds from the next step on, also after a resume: --schedule ${schedule}`, () =>
    withFolder(async (folder) => {
      const dataset = images(42), given: GivenConfig = { epochs: 2, logEvery: 1, saveEvery: 5, schedule };
      const plain = (await openSession(join(folder, "plain"), dataset, given)).session;
      await plain.run();
      const { session, said } = await openSession(join(folder, "set"), dataset, given), { path } = session.folder;
      const rates = Array.from({ length: 22 }, (_, step) => session.trainer.rate(step)), half = rates[5]! / 2;
      atStep(session, 5, () => session.setLr(half));
      atStep(session, 10, () => session.stop());
      await session.run();
      assertEquals(said.filter((line) => line.startsWith("learning")), [
        `learning rate: ${rates[5]} to ${half} from step 6 on`,
      ]);
      const { session: resumed } = await openSession(path, dataset, given, await newestOf(session));
      await resumed.run();
      const lines = metricsOf(path), events = lines.filter(({ event }) => event);
      assertEquals(events, [{ step: 5, event: "lr", from: rates[5], to: half }] as unknown[]);
      const steps = lines.filter(({ loss }) => loss);
      assertEquals(steps.map(({ step }) => step), Array.from({ length: 22 }, (_, i) => i + 1));
      for (const { step, lr } of steps) assertEquals(lr, rates[step! - 1]! * (step! > 5 ? 0.5 : 1), `step ${step}`);

      // The same as a run that was not interrupted; and another than one whose rate was left alone.
      const { session: straight } = await openSession(join(folder, "straight"), dataset, given);
      atStep(straight, 5, () => straight.setLr(half));
      await straight.run();
      assertEquals(bitsOf(await newestOf(resumed)), bitsOf(await newestOf(straight)));
      const losses = (of: Session) => metricsOf(of.folder.path).filter(({ loss }) => loss).map(({ loss }) => loss);
      assertEquals(losses(resumed), losses(straight));
      assertEquals(losses(resumed).slice(0, 6), losses(plain).slice(0, 6));
      assert(losses(resumed).slice(6).every((loss, i) => loss !== losses(plain)[6 + i]));
    }));
}

Deno.test("a rate that is none, or where the schedule has 0, is refused; a rate of 0 can be taken back", () =>
  withFolder(async (folder) => {
    const given: GivenConfig = { epochs: 1, schedule: "cosine", saveEvery: 4 };
    const { session } = await openSession(join(folder, "a"), images(42), given), { trainer } = session;
    for (const lr of [-1, NaN, Infinity, -1e-9]) {
      const error = assertThrows(() => session.setLr(lr), UsageError);
      assertEquals(error.message, `the learning rate must be a number from 0, got ${lr}`);
    }
    atStep(session, 4, () => {
      const base = trainer.rate(4);
      session.setLr(0);
      assertEquals(trainer.rate(4), 0);
      session.setLr(base / 4);
      assertEquals([trainer.rate(4), trainer.rateScale], [base / 4, 0.25]);
    });
    await session.run();
    assertEquals(trainer.rate(11), 0);
    assertThrows(() => session.setLr(0.1), UsageError, "the schedule has the learning rate at 0 now");
    assertEquals(metricsOf(session.folder.path).filter(({ event }) => event).length, 2);
    const { session: nil } = await openSession(join(folder, "b"), images(42), { lr: 0 });
    assertThrows(() => nil.setLr(0.1), UsageError, "the learning rate at 0 now");
    assertEquals(metricsOf(nil.folder.path), []);
  }));

Deno.test("a rate that f32 does not hold is refused, and nothing has another rate", () =>
  withFolder(async (folder) => {
    for (const schedule of ["none", "cosine"] as const) {
      const { session } = await openSession(join(folder, schedule), images(42), { optimizer: "muon", schedule });
      const { trainer } = session, rates = () => trainer.optimizer.paramGroups.map(({ lr }) => lr);
      const before = rates();
      assertEquals(before.length, 2);
      assertThrows(() => session.setLr(1e39), UsageError, "f32");
      assertEquals([rates(), trainer.rateScale, trainer.rate(0)], [before, 1, before[0]]);
      assertEquals(metricsOf(session.folder.path), []);
    }
  }));

Deno.test("a run that is paused does no step until it goes on, with the same bits; or until it is stopped", () =>
  withFolder(async (folder) => {
    const dataset = images(42), given = { epochs: 2, saveEvery: 5 }, reports: Progress[] = [];
    const listener = { progress: (_: Trainer, progress: Progress) => void reports.push(progress) };
    const plain = (await openSession(join(folder, "plain"), dataset, given)).session;
    await plain.run();
    const { session } = await openSession(join(folder, "paused"), dataset, given, null, listener);
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    atStep(session, 5, () => {
      session.pause();
      resolve();
    });
    const ended = session.run();
    await reached;
    const wait = () => new Promise((resolve) => setTimeout(resolve, 300)), step = () => reports.at(-1)!.step;
    await wait();
    assertEquals([step(), session.trainer.position.step, session.trainer.paused], [5, 5, true]);
    session.resume();
    const { steps, seconds } = await ended;
    assertEquals([steps, step(), session.trainer.paused], [22, 22, false]);
    assertEquals(bitsOf(await newestOf(session)), bitsOf(await newestOf(plain)));
    assertEquals(seconds, reports.at(-1)!.seconds);

    const { session: other } = await openSession(join(folder, "stopped"), dataset, given);
    const { promise: again, resolve: paused } = Promise.withResolvers<void>();
    atStep(other, 5, () => {
      other.pause();
      paused();
    });
    const stopped = other.run();
    await again;
    await wait();
    other.stop();
    assertEquals((await stopped).steps, 5);
    assertEquals((await newestOf(other)).state.step, 5);
  }));

Deno.test("a run that goes on with larger batches begins where it was in the epoch, with whole batches", () =>
  withFolder(async (folder) => {
    const dataset = images(42), given: GivenConfig = { epochs: 3, saveEvery: 6 };
    const { session } = await openSession(folder, dataset, given);
    atStep(session, 6, () => session.stop());
    await session.run();
    // 24 images were seen: one of the two steps that an epoch has now.
    const more = { ...given, batchSize: 21, saveEvery: undefined }, losses: number[] = [];
    const listener = { progress: (_: Trainer, progress: Progress) => void losses.push(...progress.losses) };
    const { session: other } = await openSession(folder, dataset, more, await newestOf(session), listener);
    const { step, epoch, stepInEpoch } = other.trainer.position;
    assertEquals([step, epoch, stepInEpoch], [6, 1, 1]);
    // The six steps stay six; the images that are left take five.
    const { steps, images: seen } = await other.run();
    assertEquals([steps, losses.length, seen, other.trainer.totalSteps], [11, 5, 3 * 42 - 21, 11]);
    assertEquals([6, 7, 11].map((step) => other.trainer.epochAt(step)), [1, 1, 3]);
  }));
