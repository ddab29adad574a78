/**
 * Histograms with the buckets that TensorFlow uses: each is 10 % wider than its neighbour on the side of zero.
 *
 * @module
 */

/** How often values occur in each range. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** The number of values. */
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** The upper limits of the buckets, ascending. A bucket includes its lower limit, but not its upper limit. */
  readonly limits: readonly number[];
  /** The number of values in each bucket. */
  readonly counts: readonly number[];
}

/** The upper limits of all buckets: 0, ±1e-12 · 1.1^i up to 1e20, and ±the largest number. */
const LIMITS = makeLimits();

function makeLimits(): Float64Array {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  positive.push(Number.MAX_VALUE);
  return Float64Array.from([...positive.map((limit) => -limit).reverse(), 0, ...positive]);
}

/**
 * Makes the histogram of some values. Of several empty buckets in a row, only the last one is kept.
 *
 * @param values at least one, all finite
 */
export function histogramOf(values: Float32Array): Histogram {
  const counts = new Float64Array(LIMITS.length);
  let min = Infinity, max = -Infinity, sum = 0, sumOfSquares = 0;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    sumOfSquares += value * value;
    counts[bucketOf(value)]!++;
  }
  // An empty bucket before a full one must stay: its upper limit is the lower limit of the full one. The first starts at `min`.
  const first = counts.findIndex((count) => count > 0);
  const kept = Array.from(counts.keys()).filter((i) => counts[i]! > 0 || i > first && (counts[i + 1] ?? 0) > 0);
  return {
    min,
    max,
    count: values.length,
    sum,
    sumOfSquares,
    limits: kept.map((i) => LIMITS[i]!),
    counts: kept.map((i) => counts[i]!),
  };
}

/** The index of the first bucket whose limit is greater than `value`. */
function bucketOf(value: number): number {
  let low = 0, high = LIMITS.length - 1;
  while (low < high) {
    const middle = low + high >> 1;
    if (LIMITS[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
