/**
 * The mathematics of `nn.init`, in float64: orthogonal vectors, and the normal distribution.
 *
 * @module
 */

/**
 * `matrix` [rows, columns], row-major, with its columns made orthogonal to each other and of length 1, or its rows if
 * there are fewer of them: Q of the QR decomposition (of the transposed matrix, for rows) whose R has a positive
 * diagonal. May change `matrix`.
 */
export function orthogonalFactor(matrix: Float64Array, rows: number, columns: number): Float64Array {
  if (rows < columns) return orthonormalRows(matrix, rows, columns);
  return transpose(orthonormalRows(transpose(matrix, rows, columns), columns, rows), columns, rows);
}

function orthonormalRows(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const vectors = Array.from({ length: rows }, (_, i) => matrix.subarray(i * columns, (i + 1) * columns));
  vectors.forEach((row, i) => {
    // Twice, since rounding leaves a large rest if a row is nearly a combination of those before (Giraud et al. 2005).
    for (let k = 0; k < 2 * i; k++) {
      const other = vectors[k % i]!, share = dot(row, other);
      for (let j = 0; j < columns; j++) row[j]! -= share * other[j]!;
    }
    const length = Math.sqrt(dot(row, row));
    for (let j = 0; j < columns; j++) row[j]! /= length;
  });
  return matrix;
}

/** `matrix` [rows, columns], transposed. */
function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  return matrix.map((_, i) => matrix[i % rows * columns + Math.floor(i / rows)]!);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The error function, by a series all of whose terms have one sign (Abramowitz and Stegun 7.1.6). */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x); // To the last bit.
  let sum = 0, term = 2 * x / Math.sqrt(Math.PI) * Math.exp(-x * x);
  for (let n = 1; sum + term !== sum; n++) {
    sum += term;
    term *= 2 * x * x / (2 * n + 1);
  }
  return sum;
}

// Polynomials in w, highest power first: Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2010.
const CENTRAL = [
  2.81022636e-08,
  3.43273939e-07,
  -3.5233877e-06,
  -4.39150654e-06,
  0.00021858087,
  -0.00125372503,
  -0.00417768164,
  0.246640727,
  1.50140941,
];
const TAIL = [
  -0.000200214257,
  0.000100950558,
  0.00134934322,
  -0.00367342844,
  0.00573950773,
  -0.0076224613,
  0.00943887047,
  1.00167406,
  2.83297682,
];

/** The inverse of `erf`, to float32's precision; infinite at ±1. */
export function erfinv(y: number): number {
  const w = -Math.log((1 - y) * (1 + y));
  if (w === Infinity) return y * w;
  const [terms, x] = w < 5 ? [CENTRAL, w - 2.5] : [TAIL, Math.sqrt(w) - 3];
  return y * terms.reduce((sum, term) => sum * x + term, 0);
}
