/**
 * Convolution, bias, relu and max-pool in one kernel: only the result of the pool is written to memory.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Node, type Op, sizeOf, type Target, type Value } from "../../graph/node.ts";
import type { Constants } from "../../wgsl/specialize.ts";
import { maxPoolOp, type PoolAttrs } from "../pool/max_pool.ts";
import { batchChunks, batchSlices, splitDispatch } from "../split_batch.ts";
import { linearGrid } from "../shape/shape.ts";
import {
  divisors,
  LOAD_GAIN,
  loadCost,
  loadsOf,
  MAX_UNROLLED,
  selectTile,
  type Tile,
  vectorOf,
  wideConstants,
} from "../tiling.ts";
import { convOp } from "./conv.ts";
import { type ConvAttrs, pairs, positions, sizeOfImage } from "./geometry.ts";

const kernel = shader("conv/conv2d_pool.wgsl");

/** The convolution, and the pool of its result. */
export interface ConvPoolAttrs {
  readonly conv: ConvAttrs;
  readonly pool: PoolAttrs;
}

/** Whether the kernel can compute this pair: windows that do not overlap, no padding, and few enough multiply-adds. */
export function fitsConvPool(
  inputs: readonly Value[],
  conv: ConvAttrs,
  { kernel, stride, padding }: PoolAttrs,
): boolean {
  const [, , kh, kw] = inputs[1]!.shape as [number, number, number, number];
  const plain = conv.padding.every((by) => by === 0) && padding.every((by) => by === 0) && conv.groups === 1;
  return plain && kernel.every((size, i) => size === stride[i]) && kernel[0] * kernel[1] * kh * kw <= MAX_UNROLLED;
}

/** Inputs: x, w, and the bias if there is one. Outputs: the maxima and their indices, as those of `maxPoolOp`. */
export const convPoolOp: Op<ConvPoolAttrs> = {
  name: "convPool2d",
  outputs: (inputs, { conv, pool }) => {
    const [{ shape, dtype }] = convOp.outputs(inputs, conv) as [{ shape: readonly number[]; dtype: "f32" }];
    return maxPoolOp.outputs([{ shape, dtype } as Value], pool);
  },
  dispatches(node, target) {
    const { inputs: [x, w, bias], outputs: [y, index] } = node;
    const count = batchChunks(x!.shape[0]!, [x!], [y!, index!], target);
    const tile = selectTile(node, () => poolTiles(node, count, target), target), lanes = target.profile.workgroup;
    const dispatch = {
      kernel,
      constants: {
        ...commonConstants(node),
        LANES: lanes,
        N: x!.shape[0]! / count,
        ACROSS: tile.across,
        DEEP: tile.deep,
        ...wideConstants(tile.wide),
      },
      bindings: [x!, w!, ...(bias ? [bias] : []), y!, index!],
      grid: linearGrid(tile.invocations / count, lanes),
    };
    const chunk = batchSlices(count);
    return splitDispatch(dispatch, count, [chunk, null, ...(bias ? [null] : []), chunk, chunk], target);
  },
  multiplyAdds: ({ inputs: [, w], outputs: [y], attrs: { pool: { kernel: [ph, pw] } } }) =>
    y!.size * sizeOf(w!.shape.slice(1)) * ph * pw,
};

interface PoolTile extends Tile {
  /** The outputs of an invocation in a row, and its channels. */
  readonly across: number;
  readonly deep: number;
  /** The elements of a load. */
  readonly wide: 1 | 2 | 4;
}

/** The tiles for a batch that is split into `count` dispatches. */
function poolTiles({ inputs: [x, w], outputs: [y], attrs }: Node<ConvPoolAttrs>, count: number, target: Target) {
  const { conv: { stride, dilation }, pool: { kernel: [ph, pw] } } = attrs;
  const [batch, channels, , width] = x!.shape as [number, number, number, number];
  const [, out, oh, ow] = y!.shape as [number, number, number, number], [kh, kw] = sizeOfImage(w!);
  const cost = { x: loadCost(x!, target, count), w: loadCost(w!, target) }, work = kh * kw * ph * pw;
  const tile = (across: number, deep: number): PoolTile => {
    const wide = vectorOf(width, across * pw * stride[1], loadsOf(x!, target, count));
    const rows = (ph - 1) * stride[0] + (kh - 1) * dilation[0] + 1;
    const columns = (across * pw - 1) * stride[1] + (kw - 1) * dilation[1] + 1;
    return {
      name: `registers ${across}x${deep}`,
      across,
      deep,
      wide,
      dispatches: count,
      invocations: batch * oh * (ow / across) * Math.ceil(out / deep),
      loads: channels * (cost.x * rows * columns / LOAD_GAIN[wide] + cost.w * deep * kh * kw) + across * deep / 4,
      multiplyAdds: channels * work * across * deep,
      registers: ph * pw * across * deep,
      body: work * across * deep,
    };
  };
  return divisors(ow, 8).flatMap((across) => divisors(out, 16).map((deep) => tile(across, deep)));
}

/** The constants that do not depend on the tile. */
function commonConstants({ inputs: [x, w, bias], outputs: [y], attrs }: Node<ConvPoolAttrs>): Constants {
  const { conv: { stride, dilation, relu }, pool: { kernel: window } } = attrs;
  const [, channels, h, width] = x!.shape as [number, number, number, number];
  const [, out, oh, ow] = y!.shape as [number, number, number, number], [kh, kw] = sizeOfImage(w!);
  return {
    C: channels,
    H: h,
    W: width,
    O: out,
    OH: oh,
    OW: ow,
    KH: kh,
    KW: kw,
    ...pairs({ STEP: stride, DIL: dilation, POOL: window }),
    BIAS: bias !== undefined,
    RELU: relu,
    CONV_W: positions(width, kw, stride[1], 0, dilation[1]),
  };
}
