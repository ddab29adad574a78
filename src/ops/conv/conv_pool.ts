/**
 * Convolution, bias, relu and max-pool in one kernel: only the result of the pool is written to memory.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, sizeOf, type Value } from "../../graph/node.ts";
import type { ConvAttrs } from "./geometry.ts";
import { convOp } from "./conv.ts";
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
  vectorOf,
  wideConstants,
} from "../tiling.ts";

const kernel = shader("conv/conv2d_pool.wgsl");

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

export const convPoolOp: Op<ConvPoolAttrs> = {
  name: "convPool2d",
  outputs: (inputs, { conv, pool }) => {
    const [{ shape, dtype }] = convOp.outputs(inputs, conv) as [{ shape: readonly number[]; dtype: "f32" }];
    return maxPoolOp.outputs([{ shape, dtype } as Value], pool);
  },
  dispatches(node, target) {
    const { inputs: [x, w, bias], outputs: [y, index], attrs: { conv, pool } } = node;
    const [batch, channels, h, width] = x!.shape as [number, number, number, number];
    const count = batchChunks(batch, [x!], [y!, index!], target), n = batch / count;
    const [, out, oh, ow] = y!.shape as [number, number, number, number];
    const [, , kh, kw] = w!.shape as [number, number, number, number];
    const [ph, pw] = pool.kernel, work = kh * kw * ph * pw;
    const vector = (across: number) => vectorOf(width, across * pw * conv.stride[1], loadsOf(x!, target, count));
    const tile = (across: number, deep: number) => ({
      name: `registers ${across}x${deep}`,
      across,
      deep,
      dispatches: count,
      invocations: batch * oh * (ow / across) * Math.ceil(out / deep),
      loads: channels * (loadCost(x!, target, count) * ((ph - 1) * conv.stride[0] + (kh - 1) * conv.dilation[0] + 1) *
              ((across * pw - 1) * conv.stride[1] + (kw - 1) * conv.dilation[1] + 1) / LOAD_GAIN[vector(across)] +
            loadCost(w!, target) * deep * kh * kw) +
        across * deep / 4,
      multiplyAdds: channels * work * across * deep,
      registers: ph * pw * across * deep,
      body: work * across * deep,
    });
    const tiles = divisors(ow, 8).flatMap((across) => divisors(out, 16).map((deep) => tile(across, deep)));
    const { across, deep } = selectTile(node, tiles, target);
    const dispatch = {
      kernel,
      constants: {
        LANES: target.profile.workgroup,
        N: n,
        C: channels,
        H: h,
        W: width,
        O: out,
        OH: oh,
        OW: ow,
        KH: kh,
        KW: kw,
        STEP_H: conv.stride[0],
        STEP_W: conv.stride[1],
        DIL_H: conv.dilation[0],
        DIL_W: conv.dilation[1],
        POOL_H: ph,
        POOL_W: pw,
        BIAS: bias !== undefined,
        RELU: conv.relu,
        ACROSS: across,
        DEEP: deep,
        ...wideConstants(vector(across)),
        CONV_W: Math.floor((width - conv.dilation[1] * (kw - 1) - 1) / conv.stride[1]) + 1,
      },
      bindings: [x!, w!, ...(bias ? [bias] : []), y!, index!],
      grid: linearGrid(n * oh * (ow / across) * Math.ceil(out / deep), target.profile.workgroup),
    };
    const chunk = batchSlices(count);
    return splitDispatch(dispatch, count, [chunk, null, ...(bias ? [null] : []), chunk, chunk], target);
  },
  multiplyAdds: ({ inputs: [, w], outputs: [y], attrs: { pool: { kernel: [ph, pw] } } }) =>
    y!.size * sizeOf(w!.shape.slice(1)) * ph * pw,
};
