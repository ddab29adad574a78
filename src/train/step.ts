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
import type { Tensor } from "../tensor/tensor.ts";
import type { RunConfig } from "./settings.ts";
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

/**
 * A step over `images` images, at most `batchSize * accumulate`. Each batch has its own backward pass, whose memory the
 * next one uses again; the gradient is that of the mean loss over all images.
 */
export function stepProgram(
  { config, model, data, batch, optimizer, ema, rates, ring }: Work,
  images: number,
): Program {
  const { batchSize, accumulate, labelSmoothing, clipGrad } = config;
  const step = () => {
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
    if (clipGrad !== undefined) clipGradNorm_(model.parameters(), clipGrad);
    rates?.apply(data.counters);
    optimizer.step();
    ema?.update();
    const [noted, counters] = recordLoss(ring.value, data.counters.value, total!.value);
    ring.assign(noted!, "train");
    data.counters.assign(counters!, "train");
  };
  return config.detectAnomaly ? detectAnomaly(() => compile(step)) : compile(step);
}
