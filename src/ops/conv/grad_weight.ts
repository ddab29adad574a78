/**
 * The gradients of a convolution's weight and bias: dw[o, c, i, j] = Σ dy[n, o, h, w] x[n, c, h s − p + i d, w s − p + j d]
 * and db[o] = Σ dy[n, o, h, w]. There are few of them, so the sums are split into chunks of rows of dy.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Device, type Dispatch, type Node, type Op, record, type Target, type Value } from "../../graph/node.ts";
import type { Constants } from "../../wgsl/specialize.ts";
import type { Pair } from "../options.ts";
import { sumChunks } from "../reduce/dims.ts";
import { linearGrid } from "../shape/shape.ts";
import { batchChunks, batchSlices, splitDispatch } from "../split_batch.ts";
import {
  divisors,
  LOAD_GAIN,
  loadCost,
  loadsOf,
  selectTile,
  sizes,
  type Tile,
  vectorOf,
  wideConstants,
} from "../tiling.ts";
import { type ConvAttrs, ONE, pairs, type Pooled, sizeOfImage } from "./geometry.ts";
import { sharedWeight, type SharedWeightTile, sharedWeightTiles } from "./shared.ts";

const kernel = shader("conv/conv2d_grad_weight.wgsl");

/** The attributes of the gradients of a convolution's weight and bias. */
export interface ConvGradWeightAttrs extends ConvAttrs {
  readonly kernel: Pair;
  /** The gradient of the bias is wanted too. */
  readonly bias: boolean;
  readonly pooled?: Pooled;
  /** The tile, once it is selected. */
  readonly tile?: WeightTile | SharedWeightTile;
}

interface WeightTile extends Tile {
  /** The rows of dy are split into this many chunks, each with partial sums. */
  readonly chunks: number;
  /** The dispatches, each of which computes the same number of chunks. */
  readonly count: number;
  readonly across: number;
  readonly deep: number;
  readonly taps: number;
  readonly wide: 1 | 2 | 4;
}

/**
 * Inputs: x, dy; with `pooled`, the gradients and the indices of the windows instead of dy. Outputs: dw, and db if wanted;
 * with a tile, the partial sums of each chunk.
 */
export const convGradWeightOp: Op<ConvGradWeightAttrs> = {
  name: "conv2dGradWeight",
  outputs([x, dy], { kernel, groups, bias, tile }) {
    const lead = tile ? [tile.chunks] : [], out = dy!.shape[1]!;
    const dw = { shape: [...lead, out, x!.shape[1]! / groups, ...kernel], dtype: "f32" as const };
    return bias ? [dw, { shape: [...lead, out], dtype: "f32" as const }] : [dw];
  },
  expand(node, device) {
    const { inputs, attrs } = node;
    if (attrs.tile) return null;
    const tile = selectTile(node, () => candidates(inputs, attrs, device), device);
    return record(convGradWeightOp, inputs, { ...attrs, tile }).map(sumChunks);
  },
  dispatches(node, target) {
    const { inputs, outputs, attrs } = node, bindings = [...inputs, ...outputs], tile = attrs.tile!;
    const common = commonConstants(node);
    if ("side" in tile) return [sharedWeight(bindings, { N: inputs[0]!.shape[0]!, ...common }, tile)];
    return launch(node, common, tile, target);
  },
  multiplyAdds: ({ inputs: [x, dy], outputs: [dw], attrs: { pooled } }) => {
    const [rows, columns] = pooled?.size ?? sizeOfImage(dy!);
    return dw!.size * x!.shape[0]! * rows * columns;
  },
};

/** The constants of both kernels, but for the size of the batch. */
function commonConstants({ inputs, attrs }: Node<ConvGradWeightAttrs>): Constants {
  const [, channels, h, w] = inputs[0]!.shape as [number, number, number, number];
  const { stride, padding, dilation, groups, kernel: [kh, kw], bias, pooled } = attrs;
  const [oh, ow] = pooled?.size ?? sizeOfImage(inputs[1]!);
  return {
    C: channels / groups,
    H: h,
    W: w,
    O: inputs[1]!.shape[1]! / groups,
    OH: oh,
    OW: ow,
    KH: kh,
    KW: kw,
    ...pairs({ STEP: stride, PAD: padding, DIL: dilation }),
    GROUPS: groups,
    BIAS: bias,
  };
}

