/**
 * A training step as a program: it takes the batches, computes losses and gradients, updates the weights, and records the
 * loss and the count of correct predictions.
 *
 * @module
 */
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import { clipGradNorm_ } from "../nn/utils.ts";
import { countCorrect, recordStep } from "../ops/batch.ts";
import type { EMA } from "../optim/ema.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { detectAnomaly } from "../tensor/anomaly.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { noGrad } from "../tensor/create.ts";
import { getRngState, setRngState } from "../tensor/random_state.ts";
import { readAll } from "../tensor/realize.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { RunConfig } from "../config/settings.ts";
import type { BatchOptions, DeviceData } from "./device_data.ts";
import type { Rates } from "./rates.ts";

/** What a step works on. */
export interface Work {
  readonly config: RunConfig;
  readonly model: Module;
  readonly data: DeviceData;
  readonly batch: BatchOptions;
  readonly optimizer: Optimizer;
  /** The averaged weights; null if the run keeps none. */
  readonly ema: EMA | null;
  /** The rates of the schedule; null if there is none. */
  readonly rates: Rates | null;
  /** The tensor [slots, 2] in which each step records its loss and its count of correct predictions: step i at i % slots. */
  readonly ring: Tensor;
}

/** What is needed for the gradients of a step. */
export type Backward = Pick<Work, "config" | "model" | "data" | "batch" | "optimizer">;

/**
 * Records the mean loss of `images` images and its gradients. Each batch has a separate backward pass, and the next batch
 * reuses its memory.
 *
 * @returns the loss, and for each batch its logits and labels.
 */
function backward(
  { config, model, data, batch, optimizer }: Backward,
  images: number,
): { readonly loss: Tensor; readonly batches: readonly (readonly [logits: Tensor, labels: Tensor])[] } {
  const { batchSize, accumulate, labelSmoothing } = config;
  const batches: [Tensor, Tensor][] = [];
  let total: Tensor | null = null;
  optimizer.zeroGrad();
  for (let from = 0; from < images; from += batchSize) {
    const count = Math.min(batchSize, images - from);
    const [x, labels] = data.next(count, batchSize * accumulate, batch, from);
    const logits = model.forward(x), mean = crossEntropy(logits, labels, { labelSmoothing });
    const loss = count === images ? mean : mean.mul(count / images);
    loss.backward();
    total = noGrad(() => total ? total.add(loss) : loss);
    batches.push([logits, labels]);
  }
  return { loss: total!, batches };
}

/** The number of images [1] that the weights before the step classify correctly, in training mode. */
function correctIn(batches: ReturnType<typeof backward>["batches"]): Tensor {
  const counts = batches.map(([logits, labels]) => new Tensor(countCorrect(logits.value, labels.value)));
  return noGrad(() => counts.reduce((sum, count) => sum.add(count)));
}

/** Makes the program of a step over `images` images, at most `batchSize * accumulate`. */
export function stepProgram(work: Work, images: number): Program {
  const { config, model, data, optimizer, ema, rates, ring } = work;
  const step = () => {
    const { loss, batches } = backward(work, images);
    if (config.clipGrad !== undefined) clipGradNorm_(model.parameters(), config.clipGrad);
    rates?.apply(data.counters);
    optimizer.step();
    ema?.update();
    const correct = correctIn(batches);
    const [recorded, counters] = recordStep(ring.value, data.counters.value, loss.value, correct.value);
    ring.assign(recorded!, "train");
    data.counters.assign(counters!, "train");
  };
  return config.detectAnomaly ? detectAnomaly(() => compile(step)) : compile(step);
}

/**
 * Computes the gradients of the first step of the epoch, by the names of their parameters, before any clipping. Afterwards
 * the step within the epoch is 0; everything else is unchanged.
 */
export async function gradientsOf(work: Backward, images: number): Promise<Map<string, Float32Array>> {
  const { model, data } = work, rng = await getRngState();
  // A forward pass changes buffers, such as running statistics.
  const buffers = model.buffers(), before = buffers.map((buffer) => buffer.detach());
  data.rewind();
  const program = compile(() => {
    backward(work, images);
    return Object.fromEntries(model.namedParameters().flatMap(([name, { grad }]) => grad ? [[name, grad]] : []));
  });
  try {
    await program.run();
    const named = Object.entries(program.result), values = await readAll(named.map(([, gradient]) => gradient));
    return new Map(named.map(([name], i) => [name, values[i] as Float32Array]));
  } finally {
    noGrad(() => buffers.forEach((buffer, i) => buffer.copy_(before[i]!)));
    setRngState(rng);
    await program.dispose();
  }
}
