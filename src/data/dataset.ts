/**
 * What a data set is to the trainer: class names, the shape of an image, and two splits. Each split can be read as a stream
 * of batches, any number of times, always in the same order. `open_dataset.ts` opens one.
 *
 * @module
 */
import type { Batch } from "./records.ts";

export type { Batch } from "./records.ts";

/** One part of a data set: the training or the test images. */
export interface Split {
  /** The number of records; 0 if the data set has no such split, or the caller does not need it. */
  readonly count: number;
  /** Identifies the records if the files were verified on opening: the SHA-256 of their checksums, in hexadecimal. */
  readonly sha256?: string;
  /** Reads all records in order, in batches, in bounded memory. Each call starts from the first record. */
  records(): AsyncIterable<Batch>;
}

/** A set of labelled images that all have the same shape. */
export interface Dataset {
  /** "cifar10", "synthetic", or the path it was opened from. */
  readonly name: string;
  /** Class names, by label. */
  readonly classes: readonly string[];
  /** Channels, height, width. */
  readonly shape: readonly [number, number, number];
  /** True if the program draws the images itself: results on them say nothing about a real task. */
  readonly synthetic: boolean;
  readonly train: Split;
  readonly test: Split;
}
