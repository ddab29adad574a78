/**
 * A whole training step, as `wgrad bench step` measures it: forward, loss, backward, and the update by SGD with momentum,
 * on one batch in GPU memory. `wgrad train` also gathers the batch and records the loss.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Backend, DispatchTime } from "../backend/backend.ts";
import { sizeOf } from "../graph/node.ts";
import * as F from "../nn/functional.ts";
import { type ModelName, MODELS } from "../models/registry.ts";
import { SGD } from "../optim/sgd.ts";
import { compile } from "../tensor/compile.ts";
import { tensor } from "../tensor/create.ts";
import { time, type TimeOptions } from "../tune/timing.ts";
import { noise } from "../random.ts";
import { LOSSES } from "./reference.ts";

export type { DispatchTime };

/** The cost of a step. */
export interface StepFigures {
  readonly model: ModelName;
  readonly batchSize: number;
  /** Steps in each round. */
  readonly steps: number;
  readonly rounds: number;
  /** The median of the rounds, with the wait at the end of each round, about 10 ms in Deno. */
  readonly msPerStep: number;
  readonly leastMs: number;
  readonly mostMs: number;
  readonly imagesPerSecond: number;
  readonly dispatchesPerStep: number;
}

/** A training step, ready to run. */
export interface BenchStep {
  /** See `BenchCase.check()`: compares the first step with a loss and its slopes computed on the CPU. */
  check(): Promise<void>;
  run(times: number): Promise<void>;
  /** The number of kernels that a step runs. */
  dispatches(): Promise<number>;
  /** The time of each of them. */
  profile(steps: number): Promise<DispatchTime[]>;
  dispose(): Promise<void>;
}

/** The number of different images, a prime; a batch repeats them, so that the reference has few to compute. */
const DIFFERENT = 13;
const LR = 0.001;

/** The step of a model, on images of noise. */
export function benchStep(model: ModelName, batchSize: number): BenchStep {
  const { make, input, classes } = MODELS[model], pixels = sizeOf(input), different = Math.min(batchSize, DIFFERENT);
  const images = Array.from({ length: different }, (_, i) => noise(pixels, i + 1));
  const target = Uint32Array.from({ length: batchSize }, (_, i) => i % different * 3 % classes);
  const data = new Float32Array(batchSize * pixels);
  for (let i = 0; i < batchSize; i++) data.set(images[i % different]!, i * pixels);
  const x = tensor(data, { shape: [batchSize, ...input] }), labels = tensor(target);
  const net = make(), optimizer = new SGD(net.parameters(), { lr: LR, momentum: 0.9 });
  const program = compile(() => {
    const loss = F.crossEntropy(net.forward(x), labels);
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss;
  });
  const parameters = async () => {
    const result = new Map<string, Float32Array>();
    for (const [name, one] of net.namedParameters()) result.set(name, await one.data() as Float32Array);
    return result;
  };

  /**
   * With Δ the first update of one parameter tensor, the slope of the loss along Δ must be −|Δ|²/lr, since Δ = −lr ∇loss
   * there. Any other gradient g has a slope of −∇loss·g lr, and would need ∇loss·g = |g|².
   */
  const check = async () => {
    const name = `step of ${model}, batch ${batchSize}`;
    const before = await parameters();
    await program.run();
    const loss = await program.result.item(), after = await parameters();
    const mean = (at: ReadonlyMap<string, ArrayLike<number>>) => {
      const losses = LOSSES[model](at, images, target, input[1]);
      return Array.from(target, (_, i) => losses[i % different]!).reduce((a, b) => a + b) / batchSize;
    };
    requireClose(`${name}: the loss`, loss, mean(before), 1e-4);
    for (const [key, old] of before) {
      const update = Float64Array.from(after.get(key)!, (one, i) => one - old[i]!);
      // So short a distance that hardly any relu or maximum changes sides; doubles resolve it. The difference comes from
      // rounding of the update: 0.0004 at most in trials.
      const length = Math.sqrt(update.reduce((sum, one) => sum + one * one, 0)), reach = 1e-7;
      if (!(length > 0)) throw new GpuError(`${name}: the step leaves ${key} as it was: do not trust this driver`);
      const along = (sign: number) => {
        const moved = Float64Array.from(old, (one, i) => one + sign * reach * update[i]! / length);
        return mean(new Map<string, ArrayLike<number>>(before).set(key, moved));
      };
      requireClose(`${name}: the slope along ${key}`, length / LR, (along(-1) - along(1)) / (2 * reach), 0.004);
    }
  };
  return {
    check,
    run: (times) => program.run(times),
    dispatches: () => program.dispatches(),
    profile: (steps) => program.profile(steps),
    async dispose() {
      await program.dispose();
      for (const one of [...net.parameters(), ...optimizer.stateDict().values(), x, labels, program.result]) {
        one.dispose();
      }
    },
  };
}

/** Checks the step, measures it, and frees its memory. `options.runs` is the number of steps in each round. */
export async function measureStep(
  gpu: Backend,
  model: ModelName,
  batchSize: number,
  options: TimeOptions = {},
): Promise<StepFigures> {
  const step = benchStep(model, batchSize);
  try {
    await step.check();
    await step.run(Math.min(50, options.runs ?? 5));
    const { median, least, most, runs, rounds } = await time(gpu, step.run, { roundMs: 500, ...options });
    return {
      model,
      batchSize,
      steps: runs,
      rounds,
      msPerStep: median,
      leastMs: least,
      mostMs: most,
      imagesPerSecond: batchSize / median * 1000,
      dispatchesPerStep: await step.dispatches(),
    };
  } finally {
    await step.dispose();
  }
}

/** The time of each dispatch of a step, over this number of steps. */
export async function profileStep(model: ModelName, batchSize: number, steps: number): Promise<DispatchTime[]> {
  const step = benchStep(model, batchSize);
  try {
    await step.run(1); // A kernel is compiled when it first runs.
    return await step.profile(steps);
  } finally {
    await step.dispose();
  }
}

function requireClose(what: string, actual: number, expected: number, tolerance: number): void {
  if (Math.abs(actual - expected) <= tolerance * Math.abs(expected)) return;
  throw new GpuError(`${what} is ${actual} on the GPU and ${expected} on the CPU: do not trust this driver`);
}
