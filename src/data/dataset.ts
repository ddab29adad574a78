/**
 * What a data set is to the trainer: class names, the shape of an image, and two splits. Each split can be read as a stream
 * of batches, any number of times, always in the same order. `open_dataset.ts` opens one.
 *
 * @module
 */
import type { Batch } from "./records.ts";

export type { Batch } from "./records.ts";

/** One part of a data set. */
export interface Split {
  /** How many records; 0 if the data set has no such part, or it was not asked for. */
  readonly count: number;
  /** What these records are, where their checksums were checked already: a SHA-256 of those, in hexadecimal. */
  readonly sha256?: string;
  /** The records from the first to the last, in batches, in bounded memory; a new pass at each call. */
  records(): AsyncIterable<Batch>;
}

/** A labelled set of images of one shape. */
export interface Dataset {
  /** "cifar10", "synthetic", or the path it was opened from. */
  readonly name: string;
  /** Class names, by label. */
  readonly classes: readonly string[];
  /** Channels, height, width. */
  readonly shape: readonly [number, number, number];
  /** True for drawn images, which measure nothing but the program itself. */
  readonly synthetic: boolean;
  readonly train: Split;
  readonly test: Split;
}
