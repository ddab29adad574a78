/**
 * Holding images of the training split out, to validate with: which ones is a function of the seed alone.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { Batch, Split } from "./dataset.ts";
import { permute, permuteKey } from "../random.ts";

/** The orders of epochs are numbered from 0; this one is none of theirs. */
const HOLDOUT = 0xffffffff;

/** A training split in two. */
export interface HeldOut {
  readonly train: Split;
  readonly validation: Split;
}

/**
 * Splits off `amount` of the images, as `torch.utils.data.random_split` does: a share of them below 1, else a number.
 * Both parts keep the order of the file.
 *
 * @throws {UsageError} where one of the parts would be empty, or the number is no whole one.
 */
export function holdOut(split: Split, amount: number, seed: number): HeldOut {
  const { count } = split, held = amount < 1 ? Math.round(count * amount) : amount;
  const why = held < 1
    ? "leaves none to validate with"
    : held >= count
    ? "leaves none to train on"
    : Number.isInteger(held)
    ? undefined
    : "is no whole number";
  if (why !== undefined) {
    throw new UsageError(
      `--val-split ${amount} of ${count} training images ${why}: give a share below 1, or a number of images`,
    );
  }
  const key = permuteKey(seed, HOLDOUT), isHeld = new Uint8Array(count);
  for (let i = 0; i < held; i++) isHeld[permute(i, count, key)] = 1;
  const part = (wanted: 0 | 1, count: number): Split => ({
    ...split, // It is of the same records still.
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
    const some = {
      count: chosen.length,
      pixels: new Uint8Array(chosen.length * size),
      labels: new Uint8Array(chosen.length),
    };
    chosen.forEach((from, to) => {
      some.pixels.set(pixels.subarray(from * size, (from + 1) * size), to * size);
      some.labels[to] = labels[from]!;
    });
    yield some;
  }
}
