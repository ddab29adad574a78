/**
 * Holding out part of the training images for validation. Which images depends on the seed alone.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { Batch, Split } from "./dataset.ts";
import { permute, permuteKey } from "../random.ts";

/** Used in place of an epoch number for the shuffle that selects the held-out images; no real epoch has this number. */
const HOLDOUT_EPOCH = 0xffffffff;

/** A training split, divided in two. */
export interface HeldOut {
  readonly train: Split;
  readonly validation: Split;
}

/**
 * Splits off some images at random, as `torch.utils.data.random_split` does. Both parts keep the order of the files.
 *
 * @param amount a fraction of the images if it is below 1, else the number of images to hold out
 * @throws {UsageError} if one of the two parts would be empty, or the number is not a whole number
 */
export function holdOut(split: Split, amount: number, seed: number): HeldOut {
  const { count } = split, held = amount < 1 ? Math.round(count * amount) : amount;
  const why = held < 1
    ? "leaves no images for validation"
    : held >= count
    ? "leaves no images for training"
    : Number.isInteger(held)
    ? undefined
    : "is not a whole number";
  if (why !== undefined) {
    throw new UsageError(
      `--val-split ${amount} of ${count} training images ${why}: give a fraction below 1, or a number of images`,
    );
  }
  const key = permuteKey(seed, HOLDOUT_EPOCH), isHeld = new Uint8Array(count);
  for (let i = 0; i < held; i++) isHeld[permute(i, count, key)] = 1;
  const part = (wanted: 0 | 1, count: number): Split => ({
    ...split, // The name and the checksum of the records stay the same.
    count,
    records: () => select(split, isHeld, wanted),
  });
  return { train: part(0, count - held), validation: part(1, held) };
}

async function* select({ records }: Split, marks: Uint8Array, wanted: 0 | 1): AsyncIterable<Batch> {
  let start = 0;
  for await (const { count, pixels, labels } of records()) {
    const size = pixels.length / count, chosen: number[] = [];
    for (let i = 0; i < count; i++) if (marks[start + i] === wanted) chosen.push(i);
    start += count;
    if (chosen.length === 0) continue;
    const part = {
      count: chosen.length,
      pixels: new Uint8Array(chosen.length * size),
      labels: new Uint8Array(chosen.length),
    };
    chosen.forEach((from, to) => {
      part.pixels.set(pixels.subarray(from * size, (from + 1) * size), to * size);
      part.labels[to] = labels[from]!;
    });
    yield part;
  }
}
