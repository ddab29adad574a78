/**
 * A training step as a program: the batches, their losses and gradients, the update of the weights, and the note of the
 * loss.
 *
 * @module
 */
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import { clipGradNorm_ } from "../nn/utils.ts";
import { recordLoss } from "../ops/batch.ts";
import type { EMA } from "../optim/ema.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { detectAnomaly } from "../tensor/anomaly.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { noGrad } from "../tensor/create.ts";
import { getRngState, setRngState } from "../tensor/random_state.ts";
import { readAll } from "../tensor/realize.ts";
import type { Tensor } from "../tensor/tensor.ts";
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
  /** The averaged weights, where the run keeps them. */
  readonly ema: EMA | null;
  /** Null where the rate never changes. */
  readonly rates: Rates | null;
  /** Where the losses go. */
  readonly ring: Tensor;
}

/** What the gradients of a step take. */
export type Backward = Pick<Work, "config" | "model" | "data" | "batch" | "optimizer">;

/**
 * The mean loss of `images` images, and its gradients. Each batch has its own backward pass, whose memory the next one uses
 * again.
 */
function backward({ config, model, data, batch, optimizer }: Backward, images: number): Tensor {
  const { batchSize, accumulate, labelSmoothing } = config;
  let total: Tensor | null = null;
  optimizer.zeroGrad();
  for (let from = 0; from < images; from += batchSize) {
    const count = Math.min(batchSize, images - from);
    const [x, labels] = data.next(count, batchSize * accumulate, batch, from);
    const mean = crossEntropy(model.forward(x), labels, { labelSmoothing });
    const loss = count === images ? mean : mean.mul(count / images);
    loss.backward();
    total = noGrad(() => total ? total.add(loss) : loss);
  }
  return total!;
}

/** A step over `images` images, at most `batchSize * accumulate`. */
export function stepProgram(work: Work, images: number): Program {
  const { config, model, data, optimizer, ema, rates, ring } = work;
  const step = () => {
    const loss = backward(work, images);
    if (config.clipGrad !== undefined) clipGradNorm_(model.parameters(), config.clipGrad);
    rates?.apply(data.counters);
    optimizer.step();
    ema?.update();
    const [noted, counters] = recordLoss(ring.value, data.counters.value, loss.value);
    ring.assign(noted!, "train");
    data.counters.assign(counters!, "train");
  };
  return config.detectAnomaly ? detectAnomaly(() => compile(step)) : compile(step);
}

/**
 * The gradients of the first step of the epoch, by the names of their parameters, before any clipping. Leaves all as it was
 * but for the step within the epoch, which is 0 then.
 */
export async function gradientsOf(work: Backward, images: number): Promise<Map<string, Float32Array>> {
  const { model, data } = work, rng = await getRngState();
  // What a step changes on the side, such as running statistics.
  const buffers = model.buffers(), before = buffers.map((one) => one.detach());
  data.rewind();
  const program = compile(() => {
    backward(work, images);
    return Object.fromEntries(model.namedParameters().flatMap(([name, { grad }]) => grad ? [[name, grad]] : []));
  });
  try {
    await program.run();
    const named = Object.entries(program.result), elements = await readAll(named.map(([, one]) => one));
    return new Map(named.map(([name], i) => [name, elements[i] as Float32Array]));
  } finally {
    noGrad(() => buffers.forEach((one, i) => one.copy_(before[i]!)));
    setRngState(rng);
    await program.dispose();
  }
}
