import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GpuError } from "../../src/errors.ts";
import { counters } from "../support/counters.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { median, time } from "../../src/tune/timing.ts";
import { noise } from "../../src/random.ts";
import { type BenchCase, checkElements, measure } from "../../src/measure/bench.ts";
import { dispatchCase, fmaCase, streamCase } from "../../src/measure/ceilings.ts";
import { convCase, type MakeCase, matmulCase, selfTestCases, sgdCase } from "../../src/measure/kernels.ts";
import {
  convAt,
  convInputGradientAt,
  type ConvSize,
  convWeightGradientAt,
  crossEntropyGradientAt,
  lenetLosses,
  matmulAt,
  poolSourceOf,
} from "../../src/measure/reference.ts";
import { benchStep, measureStep } from "../../src/measure/steps.ts";
import { assertClose } from "../support/close.ts";

const SHORT = { rounds: 2, runs: 2 };

Deno.test("median() is the middle value, or the mean of two", () => {
  assertEquals([median([3, 1, 2]), median([4, 1, 3, 2]), median([5])], [2, 2.5, 5]);
});

Deno.test("noise() gives the same numbers in [-1, 1) for a seed, spread over the range", () => {
  const one = noise(10_000, 1);
  assertEquals(noise(10_000, 1), one);
  assert(one.every((x) => x >= -1 && x < 1));
  assert(Math.abs(one.reduce((a, b) => a + b) / one.length) < 0.03);
  assert(noise(100, 2).every((x, i) => x !== one[i]));
});

Deno.test("checkElements() refuses what is wrong at either end, not finite anywhere, or of another length", () => {
  const right = noise(1000, 1), expected = (i: number) => right[i]!;
  checkElements("right", right, 1000, expected);
  for (const [place, value] of [[0, 2], [999, 2], [999, right[999]! + 2e-4], [501, NaN], [502, Infinity]] as const) {
    const wrong = right.slice();
    wrong[place] = value;
    const error = assertThrows(() => checkElements("wrong", wrong, 1000, expected), GpuError);
    assert(
      error.message.startsWith(`wrong: the GPU computes ${wrong[place]} at element ${place}, not `),
      error.message,
    );
  }
  assertThrows(() => checkElements("short", right.subarray(1), 1000, expected), GpuError, "999 elements");
});

Deno.test("the references of convolution and its gradients are adjoint to each other", () => {
  const size: ConvSize = { batch: 2, channels: 3, outputs: 4, side: 5, kernel: 3 };
  const x = noise(150, 1), w = noise(108, 2), dy = noise(200, 3);
  const dot = (a: ArrayLike<number>, at: (i: number) => number) =>
    Array.from(a, (one, i) => one * at(i)).reduce((sum, one) => sum + one);
  const forward = dot(dy, (i) => convAt(x, w, size, i));
  assertClose([dot(x, (i) => convInputGradientAt(dy, w, size, i))], [forward], { rtol: 1e-12 });
  assertClose([dot(w, (i) => convWeightGradientAt(x, dy, size, i))], [forward], { rtol: 1e-12 });
  // A kernel of one tap in the middle copies.
  const single = { ...size, channels: 1, outputs: 1 }, tap = [0, 0, 0, 0, 1, 0, 0, 0, 0];
  assertEquals(Array.from({ length: 50 }, (_, i) => convAt(x, tap, single, i)), [...x.subarray(0, 50)]);
});

