/**
 * How a run updates the weights: each setting against the plain loop that it stands for, written with the library.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { permute, permuteKey } from "../../src/random.ts";
import { AnomalyError } from "../../src/errors.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { compile, F, manualSeed, nn, optim, type Tensor, tensor } from "../../src/mod.ts";
import { makeConfig } from "../../src/config/config.ts";
import { Rates } from "../../src/train/rates.ts";
import type { GivenConfig } from "../../src/config/settings.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { allOf, images, train, trained, trainerOf, weightsOf } from "./fixtures.ts";

const COUNT = 26, dataset = images(COUNT), { labels, pixels } = await allOf(dataset.train);

/** Images of an epoch from its `from`-th on, as the trainer takes them. */
function batch(seed: number, epoch: number, from: number, count: number): [Tensor, Tensor] {
  const indices = Array.from({ length: count }, (_, i) => permute(from + i, COUNT, permuteKey(seed, epoch)));
  const bytes = indices.flatMap((index) => [...pixels.subarray(index * 3072, (index + 1) * 3072)]);
  const x = tensor(bytes.map((byte) => (byte / 255 - 0.5) / 0.5)).reshape([count, 3, 32, 32]);
  return [x, tensor(Uint32Array.from(indices, (index) => labels[index]!))];
}

interface Loop {
  optimizer: (params: Tensor[]) => optim.Optimizer;
  /** The rate at a step, from 0. */
  rate?: (step: number) => number;
  smoothing?: number;
  clip?: number;
  decay?: number;
  size?: number;
}

/** Two epochs of the loop; the weights at the end. */
async function loop({ optimizer: make, rate, smoothing = 0, clip, decay, size = 4 }: Loop) {
  manualSeed(7);
  const net = nn.models.lenet(), params = net.parameters(), optimizer = make(params), losses: number[] = [];
  const ema = decay === undefined ? null : new optim.EMA(params, { decay });
  for (const epoch of [0, 1]) {
    for (let from = 0; from < COUNT; from += size) {
      const [x, y] = batch(7, epoch, from, Math.min(size, COUNT - from));
      if (rate) optimizer.lr = rate(losses.length);
      optimizer.zeroGrad();
      const loss = F.crossEntropy(net.forward(x), y, { labelSmoothing: smoothing });
      loss.backward();
      if (clip !== undefined) nn.utils.clipGradNorm_(params, clip);
      optimizer.step();
      ema?.update();
      losses.push(await loss.item());
    }
  }
  ema?.swap();
  const weights = await Promise.all(params.map((one) => one.data()));
  return { losses, weights: weights.flatMap((part) => [...part]) };
}

const SGD = { lr: 0.02, momentum: 0.9 };
const sgd = (params: Tensor[]) => new optim.SGD(params, SGD);
/** The steps of two epochs at batch 4. */
const STEPS = 14;

const cases: [name: string, given: GivenConfig, loop: Loop][] = [
  ["the defaults", {}, { optimizer: sgd }],
  ["--label-smoothing", { labelSmoothing: 0.3 }, { optimizer: sgd, smoothing: 0.3 }],
  ["--clip-grad", { clipGrad: 0.5 }, { optimizer: sgd, clip: 0.5 }],
  ["--ema", { ema: 0.8 }, { optimizer: sgd, decay: 0.8 }],
  ["--accumulate", { accumulate: 3 }, { optimizer: sgd, size: 12 }],
  [
    "--optimizer and --opt",
    { optimizer: "adamw", lr: 0.002, momentum: undefined, weightDecay: 0.5, opt: ["betas=0.5,0.6", "amsgrad=true"] },
    {
      optimizer: (params) => new optim.AdamW(params, { lr: 0.002, weightDecay: 0.5, betas: [0.5, 0.6], amsgrad: true }),
    },
  ],
  [
    "--schedule and --sched",
    { schedule: "linear", sched: ["end_factor=0.25"] },
    { optimizer: sgd, rate: (step) => 0.02 * (1 - 0.75 * step / STEPS) },
  ],
  ["--warmup", { warmup: 5 }, { optimizer: sgd, rate: (step) => 0.02 * Math.min(1, 0.01 + 0.99 * step / 5) }],
];

