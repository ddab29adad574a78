/**
 * What the tuner compares variants with: single elements of the results of ops that have variants, computed on the CPU in
 * double precision by the definitions.
 *
 * @module
 */
import type { Data, Node, Shape } from "../graph/node.ts";
import type { ConvAttrs, Pooled } from "../ops/conv/conv.ts";
import type { ConvPoolAttrs } from "../ops/conv/conv_pool.ts";
import type { MatmulAttrs } from "../ops/matmul/matmul.ts";

/** The elements of a node's outputs. */
export interface Reference {
  /** For each output: its element at a place of the flat array. */
  readonly outputs: readonly ((place: number) => number)[];
  /** How many multiply-adds an element takes. */
  readonly work: number;
}

/** The elements of a tensor. */
export type Numbers = ArrayLike<number>;
type Four = readonly [number, number, number, number];

/** The reference for `node` with the elements `inputs`; null where this file does not know the op. */
export function referenceOf({ op, inputs, outputs, attrs }: Node, data: readonly Data[]): Reference | null {
  const shapes = inputs.map(({ shape }) => shape), shape = outputs[0]!.shape;
  switch (op.name) {
    case "matmul":
    case "linear":
      return matmul(data, attrs as MatmulAttrs);
    case "conv2d":
      return conv(data, shapes, shape, attrs as ConvAttrs);
    case "convPool2d":
      return convPool(data, shapes, shape, attrs as ConvPoolAttrs);
    case "conv2dGradInput":
      return convGradInput(data, shapes, shape, attrs as GradAttrs & { mask: boolean });
    case "conv2dGradWeight":
      return convGradWeight(data, shapes, shape, attrs as GradAttrs & { bias: boolean });
    default:
      return null;
  }
}

/** c [batch, M, N], and the sums of a. */
export function matmul(inputs: readonly Numbers[], attrs: MatmulAttrs): Reference {
  const { m, n, k, transA, transB, batchA, batchB, bias, relu, mask, sums } = attrs,
    [a, b] = inputs as [Numbers, Numbers];
  const at = (batch: number, row: number, i: number) =>
    a[(batchA ? batch * m * k : 0) + (transA ? i * m + row : row * k + i)]!;
  const c = (place: number) => {
    const column = place % n, row = Math.floor(place / n) % m, batch = Math.floor(place / n / m);
    const start = batchB ? batch * k * n : 0;
    let sum = bias ? inputs[2]![column]! : 0;
    for (let i = 0; i < k; i++) sum += at(batch, row, i) * b[start + (transB ? column * k + i : i * n + column)]!;
    if (mask && inputs.at(-1)![place]! <= 0) return 0;
    return relu ? Math.max(sum, 0) : sum;
  };
  const sumOf = (row: number) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += at(0, row, i);
    return sum;
  };
  return { outputs: sums ? [c, sumOf] : [c], work: k };
}

/** y [N, O, OH, OW]. */
export function conv(
  [x, w, bias]: readonly Numbers[],
  shapes: readonly Shape[],
  y: Shape,
  attrs: ConvAttrs,
): Reference {
  const { stride, padding, dilation, groups, relu } = attrs;
  const [, channels, h, width] = shapes[0] as Four, [, per, kh, kw] = shapes[1] as Four, [, out, oh, ow] = y as Four;
  const at = (place: number) => {
    const [column, row, o, n] = split(place, [ow, oh, out]), first = Math.floor(o / (out / groups)) * per;
    let sum = bias ? bias[o]! : 0;
    for (let c = 0; c < per; c++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const u = row * stride[0] + i * dilation[0] - padding[0],
            v = column * stride[1] + j * dilation[1] - padding[1];
          if (u < 0 || u >= h || v < 0 || v >= width) continue;
          sum += x![((n * channels + first + c) * h + u) * width + v]! * w![((o * per + c) * kh + i) * kw + j]!;
        }
      }
    }
    return relu ? Math.max(sum, 0) : sum;
  };
  return { outputs: [at], work: per * kh * kw };
}

/** The largest of each window, and its place in the plane: the first of equal ones. */
function convPool(
  data: readonly Numbers[],
  shapes: readonly Shape[],
  y: Shape,
  { conv: attrs, pool: { kernel, stride } }: ConvPoolAttrs,
): Reference {
  const [, , h, width] = shapes[0] as Four, [, , kh, kw] = shapes[1] as Four, [n, out, oh, ow] = y as Four;
  const extent = (size: number, taps: number, i: 0 | 1) =>
    Math.floor((size + 2 * attrs.padding[i] - attrs.dilation[i] * (taps - 1) - 1) / attrs.stride[i]) + 1;
  const rows = extent(h, kh, 0), columns = extent(width, kw, 1);
  const { outputs: [inner], work } = conv(data, shapes, [n, out, rows, columns], attrs);
  const best = (place: number) => {
    const [column, row, o, image] = split(place, [ow, oh, out]), plane = (image * out + o) * rows * columns;
    let index = -1, most = -Infinity;
    for (let i = 0; i < kernel[0]; i++) {
      for (let j = 0; j < kernel[1]; j++) {
        const at = (row * stride[0] + i) * columns + column * stride[1] + j, value = inner!(plane + at);
        if (value > most) [index, most] = [at, value];
      }
    }
    return [most, index] as const;
  };
  return { outputs: [(place) => best(place)[0], (place) => best(place)[1]], work: work * kernel[0] * kernel[1] };
}

