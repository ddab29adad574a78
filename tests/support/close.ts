/**
 * The comparators of every test. NaN never passes: the test is `!(diff <= tolerance)`, never `diff > tolerance`.
 * `close_test.ts` proves it.
 *
 * @module
 */

/** Tolerances of {@linkcode assertClose}. */
export interface Closeness {
  /** Allowed difference, as a share of the expected value. Default 1e-5. */
  rtol?: number;
  /** Allowed difference besides. Default 1e-6. */
  atol?: number;
  /** Where NaN or an infinity is expected, accept the same one (and nothing else). Default: such a value fails. */
  special?: boolean;
  /** What is compared, for the message. */
  what?: string;
}

/** Throws unless the lengths are equal and every |actual - expected| <= atol + rtol |expected|, and is a finite number. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, options: Closeness = {}): void {
  const { rtol = 1e-5, atol = 1e-6, special = false, what = "values" } = options;
  assertLength(actual, expected, what);
  let failures = 0, first = -1;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!, e = expected[i]!;
    if (special && !Number.isFinite(e) && (a === e || (a !== a && e !== e))) continue;
    const diff = Math.abs(a - e), tolerance = atol + rtol * Math.abs(e);
    // An infinite expectation would make the tolerance infinite too.
    if (!(diff <= tolerance) || !Number.isFinite(diff)) {
      failures++;
      if (first < 0) first = i;
    }
  }
  if (failures === 0) return;
  const at = (i: number) => `[${i}]: ${actual[i]}, expected ${expected[i]}`;
  const worst = worstOf(actual, expected);
  throw new Error(
    `${what}: ${failures} of ${expected.length} differ (rtol ${rtol}, atol ${atol}); first ${at(first)}; ` +
      `worst ${at(worst)}, off by ${Math.abs(actual[worst]! - expected[worst]!)}`,
  );
}

/** max|actual - expected| / max|expected|: one error for the whole array; NaN if any value is, 0 for two empty arrays. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assertLength(actual, expected, "values");
  let error = 0, scale = 0;
  for (let i = 0; i < expected.length; i++) { // Math.max propagates NaN
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return error === 0 ? 0 : error / scale;
}

/** Throws unless {@linkcode relativeError} is at most `limit`. */
export function assertRelative(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  limit = 1e-5,
  what = "values",
): void {
  assertLength(actual, expected, what);
  const error = relativeError(actual, expected);
  if (error <= limit) return;
  const worst = worstOf(actual, expected);
  throw new Error(
    `${what}: relative error ${error} over ${limit}; worst [${worst}]: ${actual[worst]}, expected ${expected[worst]}`,
  );
}

/** Throws unless the shapes are the same. */
export function assertShape(actual: readonly number[], expected: readonly number[], what = "shape"): void {
  if (actual.length !== expected.length || actual.some((n, i) => n !== expected[i])) {
    throw new Error(`${what}: [${actual}], expected [${expected}]`);
  }
}

/** Throws unless every bit is the same (NaN equals the same NaN; 0 and -0 differ). */
export function assertSameBits(
  actual: Float32Array | Uint32Array,
  expected: Float32Array | Uint32Array,
  what = "bits",
): void {
  assertLength(actual, expected, what);
  const bits = (x: Float32Array | Uint32Array) => new Uint32Array(x.buffer, x.byteOffset, x.length);
  const a = bits(actual), e = bits(expected);
  const i = a.findIndex((value, i) => value !== e[i]);
  if (i >= 0) throw new Error(`${what} [${i}]: ${actual[i]} and ${expected[i]} differ in their bits`);
}

/** The index of the largest difference; a NaN is larger than all. */
function worstOf(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0, largest = -1;
  for (let i = 0; i < expected.length; i++) {
    const diff = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(diff)) return i;
    if (diff > largest) worst = i, largest = diff;
  }
  return worst;
}

function assertLength(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: length ${actual.length}, expected ${expected.length}`);
  }
}
