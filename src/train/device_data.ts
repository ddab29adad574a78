/**
 * A split of a data set in device memory: its pixels as bytes, its labels, the order of an epoch, and the ops that take the
 * next batch from them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { permuteHalfBits, permuteKey } from "../random.ts";
import type { Dataset, Split } from "../data/dataset.ts";
import { DataError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import { Value } from "../graph/node.ts";
import { upload } from "../graph/leaves.ts";
import { gatherBatch, shuffle } from "../ops/batch.ts";
import { compile, type Program } from "../tensor/compile.ts";
import { arange, tensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";

/** How bytes become numbers: (byte / 255 − mean) / deviation, for each channel, and for images that are made grey. */
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

/** Identifies the images of a split. */
export interface DataIdentity {
  readonly images: number;
  /** The checksum of the pixels and labels, or of the checksums of the official files that they are from. */
  readonly sha256: string;
}

/** How images become the inputs of a model. */
export interface BatchOptions {
  readonly normalize: keyof typeof NORMALIZATIONS;
  /** The channels of the model's inputs: those of the images, or 1, which makes the images grey. */
  readonly channels: number;
}

/** A split in device memory. */
export class DeviceData {
  readonly #order: Tensor;
  /** The step within the epoch, and the step within the run. */
  readonly counters = tensor(new Uint32Array(2));
  readonly #key = tensor(new Uint32Array(1));
  readonly #shuffle: Program;

  private constructor(
    readonly gpu: Backend,
    readonly pixels: readonly [Tensor, Tensor],
    readonly labels: Tensor,
    /** The number of images. */
    readonly count: number,
    readonly shape: readonly [number, number, number],
    /** What the images are. */
    readonly identity: DataIdentity,
  ) {
    // Until an epoch begins, the order of the file.
    this.#order = arange(count, { dtype: "u32" });
    this.#shuffle = compile(() => {
      const bits = permuteHalfBits(this.count);
      const [order, counters] = shuffle(this.#order.value, this.counters.value, this.#key.value, bits);
      this.#order.assign(order!, "shuffle");
      this.counters.assign(counters!, "shuffle");
    });
  }

  /**
   * Streams a split to the device; only one batch of it is in memory of the CPU at a time.
   *
   * @throws {DataError} if the split has no images, another number of images than it says, or does not fit in memory.
   */
  static async upload(gpu: Backend, { name, shape }: Dataset, split: Split): Promise<DeviceData> {
    const { count } = split, imageBytes = shape[0] * shape[1] * shape[2];
    if (count === 0) throw new DataError(`${name} has no images of the kind that is needed`);
    const first = Math.ceil(count / 2), boundary = first * imageBytes;
    const most = gpu.limits.bufferBytes;
    if (boundary > most) {
      const images = Math.floor(most / imageBytes) * 2;
      throw new DataError(`${name} has ${count} images, and ${gpu.adapter.name} takes ${images} of this size at most`);
    }
    const half = (images: number) => {
      const bytes = Math.max(1, images) * imageBytes, value = new Value([bytes / 4], "u32");
      value.storage = gpu.allocateStorage(bytes);
      value.storage.block.release(); // The value holds it now.
      return new Tensor(value);
    };
    const pixels = [half(first), half(count - first)] as const;
    // Padded to whole words of four bytes.
    const labels = new Uint8Array(Math.ceil(count / 4) * 4);
    const hash = split.sha256 === undefined ? createHash("sha256") : null;
    let read = 0;
    for await (const batch of split.records()) {
      if (read + batch.count > count) throw new DataError(`${name}: more than the expected ${count} images`);
      labels.set(batch.labels, read);
      hash?.update(batch.pixels);
      const start = read * imageBytes, cut = Math.min(Math.max(0, boundary - start), batch.pixels.length);
      gpu.write(pixels[0].value.storage!, batch.pixels.subarray(0, cut), start);
      gpu.write(pixels[1].value.storage!, batch.pixels.subarray(cut), Math.max(0, start - boundary));
      read += batch.count;
    }
    if (read !== count) throw new DataError(`${name}: expected ${count} images, read ${read}`);
    const identity = { images: count, sha256: split.sha256 ?? hash!.update(labels).digest("hex") };
    return new DeviceData(gpu, pixels, tensor(new Uint32Array(labels.buffer)), count, shape, identity);
  }

  /**
   * Begins an epoch of training, counted from 0: shuffles the images, and sets the step within the epoch to 0.
   *
   * @param from sets the steps done in the epoch and in the run instead.
   */
  async begin(
    seed: number,
    epoch: number,
    from?: { readonly stepInEpoch: number; readonly step: number },
  ): Promise<void> {
    this.gpu.write(upload(this.gpu, this.#key.value), Uint32Array.of(permuteKey(seed, epoch)));
    await this.#shuffle.run();
    if (from) this.gpu.write(upload(this.gpu, this.counters.value), Uint32Array.of(from.stepInEpoch, from.step));
  }

  /** Goes back to the first batch of the epoch, without shuffling. */
  rewind(): void {
    this.gpu.write(upload(this.gpu, this.counters.value), Uint32Array.of(0));
  }

  /**
   * Records ops that take a batch: images f32 [count, channels, height, width] and labels u32 [count].
   *
   * @param stride the number of images in a full step.
   * @param offset the index of the first image within the step.
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