/** The dispatches of the kernel that keeps everything in registers. */
function launch(
  { inputs, outputs, attrs: { pooled } }: Node<ConvGradWeightAttrs>,
  common: Constants,
  { chunks, count, across, deep, taps, wide, invocations }: WeightTile,
  target: Target,
): Dispatch[] {
  const [ph, pw] = pooled?.window ?? ONE, lanes = target.profile.workgroup;
  const dispatch = {
    kernel,
    constants: {
      ...common,
      LANES: lanes,
      N: inputs[0]!.shape[0]! / count,
      POOLED: pooled !== undefined,
      PLAIN: pooled === undefined,
      POOL_H: ph,
      POOL_W: pw,
      PARTS: chunks / count,
      TAPS: taps,
      DEEP: deep,
      ACROSS: across,
      ...wideConstants(wide),
    },
    bindings: [...inputs, ...outputs],
    grid: linearGrid(invocations / count, lanes),
  };
  return splitDispatch(dispatch, count, dispatch.bindings.map(() => batchSlices(count)), target);
}

/** The tiles of both kernels. A chunk of the first is whole rows of dy. */
function candidates(inputs: readonly Value[], attrs: ConvGradWeightAttrs, device: Device) {
  const [x, dy] = inputs as [Value, Value], [n, , lines] = dy.shape as [number, number, number];
  const counts = divisors(n * lines, n * lines);
  const tiles = counts.flatMap((chunks) => weightTiles(inputs, attrs, chunks, device));
  const weights = x.shape[1]! / attrs.groups * attrs.kernel[0] * attrs.kernel[1];
  return [...tiles, ...(attrs.pooled ? [] : sharedWeightTiles(dy, attrs.groups, weights, device))];
}

/** The tiles of a weight's gradient whose sums are split into `chunks`. */
function weightTiles(
  inputs: readonly Value[],
  attrs: ConvGradWeightAttrs,
  chunks: number,
  device: Device,
): WeightTile[] {
  const [x, dy] = inputs, [, channels, , w] = x!.shape as [number, number, number, number];
  const [n, out, lines, columns] = dy!.shape as [number, number, number, number];
  const { stride, padding, dilation, groups, kernel: [kh, kw], pooled } = attrs;
  const [ph, pw] = pooled?.window ?? ONE, per = out / groups;
  const dw = chunks * out * channels / groups * kh * kw, db = chunks * out;
  const outputs = [dw, ...(attrs.bias ? [db] : [])].map((size) => ({ bytes: 4 * size }));
  const most = batchChunks(n, inputs, outputs, device), count = chunks % most === 0 ? most : 1;
  const cost = { x: loadCost(x!, device, count), dy: loadCost(dy!, device, count) };
  return (pooled ? divisors : sizes)(columns, 8).flatMap((windows) =>
    sizes(per, 8).flatMap((deep) =>
      [kh, 1].map((taps) => {
        const across = windows * pw, spanH = (ph - 1) * stride[0] + (taps - 1) * dilation[0] + 1;
        const span = (across - 1) * stride[1] + (kw - 1) * dilation[1] + 1;
        const turns = Math.ceil(n * lines / chunks) * Math.ceil(columns / windows),
          body = deep * taps * kw * ph * across;
        const wide = padding.some((by) => by !== 0) ? 1 : vectorOf(w, across * stride[1], loadsOf(x!, device, count));
        return {
          name: `registers ${across}x${deep}x${taps} of ${chunks}`,
          chunks,
          count,
          across,
          deep,
          taps,
          wide,
          dispatches: count,
          invocations: chunks * Math.ceil(per / deep) * channels * kh / taps,
          loads: turns * (spanH * span / LOAD_GAIN[wide] * cost.x + deep * windows * (pooled ? 2 : 1) * cost.dy) +
            deep * taps * kw / 8,
          multiplyAdds: turns * body,
          registers: deep * taps * kw,
          body,
          partial: chunks === 1 ? 0 : chunks * out * channels / groups * kh * kw,
        };
      })
    )
  );
}