const plain = loop({ optimizer: sgd });

for (const [name, given, reference] of cases) {
  Deno.test(`a run is the plain loop: ${name}`, async () => {
    const trainer = await trainerOf(dataset, { ...SGD, seed: 7, epochs: 2, ...given });
    const { losses } = await trained(trainer), expected = await loop(reference);
    trainer.ema?.swap();
    assertClose(losses, expected.losses, { rtol: 2e-5, atol: 0 });
    const weights = await weightsOf(trainer);
    assertClose(weights, expected.weights, { rtol: 1e-3, atol: 2e-5 });
    if (name === "the defaults") return;
    const { weights: others } = await plain, most = Math.max(...others.map((v, i) => Math.abs(v - weights[i]!)));
    assert(most > 1e-3, `the setting changes no weight by more than ${most}`);
  });
}

Deno.test("--accumulate: a short step at an epoch's end, images and steps are counted in whole steps", async () => {
  const trainer = await trainerOf(dataset, { ...SGD, seed: 7, epochs: 2, accumulate: 3 });
  assertEquals([trainer.stepsPerEpoch, trainer.totalSteps], [3, 6]);
  assertEquals([1, 2, 3, 4].map((steps) => trainer.images(steps)), [12, 24, 26, 38]);
});

Deno.test("--schedule plateau: the rate falls after an epoch whose loss is no better", async () => {
  const settings = {
    ...SGD,
    seed: 7,
    epochs: 4,
    schedule: "plateau",
    sched: ["patience=0", "factor=0.5", "threshold=1"],
  };
  const trainer = await trainerOf(dataset, settings as GivenConfig), rates = new Map<number, number>();
  await train(trainer, ({ epoch, step }) => rates.set(epoch, trainer.rate(step)));
  // No loss is 100 % better than the one before: all but the first epoch halve the rate.
  assertEquals([...rates.values()].map((rate) => rate / 0.02), [1, 1, 0.5, 0.25]);
});

Deno.test("each step finds its own rate in the ring, behind its end too, and each group has its share", async () => {
  const gpu = await requestBackend(),
    params = [tensor([0], { requiresGrad: true }), tensor([0], { requiresGrad: true })];
  const optimizer = new optim.SGD(params.map((one, i) => ({ params: [one], lr: [1, 10][i]! })));
  const rates = new Rates(optimizer, (step) => step + 1, 4);
  const counters = tensor(new Uint32Array(2)), one = tensor(Uint32Array.of(0, 1));
  const program = compile(() => {
    rates.apply(counters);
    counters.add_(one);
    return optimizer.paramGroups.map(({ rate }) => rate.mul(1));
  });
  const found: number[][] = [];
  for (let step = 0; step < 7; step++) {
    if (step === 0 || step === 3) rates.prepare(gpu, step, step === 0 ? 3 : 4);
    await program.run();
    found.push(await Promise.all(program.result.map((rate) => rate.item())));
  }
  assertEquals(found, [1, 2, 3, 4, 5, 6, 7].map((factor) => [factor, 10 * factor]));
  assertEquals([rates.at(0), rates.at(6)], [1, 7]);
});

Deno.test("--detect-anomaly names the op that made an infinity or NaN", async () => {
  const trainer = await trainerOf(images(40), { lr: 1e6, detectAnomaly: true });
  const error = await assertRejects(() => train(trainer), AnomalyError);
  assertEquals(error.message, `anomaly in step ${error.step}: ${error.finding}`);
  assert(
    /^anomaly in step [1-9]: the (forward|gradient) of "\w+" .* made (NaN|an infinity|NaN and infinities)$/.test(
      error.message,
    ),
    error.message,
  );
});

Deno.test("a config that is written and read makes the same bits", async () => {
  const given = { ...SGD, seed: 7, epochs: 1, ema: 0.5, schedule: "cosine", accumulate: 2, clipGrad: 1 } as const;
  const [a, b] = [
    await trainerOf(dataset, given),
    await trainerOf(dataset, JSON.parse(JSON.stringify(makeConfig(given)))),
  ];
  await trained(a);
  await trained(b);
  assertSameBits(await weightsOf(a), await weightsOf(b));
});
