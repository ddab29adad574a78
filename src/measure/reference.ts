/**
 * The references that `wgrad bench` and `wgrad doctor` compare the GPU with: single elements of results, and the loss of a
 * whole network, computed on the CPU in double precision by the definitions. Nothing here is meant to be fast.
 *
 * @module
 */
import type { ModelName } from "../models/registry.ts";
import { PLAIN } from "../ops/matmul/matmul.ts";
import { conv, convGradInput, convGradWeight, coordinates, matmul, type Numbers } from "../tune/reference.ts";

/** c[index] of c [M, N] = a [M, K] b [K, N]. */
export function matmulAt(a: Numbers, b: Numbers, n: number, k: number, index: number): number {
  return matmul([a, b], { ...PLAIN, m: a.length / k, n, k })[0]!(index);
}

/** Sizes of a convolution of stride 1 that keeps the image's size: x [N, C, H, W], w [O, C, K, K], padding (K − 1) / 2. */
export interface ConvSize {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly side: number;
  readonly kernel: number;
}

/** The shapes of x or dx, w or dw, and y or dy, and the attributes. */
function convOf({ batch, channels, outputs, side, kernel }: ConvSize) {
  const pad = (kernel - 1) / 2;
  return {
    x: [batch, channels, side, side],
    w: [outputs, channels, kernel, kernel],
    y: [batch, outputs, side, side],
    attrs: { stride: [1, 1], padding: [pad, pad], dilation: [1, 1], groups: 1, relu: false } as const,
  };
}

/** y[index] of y [N, O, H, W]. */
export function convAt(x: Numbers, w: Numbers, size: ConvSize, index: number): number {
  const { x: from, w: weight, y, attrs } = convOf(size);
  return conv([x, w], [from, weight], y, attrs)[0]!(index);
}

/** dx[index] of dx [N, C, H, W]. */
export function convInputGradientAt(dy: Numbers, w: Numbers, size: ConvSize, index: number): number {
  const { x, w: weight, y, attrs } = convOf(size);
  return convGradInput([dy, w], [y, weight], x, { ...attrs, mask: false })[0]!(index);
}

/** dw[index] of dw [O, C, K, K]. */
export function convWeightGradientAt(x: Numbers, dy: Numbers, size: ConvSize, index: number): number {
  const { x: from, w, y, attrs } = convOf(size);
  return convGradWeight([x, dy], [from, y], w, { ...attrs, bias: false })[0]!(index);
}

/** The index in x [planes, side, side] of the first maximum of the 2 × 2 window that y[index] is made of. */
export function poolSourceOf(x: Numbers, side: number, index: number): number {
  const [column, row, , plane] = coordinates(index, [side / 2, side / 2, 1]);
  const corner = (plane * side + 2 * row) * side + 2 * column;
  let best = corner;
  for (const at of [corner + 1, corner + side, corner + side + 1]) if (x[at]! > x[best]!) best = at;
  return best;
}

/** dlogits[index] of the mean cross-entropy of logits [N, C]: (softmax − target) / N. */
export function crossEntropyGradientAt(
  logits: Numbers,
  labels: Numbers,
  count: number,
  classes: number,
  index: number,
): number {
  const row = Math.floor(index / classes), one = index % classes;
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += Math.exp(logits[row * classes + c]!);
  return (Math.exp(logits[index]!) / sum - (labels[row] === one ? 1 : 0)) / count;
}

/**
 * The losses of LeNet (conv 5 × 5, relu, pool 2 × 2, twice; then three linear layers with relu between) on square images.
 *
 * @param parameters by PyTorch's names, `conv1.weight` to `fc3.bias`
 * @param images an array for each image, [channels, height, width]
 * @param size the height and the width of an image. Default 32.
 * @returns the cross-entropy of each image
 */
export function lenetLosses(
  parameters: ReadonlyMap<string, Numbers>,
  images: readonly Numbers[],
  labels: Numbers,
  size = 32,
): number[] {
  const of = (name: string) => parameters.get(name)!;
  return images.map((image, n) => {
    let x = image, side = size;
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

/** For each network, the function that computes its losses on the CPU, as `lenetLosses()` does. */
export const LOSSES: Readonly<Record<ModelName, typeof lenetLosses>> = {
  "lenet": lenetLosses,
  "lenet-gray": lenetLosses,
};

function convReluPool(x: Numbers, w: Numbers, b: Numbers, side: number): Float64Array {
  const channels = x.length / side / side, out = side - 4, half = out / 2;
  // The maximum starts at 0, which is the same as a relu after it.
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
        const index = (o * half + (row >> 1)) * half + (column >> 1);
        if (sum > y[index]!) y[index] = sum;
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
