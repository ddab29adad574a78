/**
 * Histograms with TensorFlow's buckets, each a tenth wider than the one nearer to zero.
 *
 * @module
 */

/** How often which values occur. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** How many values there are. */
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** The right ends of the buckets, ascending. A bucket holds its left end, and not its right one. */
  readonly limits: readonly number[];
  /** How many values are in each bucket. */
  readonly counts: readonly number[];
}

/** The right ends of all buckets: ±1e-12 · 1.1^i up to 1e20, 0, and all that is larger. */
const LIMITS = makeLimits();

function makeLimits(): Float64Array {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  positive.push(Number.MAX_VALUE);
  return Float64Array.from([...positive.map((limit) => -limit).reverse(), 0, ...positive]);
}

/**
 * Counts values, of which there is one at least. Of empty buckets beside each other the last alone is kept.
 *
 * @param values all finite.
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
  // An empty bucket between full ones stays: its end is the next one's beginning. The first begins with `min`.
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

/** The first bucket whose limit is above `value`. */
function bucketOf(value: number): number {
  let low = 0, high = LIMITS.length - 1;
  while (low < high) {
    const middle = low + high >> 1;
    if (LIMITS[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
