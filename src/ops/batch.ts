/**
 * The data set in GPU memory: its order in an epoch, the next batch, and the ring of losses. With these, thousands of steps
 * run without any transfer between the CPU and the GPU.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { type Op, record, type Shape, type Value } from "../graph/node.ts";
import { linearGrid } from "./shape/shape.ts";

const gatherKernel = shader("batch/gather_batch.wgsl");
const selectKernel = shader("shape/pick.wgsl");
const recordKernel = shader("loss/record_loss.wgsl");
const shuffleKernel = shader("batch/shuffle.wgsl");

interface ShuffleAttrs {
  readonly halfBits: number;
}

/** Inputs: the order u32 [count], the step counters u32 [2], and the key u32 [1] of the epoch's order. */
const shuffleOp: Op<ShuffleAttrs> = {
  name: "shuffle",
  outputs: ([order, counters]) => [order!, counters!],
  overwrites: () => [0, 1],
  dispatches: ({ inputs: [order, counters, key], attrs: { halfBits } }) => [{
    kernel: shuffleKernel,
    constants: { COUNT: order!.size, HALF_BITS: halfBits },
    bindings: [order!, counters!, key!],
    grid: linearGrid(order!.size),
  }],
};

/** The order of a new epoch, and the counters, with the step within the epoch set to 0. */
export function shuffle(order: Value, counters: Value, key: Value, halfBits: number): readonly Value[] {
  return record(shuffleOp, [order, counters, key], { halfBits });
}

/** Which images of the data set are in a batch, and how their pixels become numbers. */
export interface GatherAttrs {
  /** The images of this batch. */
  readonly count: number;
  /** The images of a step: step i starts at image i `stride` of the order. */
  readonly stride: number;
  /** The images of this step before this batch. */
  readonly offset: number;
  /** Channels, height, width. */
  readonly image: Shape;
  /** The three channels become one, with the weights of ITU-R BT.601, as in torchvision. */
  readonly grey: boolean;
  /** A pixel's value is (byte / 255 − mean) / deviation, by channel. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Inputs: the two halves of the pixels and the labels, as bytes in u32 words, the order, and the counters. */
const gatherOp: Op<GatherAttrs> = {
  name: "gatherBatch",
  outputs: (_, { count, image: [channels, ...plane], grey }) => [
    { shape: [count, grey ? 1 : channels!, ...plane], dtype: "f32" },
    { shape: [count], dtype: "u32" },
  ],
  dispatches: ({ inputs, outputs: [x, labels], attrs }) => {
    const { count, stride, offset, image: [channels, height, width], grey, mean, deviation } = attrs;
    const plane = height! * width!, words = channels! * plane / 4;
    return [{
      kernel: gatherKernel,
      constants: {
        COUNT: count,
        STRIDE: stride,
        OFFSET: offset,
        CHANNELS: channels!,
        PLANE: plane,
        GREY: grey,
        FIRST: inputs[0]!.size / words,
        SCALE: deviation.map((one) => 1 / (255 * one)),
        SHIFT: mean.map((one, i) => -one / deviation[i]!),
      },
      bindings: [...inputs, x!, labels!],
      grid: linearGrid(x!.size / 4),
    }];
  },
};

/** The next batch: normalised images f32 [count, channels, height, width], and labels u32 [count]. */
export function gatherBatch(
  pixels: readonly [Value, Value],
  labels: Value,
  order: Value,
  counters: Value,
  attrs: GatherAttrs,
): readonly Value[] {
  return record(gatherOp, [...pixels, labels, order, counters], attrs);
}

const recordLossOp: Op<null> = {
  name: "recordLoss",
  outputs: ([ring, counters]) => [ring!, counters!],
  overwrites: () => [0, 1],
  dispatches: ({ inputs: [ring, counters, loss] }) => [{
    kernel: recordKernel,
    constants: { SLOTS: ring!.size },
    bindings: [ring!, counters!, loss!],
    grid: [1, 1, 1],
  }],
};

/** Writes the loss of this step into the ring, and counts the step. */
export function recordLoss(ring: Value, counters: Value, loss: Value): readonly Value[] {
  return record(recordLossOp, [ring, counters, loss], null);
}

const selectForStepOp: Op<null> = {
  name: "selectForStep",
  outputs: () => [{ shape: [1], dtype: "f32" }],
  dispatches: ({ inputs: [table, counters], outputs: [out] }) => [{
    kernel: selectKernel,
    constants: { SLOTS: table!.size },
    bindings: [table!, counters!, out!],
    grid: [1, 1, 1],
  }],
};

/** The element [1] of `table`, a ring with an element for each step, that is for the current step. */
export function selectForStep(table: Value, counters: Value): Value {
  return record(selectForStepOp, [table, counters], null)[0]!;
}
