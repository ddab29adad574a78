/**
 * The results that the tuner compares variants with: single elements of the outputs of ops that have variants, computed on
 * the CPU in double precision from the definitions.
 *
 * @module
 */
import type { Data, Node, Shape } from "../graph/node.ts";
import { convGradInputOp, convOp, type GradInputAttrs } from "../ops/conv/conv.ts";
import { type ConvPoolAttrs, convPoolOp } from "../ops/conv/conv_pool.ts";
import { type ConvAttrs, type Pooled, positions } from "../ops/conv/geometry.ts";
import { type ConvGradWeightAttrs, convGradWeightOp } from "../ops/conv/grad_weight.ts";
import { linearOp, type MatmulAttrs, matmulOp } from "../ops/matmul/matmul.ts";
import { is } from "../ops/op.ts";

/** For each output of a node: its element at an index of the flat array. */
export type Reference = readonly ((index: number) => number)[];

/** The elements of a tensor. */
export type Numbers = ArrayLike<number>;
type Four = readonly [number, number, number, number];

/** The reference for `node` with the elements `data` of its inputs; null for ops that this file does not know. */
export function referenceOf(node: Node, data: readonly Data[]): Reference | null {
  const shapes = node.inputs.map(({ shape }) => shape), { shape } = node.outputs[0]!;
  if (is(node, matmulOp) || is(node, linearOp)) return matmul(data, node.attrs);
  if (is(node, convOp)) return conv(data, shapes, shape, node.attrs);
  if (is(node, convPoolOp)) return convPool(data, shapes, shape, node.attrs);
  if (is(node, convGradInputOp)) return convGradInput(data, shapes, shape, node.attrs);
  if (is(node, convGradWeightOp)) return convGradWeight(data, shapes, shape, node.attrs);
  return null;
}

/** c [batch, M, N], and the sums of a. */
export function matmul(inputs: readonly Numbers[], attrs: MatmulAttrs): Reference {
  const { m, n, k, transA, transB, batchA, batchB, bias, relu, mask, sums } = attrs,
    [a, b] = inputs as [Numbers, Numbers];
  const at = (batch: number, row: number, i: number) =>
    a[(batchA ? batch * m * k : 0) + (transA ? i * m + row : row * k + i)]!;
  const c = (index: number) => {
    const column = index % n, row = Math.floor(index / n) % m, batch = Math.floor(index / n / m);
    const start = batchB ? batch * k * n : 0;
    let sum = bias ? inputs[2]![column]! : 0;
    for (let i = 0; i < k; i++) sum += at(batch, row, i) * b[start + (transB ? column * k + i : i * n + column)]!;
    if (mask && inputs.at(-1)![index]! <= 0) return 0;
    return relu ? Math.max(sum, 0) : sum;
  };
  const sumOf = (row: number) => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += at(0, row, i);
    return sum;
  };
  return sums ? [c, sumOf] : [c];
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
  const at = (index: number) => {
    const [column, row, o, n] = coordinates(index, [ow, oh, out]), first = Math.floor(o / (out / groups)) * per;
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
  return [at];
}

/** The maximum of each window, and its index in the plane: the first of equal ones. */
function convPool(
  data: readonly Numbers[],
  shapes: readonly Shape[],
  y: Shape,
  { conv: attrs, pool: { kernel, stride } }: ConvPoolAttrs,
): Reference {
  const [, , h, width] = shapes[0] as Four, [, , kh, kw] = shapes[1] as Four, [n, out, oh, ow] = y as Four;
  const rows = positions(h, kh, attrs.stride[0], attrs.padding[0], attrs.dilation[0]);
  const columns = positions(width, kw, attrs.stride[1], attrs.padding[1], attrs.dilation[1]);
  const [inner] = conv(data, shapes, [n, out, rows, columns], attrs);
  const best = (index: number) => {
    const [column, row, o, image] = coordinates(index, [ow, oh, out]), plane = (image * out + o) * rows * columns;
    let argmax = -1, most = -Infinity;
    for (let i = 0; i < kernel[0]; i++) {
      for (let j = 0; j < kernel[1]; j++) {
        const at = (row * stride[0] + i) * columns + column * stride[1] + j, value = inner!(plane + at);
        if (value > most) [argmax, most] = [at, value];
      }
    }
    return [most, argmax] as const;
  };
  return [(index) => best(index)[0], (index) => best(index)[1]];
}

/** A gradient with its shape; where it is given by windows, scattered to the indices of their maxima. */
function gradientOf(dy: Numbers, shape: Shape, indices: Numbers, pooled?: Pooled): { dy: Numbers; shape: Four } {
  if (!pooled) return { dy, shape: shape as Four };
  const [n, channels, h, w] = shape as Four,
    [rows, columns] = pooled.size,
    dense = new Float32Array(n * channels * rows * columns);
  for (let i = 0; i < dy.length; i++) dense[Math.floor(i / (h * w)) * rows * columns + indices[i]!]! += dy[i]!;
  return { dy: dense, shape: [n, channels, rows, columns] };
}

/** dx [N, C, H, W]. */
export function convGradInput(
  data: readonly Numbers[],
  shapes: readonly Shape[],
  dx: Shape,
  attrs: Omit<GradInputAttrs, "size">,
): Reference {
  const { stride, padding, dilation, groups, mask, pooled } = attrs;
  const { dy, shape: [, out, oh, ow] } = gradientOf(data[0]!, shapes[0]!, data[1]!, pooled);
  const w = data[pooled ? 2 : 1]!,
    [, per, kh, kw] = shapes[pooled ? 2 : 1] as Four,
    [, channels, h, width] = dx as Four;
  const at = (index: number) => {
    if (mask && data.at(-1)![index]! <= 0) return 0;
    const [column, row, c, n] = coordinates(index, [width, h, channels]), group = Math.floor(c / per);
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
  return [at];
}

/** dw [O, C/groups, KH, KW], and db [O]. */
export function convGradWeight(
  data: readonly Numbers[],
  shapes: readonly Shape[],
  dw: Shape,
  attrs: Omit<ConvGradWeightAttrs, "kernel">,
): Reference {
  const { stride, padding, dilation, groups, bias, pooled } = attrs,
    x = data[0]!,
    [n, channels, h, width] = shapes[0] as Four;
  const { dy, shape: [, out, oh, ow] } = gradientOf(data[1]!, shapes[1]!, data[2] ?? [], pooled);
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
  const weight = (index: number) => {
    const [j, i, c, o] = coordinates(index, [kw, kh, per]), channel = Math.floor(o / (out / groups)) * per + c;
    return sumOver(o, (image, row, column) => {
      const u = row * stride[0] + i * dilation[0] - padding[0], v = column * stride[1] + j * dilation[1] - padding[1];
      return u < 0 || u >= h || v < 0 || v >= width ? 0 : x[((image * channels + channel) * h + u) * width + v]!;
    });
  };
  return [weight, ...(bias ? [(o: number) => sumOver(o, () => 1)] : [])];
}

/** The coordinates of a flat index, by the extents of all dimensions but the outermost; the innermost comes first. */
export function coordinates(index: number, extents: readonly [number, number, number]): Four {
  const [a, b, c] = extents, row = Math.floor(index / a), plane = Math.floor(row / b);
  return [index % a, row % b, plane % c, Math.floor(plane / c)];
}
