/**
 * A split of a data set on the GPU: its pixels as bytes, its labels, the order of an epoch, and the ops that take the next
 * batch from them.
 *
 * @module
 */
import { permuteHalfBits, permuteKey } from "../data/random.ts";
import type { Dataset, Split } from "../data/dataset.ts";
import { DataError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { allocate, write } from "../gpu/memory.ts";
import { Value } from "../graph/node.ts";
import { upload } from "../graph/plan.ts";
import { gatherBatch, shuffle } from "../ops/batch.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { tensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";

/** How bytes become numbers: (byte / 255 − mean) / deviation, by channel, and for images made grey. */
export const NORMALIZATIONS = {
  half: { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5], greyMean: 0.5, greyDeviation: 0.5 },
  // Measured on the 50,000 training images.
  cifar10: {
    mean: [0.4914, 0.48216, 0.44653],
    deviation: [0.24703, 0.24349, 0.26159],
    greyMean: 0.48086,
    greyDeviation: 0.23922,
  },
} as const;

export interface BatchOptions {
  readonly normalize: keyof typeof NORMALIZATIONS;
  /** The channels that the model wants: those of the images, or 1, which makes them grey. */
  readonly channels: number;
}

/** A split that was uploaded. */
export class DeviceData {
  readonly #order: Tensor;
  /** The step within the epoch, and the step within the run. */
  readonly counters = tensor(new Uint32Array(2));
  readonly #key = tensor(new Uint32Array(1));
  readonly #shuffle: Program;

  private constructor(
    readonly gpu: Gpu,
    readonly pixels: readonly [Tensor, Tensor],
    readonly labels: Tensor,
    /** The labels once more, on the CPU. */
    readonly classes: Uint8Array,
    readonly shape: readonly [number, number, number],
  ) {
    // The order of the file, until an epoch is begun.
    this.#order = tensor(Uint32Array.from(classes, (_, i) => i));
    this.#shuffle = compile(() => {
      const bits = permuteHalfBits(this.count);
      const [order, counters] = shuffle(this.#order.value, this.counters.value, this.#key.value, bits);
      this.#order.assign(order!, "shuffle");
      this.counters.assign(counters!, "shuffle");
    });
  }

  /** The number of images. */
  get count(): number {
    return this.classes.length;
  }

  /** Streams a split to the GPU. Its memory on the CPU stays that of a batch. */
  static async upload(gpu: Gpu, { name, shape, classes }: Dataset, split: Split): Promise<DeviceData> {
    const { count } = split, imageBytes = shape[0] * shape[1] * shape[2];
    if (count === 0) throw new DataError(`${name} has no images of the kind that is needed`);
    const first = Math.ceil(count / 2), sizes = [first * imageBytes, Math.max(1, count - first) * imageBytes] as const;
    const most = gpu.device.limits.maxStorageBufferBindingSize;
    if (sizes[0] > most) {
      const images = Math.floor(most / imageBytes) * 2;
      throw new DataError(`${name} has ${count} images, and ${gpu.adapter.name} takes ${images} of this size at most`);
    }
    const halves = sizes.map((bytes) => {
      const value = new Value([bytes / 4], "u32");
      value.storage = { block: allocate(gpu, bytes), offset: 0, size: bytes };
      return new Tensor(value);
    }) as [Tensor, Tensor];
    const all = new Uint8Array(count), boundary = first * imageBytes;
    let at = 0;
    for await (const batch of split.records()) {
      const largest = batch.labels.reduce((most, label) => Math.max(most, label), 0);
      if (largest >= classes.length) throw new DataError(`${name}: label ${largest} of ${classes.length} classes`);
      all.set(batch.labels, at);
      const start = at * imageBytes,
        end = start + batch.pixels.length,
        middle = Math.min(Math.max(boundary, start), end);
      const before = batch.pixels.subarray(0, middle - start), after = batch.pixels.subarray(middle - start);
      if (before.length > 0) write(gpu, halves[0].value.storage!, before, start);
      if (after.length > 0) write(gpu, halves[1].value.storage!, after, middle - boundary);
      at += batch.count;
    }
    if (at !== count) throw new DataError(`${name}: expected ${count} images, read ${at}`);
    const padded = new Uint8Array(Math.ceil(count / 4) * 4);
    padded.set(all);
    return new DeviceData(gpu, halves, tensor(new Uint32Array(padded.buffer)), all, shape);
  }

  /** Sets the order of an epoch, and the step within it to 0. */
  async begin(seed: number, epoch: number): Promise<void> {
    write(this.gpu, upload(this.gpu, this.#key.value), Uint32Array.of(permuteKey(seed, epoch)));
    await this.#shuffle.run();
  }

  /**
   * Records the taking of a batch: images f32 [count, channels, height, width] and labels u32 [count].
   *
   * @param stride the images of each batch of the epoch before this one.
   */
  next(count: number, stride: number, { normalize, channels }: BatchOptions): [Tensor, Tensor] {
    const { mean, deviation, greyMean, greyDeviation } = NORMALIZATIONS[normalize];
    const grey = channels === 1 && this.shape[0] === 3;
    const outputs = gatherBatch(
      [this.pixels[0].value, this.pixels[1].value],
      this.labels.value,
      this.#order.value,
      this.counters.value,
      {
        count,
        stride,
        image: this.shape,
        grey,
        mean: grey ? [greyMean, greyMean, greyMean] : mean,
        deviation: grey ? [greyDeviation, greyDeviation, greyDeviation] : deviation,
      },
    );
    return [new Tensor(outputs[0]!), new Tensor(outputs[1]!)];
  }
}
