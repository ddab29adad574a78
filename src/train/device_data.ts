/**
 * A split of a data set on the GPU: its pixels as bytes, its labels, the order of an epoch, and the ops that take the next
 * batch from them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { permuteHalfBits, permuteKey } from "../random.ts";
import type { Dataset, Split } from "../data/dataset.ts";
import { DataError } from "../errors.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { allocateStorage, write } from "../backend/webgpu/memory.ts";
import { Value } from "../graph/node.ts";
import { upload } from "../graph/leaves.ts";
import { gatherBatch, shuffle } from "../ops/batch.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { arange, tensor } from "../tensor/create.ts";
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

/** Which images a split has. */
export interface DataIdentity {
  readonly images: number;
  /** Of their pixels and labels, or of the checksums of the official files that they are from. */
  readonly sha256: string;
}

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
    /** The number of images. */
    readonly count: number,
    readonly shape: readonly [number, number, number],
    /** What the images are. */
    readonly identity: DataIdentity,
  ) {
    // The order of the file, until an epoch is begun.
    this.#order = arange(count, { dtype: "u32" });
    this.#shuffle = compile(() => {
      const bits = permuteHalfBits(this.count);
      const [order, counters] = shuffle(this.#order.value, this.counters.value, this.#key.value, bits);
      this.#order.assign(order!, "shuffle");
      this.counters.assign(counters!, "shuffle");
    });
  }

  /** Streams a split to the GPU. Its memory on the CPU stays that of a batch. */
  static async upload(gpu: Gpu, { name, shape }: Dataset, split: Split): Promise<DeviceData> {
    const { count } = split, imageBytes = shape[0] * shape[1] * shape[2];
    if (count === 0) throw new DataError(`${name} has no images of the kind that is needed`);
    const first = Math.ceil(count / 2), boundary = first * imageBytes;
    const most = gpu.device.limits.maxStorageBufferBindingSize;
    if (boundary > most) {
      const images = Math.floor(most / imageBytes) * 2;
      throw new DataError(`${name} has ${count} images, and ${gpu.adapter.name} takes ${images} of this size at most`);
    }
    const half = (images: number) => {
      const bytes = Math.max(1, images) * imageBytes, value = new Value([bytes / 4], "u32");
      value.storage = allocateStorage(gpu, bytes);
      value.storage.block.release(); // Held by the value now.
      return new Tensor(value);
    };
    const pixels = [half(first), half(count - first)] as const;
    // Bytes as words, which hold four of them.
    const labels = new Uint8Array(Math.ceil(count / 4) * 4);
    const hash = split.sha256 === undefined ? createHash("sha256") : null;
    let read = 0;
    for await (const batch of split.records()) {
      if (read + batch.count > count) throw new DataError(`${name}: more than the expected ${count} images`);
      labels.set(batch.labels, read);
      hash?.update(batch.pixels);
      const start = read * imageBytes, cut = Math.min(Math.max(0, boundary - start), batch.pixels.length);
      write(gpu, pixels[0].value.storage!, batch.pixels.subarray(0, cut), start);
      write(gpu, pixels[1].value.storage!, batch.pixels.subarray(cut), Math.max(0, start - boundary));
      read += batch.count;
    }
    if (read !== count) throw new DataError(`${name}: expected ${count} images, read ${read}`);
    const identity = { images: count, sha256: split.sha256 ?? hash!.update(labels).digest("hex") };
    return new DeviceData(gpu, pixels, tensor(new Uint32Array(labels.buffer)), count, shape, identity);
  }

  /**
   * Begins an epoch of training, counted from 0: sets its order, and the step within it to 0.
   *
   * @param from goes on from there instead: the steps done in the epoch and in the run.
   */
  async begin(
    seed: number,
    epoch: number,
    from?: { readonly stepInEpoch: number; readonly step: number },
  ): Promise<void> {
    write(this.gpu, upload(this.gpu, this.#key.value), Uint32Array.of(permuteKey(seed, epoch)));
    await this.#shuffle.run();
    if (from) write(this.gpu, upload(this.gpu, this.counters.value), Uint32Array.of(from.stepInEpoch, from.step));
  }

  /** Sets the step within the epoch to 0, and leaves the order as it is. */
  rewind(): void {
    write(this.gpu, upload(this.gpu, this.counters.value), Uint32Array.of(0));
  }

  /**
   * Records the taking of a batch: images f32 [count, channels, height, width] and labels u32 [count].
   *
   * @param stride the images of each step of the epoch before this one.
   * @param offset the images of this step that come before these.
   */
  next(count: number, stride: number, { normalize, channels }: BatchOptions, offset = 0): [Tensor, Tensor] {
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
        offset,
        image: this.shape,
        grey,
        mean: grey ? [greyMean, greyMean, greyMean] : mean,
        deviation: grey ? [greyDeviation, greyDeviation, greyDeviation] : deviation,
      },
    );
    return [new Tensor(outputs[0]!), new Tensor(outputs[1]!)];
  }
}
