/**
 * Splitting long sums, so that the whole device works on one: the terms are split into chunks, a first kernel computes
 * the sum of each chunk, and a second one adds these partial sums in a fixed order (`sumChunks`), so that the same run
 * gives the same bits. Products, convolutions, normalisations and reductions differ in the first kernel only.
 *
 * @module
 */

/** How the terms of a sum are split. */
export interface Split {
  readonly chunks: number;
  /** The terms of a chunk; the last one may have fewer. */
  readonly chunk: number;
}

/** `terms` in at most `most` chunks of the same size. */
export function evenChunks(terms: number, most: number): Split {
  const chunk = Math.ceil(terms / most);
  return { chunks: Math.ceil(terms / chunk), chunk };
}

/** What the numbers of chunks may be. */
export interface ChunkCounts {
  /** Each number is this many times the one before it. Default 2. */
  readonly factor?: number;
  /** The fewest terms of a chunk: fewer are not worth a partial sum. */
  readonly least: number;
  /** All chunks must have the same size. Default false. */
  readonly equal?: boolean;
}

/** The numbers of chunks to try for a sum of `terms`: 1, which is no split, and powers of `factor`. */
export function chunkCounts(terms: number, { factor = 2, least, equal = false }: ChunkCounts): number[] {
  const counts = [1];
  for (let count = factor; terms / count >= least && !(equal && terms % count !== 0); count *= factor) {
    counts.push(count);
  }
  return counts;
}
