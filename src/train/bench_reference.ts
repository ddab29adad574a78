/**
 * What `wgrad bench` and `wgrad doctor` compare the GPU with: single elements of results, and the loss of a whole
 * network, computed on the CPU in double precision by the definitions. Nothing here is meant to be fast.
 *
 * @module
 */

type Numbers = ArrayLike<number>;

/** c[place] of c [M, N] = a [M, K] b [K, N]. */
export function matmulAt(a: Numbers, b: Numbers, n: number, k: number, place: number): number {
  const row = Math.floor(place / n), column = place % n;
  let sum = 0;
  for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[i * n + column]!;
  return sum;
}

/** Sizes of a convolution of stride 1 that keeps the image's size: x [N, C, H, W], w [O, C, K, K], padding (K − 1) / 2. */
export interface ConvSize {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly side: number;
  readonly kernel: number;
}

/** y[place] of y [N, O, H, W]. */
export function convAt(x: Numbers, w: Numbers, { channels, outputs, side, kernel }: ConvSize, place: number): number {
  const [column, row, o, n] = split(place, [side, side, outputs]), pad = (kernel - 1) / 2;
  let sum = 0;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < kernel; i++) {
      for (let j = 0; j < kernel; j++) {
        const h = row + i - pad, v = column + j - pad;
        if (h < 0 || h >= side || v < 0 || v >= side) continue;
        sum += x[((n * channels + c) * side + h) * side + v]! * w[((o * channels + c) * kernel + i) * kernel + j]!;
      }
    }
  }
  return sum;
}

/** dx[place] of dx [N, C, H, W]. */
export function convInputGradientAt(
  dy: Numbers,
  w: Numbers,
  { channels, outputs, side, kernel }: ConvSize,
  place: number,
): number {
  const [column, row, c, n] = split(place, [side, side, channels]), pad = (kernel - 1) / 2;
  let sum = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < kernel; i++) {
      for (let j = 0; j < kernel; j++) {
        const h = row - i + pad, v = column - j + pad;
        if (h < 0 || h >= side || v < 0 || v >= side) continue;
        sum += dy[((n * outputs + o) * side + h) * side + v]! * w[((o * channels + c) * kernel + i) * kernel + j]!;
      }
    }
  }
  return sum;
}

/** dw[place] of dw [O, C, K, K]. */
export function convWeightGradientAt(
  x: Numbers,
  dy: Numbers,
  { batch, channels, outputs, side, kernel }: ConvSize,
  place: number,
): number {
  const [j, i, c, o] = split(place, [kernel, kernel, channels]), pad = (kernel - 1) / 2;
  let sum = 0;
  for (let n = 0; n < batch; n++) {
    for (let row = Math.max(0, pad - i); row < Math.min(side, side + pad - i); row++) {
      for (let column = Math.max(0, pad - j); column < Math.min(side, side + pad - j); column++) {
        sum += dy[((n * outputs + o) * side + row) * side + column]! *
          x[((n * channels + c) * side + row + i - pad) * side + column + j - pad]!;
      }
    }
  }
  return sum;
}

/** Where, in x [planes, side, side], the first largest value of the 2 × 2 window behind y[place] lies. */
export function poolSourceOf(x: Numbers, side: number, place: number): number {
  const [column, row, plane] = split(place, [side / 2, side / 2]);
  const corner = (plane * side + 2 * row) * side + 2 * column;
  let best = corner;
  for (const at of [corner + 1, corner + side, corner + side + 1]) if (x[at]! > x[best]!) best = at;
  return best;
}

/** dlogits[place] of the mean cross-entropy of logits [N, C]: (softmax − target) / N. */
export function crossEntropyGradientAt(
  logits: Numbers,
  labels: Numbers,
  count: number,
  classes: number,
  place: number,
): number {
  const row = Math.floor(place / classes), one = place % classes;
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += Math.exp(logits[row * classes + c]!);
  return (Math.exp(logits[place]!) / sum - (labels[row] === one ? 1 : 0)) / count;
}

/** Splits a flat place by extents, the innermost first; what is left is the last. */
function split(place: number, extents: readonly number[]): [number, number, number, number] {
  const result = extents.map((extent) => {
    const rest = place % extent;
    place = (place - rest) / extent;
    return rest;
  });
  return [...result, place, 0] as unknown as [number, number, number, number];
}

/**
 * The losses of LeNet (conv 5 × 5, relu, pool 2 × 2, twice; then three linear layers with relu between) on 32 × 32 images.
 *
 * @param parameters by PyTorch's names, `conv1.weight` to `fc3.bias`
 * @param images one array a image, [channels, 32, 32]
 * @returns the cross-entropy of each image
 */
export function lenetLosses(
  parameters: ReadonlyMap<string, Numbers>,
  images: readonly Numbers[],
  labels: Numbers,
): number[] {
  const of = (name: string) => parameters.get(name)!;
  return images.map((image, n) => {
    let x = image, side = 32;
    for (const name of ["conv1", "conv2"]) {
      x = convReluPool(x, of(`${name}.weight`), of(`${name}.bias`), side);
      side = (side - 4) / 2;
    }
    for (const name of ["fc1", "fc2"]) {
      x = linear(x, of(`${name}.weight`), of(`${name}.bias`)).map((one) => Math.max(one, 0));
    }
    const logits = linear(x, of("fc3.weight"), of("fc3.bias"));
    const most = logits.reduce((a, b) => Math.max(a, b));
    return most + Math.log(logits.reduce((sum, one) => sum + Math.exp(one - most), 0)) - logits[labels[n]!]!;
  });
}

function convReluPool(x: Numbers, w: Numbers, b: Numbers, side: number): Float64Array {
  const channels = x.length / side / side, out = side - 4, half = out / 2;
  // Less than 0 is 0 after the relu, which can be taken after the maximum.
  const y = new Float64Array(b.length * half * half);
  for (let o = 0; o < b.length; o++) {
    for (let row = 0; row < out; row++) {
      for (let column = 0; column < out; column++) {
        let sum = b[o]!;
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < 5; i++) {
            const from = (c * side + row + i) * side + column, by = ((o * channels + c) * 5 + i) * 5;
            for (let j = 0; j < 5; j++) sum += x[from + j]! * w[by + j]!;
          }
        }
        const place = (o * half + (row >> 1)) * half + (column >> 1);
        if (sum > y[place]!) y[place] = sum;
      }
    }
  }
  return y;
}

function linear(x: Numbers, w: Numbers, b: Numbers): Float64Array {
  return Float64Array.from(b, (bias, o) => {
    let sum = bias;
    for (let i = 0; i < x.length; i++) sum += x[i]! * w[o * x.length + i]!;
    return sum;
  });
}