Deno.test("the small references give what can be worked out by hand", () => {
  assertEquals([0, 1, 2, 3].map((i) => matmulAt([1, 2, 3, 4], [5, 6, 7, 8], 2, 2, i)), [19, 22, 43, 50]);
  assertEquals([0, 1, 2, 3].map((i) => poolSourceOf([1, 1, 0, 0, 1, 1, 0, 9, 0, 0, 5, 5, 0, 7, 5, 5], 4, i)), [
    0,
    7,
    13,
    10,
  ]);
  assertClose([0, 1].map((i) => crossEntropyGradientAt([0, Math.log(3)], [1], 1, 2, i)), [0.25, -0.25]);
  const zero = new Map(
    ([["conv1", 450, 6], ["conv2", 2400, 16], ["fc1", 48000, 120], ["fc2", 10080, 84], ["fc3", 840, 10]] as const)
      .flatMap(([name, w, b]) =>
        [[`${name}.weight`, new Float32Array(w)], [`${name}.bias`, new Float32Array(b)]] as const
      ),
  );
  assertClose(lenetLosses(zero, [noise(3072, 1)], [3]), [Math.log(10)]);
});

for (const make of [() => fmaCase(64, 2), () => streamCase(1), dispatchCase, ...selfTestCases()] satisfies MakeCase[]) {
  const { name, dispose } = make();
  await dispose();
  Deno.test(`${name}: the GPU's result is right, and it can be measured`, async () => {
    const measured = await measure(await requestBackend(), make(), SHORT);
    assertEquals(measured.name, name);
    assert(measured.leastMs <= measured.ms && measured.ms <= measured.mostMs);
    assert(measured.rate > 0 && Number.isFinite(measured.rate));
  });
}

Deno.test("a case whose result is wrong is not measured, and gives its memory back", async () => {
  const gpu = await requestBackend(), done: string[] = [];
  const wrong: BenchCase = {
    name: "wrong",
    work: 1,
    unit: "flop",
    check: () => Promise.reject(new GpuError("wrong")),
    run: () => Promise.resolve(void done.push("run")),
    dispose: () => Promise.resolve(void done.push("dispose")),
  };
  await assertRejects(() => measure(gpu, wrong, SHORT), GpuError, "wrong");
  assertEquals(done, ["dispose"]);
});

Deno.test("check() finds an update that was done twice too often, and a training step that is not the first", async () => {
  const sgd = sgdCase(100), step = benchStep("lenet", 2);
  await sgd.run(2);
  await assertRejects(() => sgd.check(), GpuError, "SGD with momentum");
  await sgd.dispose();
  await step.check();
  // The momentum now makes the update another one than the gradient alone.
  await assertRejects(() => step.check(), GpuError, "the slope along");
  await step.dispose();
});

Deno.test("time() runs what it says it runs", async () => {
  let total = 0;
  const run = (times: number) => Promise.resolve(void (total += times));
  const gpu = await requestBackend();
  const fixed = await time(gpu, run, { rounds: 3, runs: 7 });
  assertEquals([fixed.runs, fixed.rounds, total], [7, 3, 21]);
  const chosen = await time(gpu, run, { rounds: 1, roundMs: 1 });
  assert(chosen.runs >= 1);
});

for (const [model, batchSize] of [["lenet", 1], ["lenet", 15], ["lenet-gray", 4]] as const) {
  Deno.test(`measureStep() checks and measures a step of ${model}, batch ${batchSize}`, async () => {
    const figures = await measureStep(await requestBackend(), model, batchSize, SHORT);
    assertEquals([figures.model, figures.batchSize, figures.steps, figures.rounds], [model, batchSize, 2, 2]);
    assert(figures.msPerStep > 0 && figures.dispatchesPerStep > 0);
    assertClose([figures.imagesPerSecond * figures.msPerStep], [batchSize * 1000]);
  });
}

Deno.test("cases give their memory back: measuring the same again takes none, but for scalars", async () => {
  const gpu = await requestBackend();
  const once = async () => {
    await measure(gpu, sgdCase(5000), SHORT);
    await measure(gpu, convCase("weight gradient", { batch: 2, channels: 3, outputs: 4, side: 6, kernel: 3 }), SHORT);
    await measure(gpu, matmulCase(40), SHORT);
  };
  await once();
  const before = counters.bytesLive;
  await once();
  // The learning rate is left to the garbage collector: 256 bytes.
  assert(counters.bytesLive - before <= 256, `${counters.bytesLive - before} bytes`);
});