/** `pooled`: the gradient is given by the maxima of windows and their places. */
export interface GradAttrs extends ConvAttrs {
  readonly pooled?: Pooled;
}

/** A gradient as it lies, or scattered to the places of the maxima that it is given by. */
function gradientOf(dy: Numbers, shape: Shape, index: Numbers, { pooled }: GradAttrs): { dy: Numbers; shape: Four } {
  if (!pooled) return { dy, shape: shape as Four };
  const [n, channels, h, w] = shape as Four,
    [rows, columns] = pooled.size,
    dense = new Float32Array(n * channels * rows * columns);
  for (let i = 0; i < dy.length; i++) dense[Math.floor(i / (h * w)) * rows * columns + index[i]!]! += dy[i]!;
  return { dy: dense, shape: [n, channels, rows, columns] };
}

/** dx [N, C, H, W]. */
export function convGradInput(
  data: readonly Numbers[],
  shapes: readonly Shape[],
  dx: Shape,
  attrs: GradAttrs & { mask: boolean },
): Reference {
  const { stride, padding, dilation, groups, mask, pooled } = attrs;
  const { dy, shape: [, out, oh, ow] } = gradientOf(data[0]!, shapes[0]!, data[1]!, attrs);
  const w = data[pooled ? 2 : 1]!,
    [, per, kh, kw] = shapes[pooled ? 2 : 1] as Four,
    [, channels, h, width] = dx as Four;
  const at = (place: number) => {
    if (mask && data.at(-1)![place]! <= 0) return 0;
    const [column, row, c, n] = split(place, [width, h, channels]), group = Math.floor(c / per);
    let sum = 0;
    for (let o = group * out / groups; o < (group + 1) * out / groups; o++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const u = (row + padding[0] - i * dilation[0]) / stride[0],
            v = (column + padding[1] - j * dilation[1]) / stride[1];
          if (!Number.isInteger(u) || !Number.isInteger(v) || u < 0 || u >= oh || v < 0 || v >= ow) continue;
          sum += dy[((n * out + o) * oh + u) * ow + v]! * w[((o * per + c % per) * kh + i) * kw + j]!;
        }
      }
    }
    return sum;
  };
  return { outputs: [at], work: out / groups * kh * kw };
}

/** dw [O, C/groups, KH, KW], and db [O]. */
export function convGradWeight(
  data: readonly Numbers[],
  shapes: readonly Shape[],
  dw: Shape,
  attrs: GradAttrs & { bias: boolean },
): Reference {
  const { stride, padding, dilation, groups, bias } = attrs, x = data[0]!, [n, channels, h, width] = shapes[0] as Four;
  const { dy, shape: [, out, oh, ow] } = gradientOf(data[1]!, shapes[1]!, data[2] ?? [], attrs);
  const [, per, kh, kw] = dw as Four;
  const sumOver = (o: number, factor: (image: number, row: number, column: number) => number) => {
    let sum = 0;
    for (let image = 0; image < n; image++) {
      for (let row = 0; row < oh; row++) {
        const start = ((image * out + o) * oh + row) * ow;
        for (let column = 0; column < ow; column++) sum += dy[start + column]! * factor(image, row, column);
      }
    }
    return sum;
  };
  const weight = (place: number) => {
    const [j, i, c, o] = split(place, [kw, kh, per]), channel = Math.floor(o / (out / groups)) * per + c;
    return sumOver(o, (image, row, column) => {
      const u = row * stride[0] + i * dilation[0] - padding[0], v = column * stride[1] + j * dilation[1] - padding[1];
      return u < 0 || u >= h || v < 0 || v >= width ? 0 : x[((image * channels + channel) * h + u) * width + v]!;
    });
  };
  return { outputs: [weight, ...(bias ? [(o: number) => sumOver(o, () => 1)] : [])], work: n * oh * ow };
}

/** Splits a flat place by extents, the innermost first; what is left is the last. */
export function split(place: number, extents: readonly [number, number, number]): Four {
  const [a, b, c] = extents, row = Math.floor(place / a), plane = Math.floor(row / b);
  return [place % a, row % b, plane % c, Math.floor(plane / c)];
}
