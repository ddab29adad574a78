/**
 * Convolution and max-pooling in float64 and naive loops, with their gradients: see `reference.ts`.
 *
 * @module
 */

import { filled, type Nd } from "./array.ts";

/** A number for both dimensions, or [height, width]. */
export type Pair = number | readonly [number, number];

/** Options of a convolution; PyTorch's defaults. */
export interface ConvOptions {
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
}

const pair = (value: Pair): readonly [number, number] => typeof value === "number" ? [value, value] : value;

/** Where a window of a sliding kernel starts, and how many there are. */
function windows(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** Calls `visit` with the offsets into x [N, C, H, W], w [O, C/groups, kh, kw] and y [N, O, Ho, Wo] of every product. */
function products(
  xShape: readonly number[],
  wShape: readonly number[],
  options: ConvOptions,
  visit: (x: number, w: number, y: number) => void,
): number[] {
  const [N, C, H, W] = xShape as [number, number, number, number];
  const [O, I, kh, kw] = wShape as [number, number, number, number];
  const { groups = 1 } = options;
  if (C !== I * groups || O % groups !== 0) throw new Error(`[${xShape}] and [${wShape}] in ${groups} groups`);
  const [sh, sw] = pair(options.stride ?? 1), [ph, pw] = pair(options.padding ?? 0);
  const [dh, dw] = pair(options.dilation ?? 1);
  const Ho = windows(H, kh, sh, ph, dh), Wo = windows(W, kw, sw, pw, dw);
  for (let n = 0, y = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      const firstChannel = Math.floor(o / (O / groups)) * I;
      for (let i = 0; i < Ho; i++) {
        for (let j = 0; j < Wo; j++, y++) {
          for (let c = 0, k = o * I * kh * kw; c < I; c++) {
            for (let p = 0; p < kh; p++) {
              for (let q = 0; q < kw; q++, k++) {
                const row = i * sh - ph + p * dh, column = j * sw - pw + q * dw;
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                visit(((n * C + firstChannel + c) * H + row) * W + column, k, y);
              }
            }
          }
        }
      }
    }
  }
  return [N, O, Ho, Wo];
}

/** y = x * w + b. */
export function conv2d(x: Nd, w: Nd, b?: Nd, options: ConvOptions = {}): Nd {
  const y = filled(products(x.shape, w.shape, options, () => {}));
  products(x.shape, w.shape, options, (i, k, o) => y.data[o]! += x.data[i]! * w.data[k]!);
  if (b) {
    const plane = y.shape[2]! * y.shape[3]!, channels = y.shape[1]!;
    y.data.forEach((_, i) => y.data[i]! += b.data[Math.floor(i / plane) % channels]!);
  }
  return y;
}

/** The gradient of {@linkcode conv2d} for its input. */
export function conv2dGradInput(dy: Nd, xShape: readonly number[], w: Nd, options: ConvOptions = {}): Nd {
  const dx = filled(xShape);
  products(xShape, w.shape, options, (i, k, o) => dx.data[i]! += dy.data[o]! * w.data[k]!);
  return dx;
}

/** The gradient of {@linkcode conv2d} for its weight. */
export function conv2dGradWeight(dy: Nd, x: Nd, wShape: readonly number[], options: ConvOptions = {}): Nd {
  const dw = filled(wShape);
  products(x.shape, wShape, options, (i, k, o) => dw.data[k]! += dy.data[o]! * x.data[i]!);
  return dw;
}

/** The gradient of {@linkcode conv2d} for its bias. */
export function conv2dGradBias(dy: Nd): Nd {
  const [, channels, height, width] = dy.shape as [number, number, number, number];
  const db = filled([channels]);
  dy.data.forEach((value, i) => db.data[Math.floor(i / (height * width)) % channels]! += value);
  return db;
}

/** All gradients of {@linkcode conv2d}, in argument order. */
export function conv2dGrads(dy: Nd, x: Nd, w: Nd, b?: Nd, options: ConvOptions = {}): Nd[] {
  const grads = [conv2dGradInput(dy, x.shape, w, options), conv2dGradWeight(dy, x, w.shape, options)];
  return b ? [...grads, conv2dGradBias(dy)] : grads;
}

/** Options of max-pooling. */
export interface PoolOptions {
  stride?: Pair;
  padding?: Pair;
}

/** The largest value of each window of x [N, C, H, W], and the offset of the first one that has it; NaN is largest. */
export function maxPool2d(x: Nd, kernel: Pair, options: PoolOptions = {}): { y: Nd; from: number[] } {
  const [N, C, H, W] = x.shape as [number, number, number, number];
  const [kh, kw] = pair(kernel), [sh, sw] = pair(options.stride ?? kernel), [ph, pw] = pair(options.padding ?? 0);
  const Ho = windows(H, kh, sh, ph, 1), Wo = windows(W, kw, sw, pw, 1);
  const y = filled([N, C, Ho, Wo], -Infinity), from: number[] = [];
  for (let plane = 0, o = 0; plane < N * C; plane++) {
    for (let i = 0; i < Ho; i++) {
      for (let j = 0; j < Wo; j++, o++) {
        from[o] = -1;
        for (let p = 0; p < kh; p++) {
          for (let q = 0; q < kw; q++) {
            const row = i * sh - ph + p, column = j * sw - pw + q;
            if (row < 0 || row >= H || column < 0 || column >= W) continue;
            const at = (plane * H + row) * W + column, value = x.data[at]!;
            // PyTorch lets a later NaN take over from an earlier one; from outside both are NaN.
            if (from[o]! < 0 || value > y.data[o]! || Number.isNaN(value)) y.data[o] = value, from[o] = at;
          }
        }
      }
    }
  }
  return { y, from };
}

/** The gradient of {@linkcode maxPool2d}: each window's goes to the element it took. */
export function maxPool2dGrad(dy: Nd, x: Nd, kernel: Pair, options: PoolOptions = {}): Nd {
  const dx = filled(x.shape), { from } = maxPool2d(x, kernel, options);
  from.forEach((at, o) => dx.data[at]! += dy.data[o]!);
  return dx;
}
