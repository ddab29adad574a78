/**
 * The data set in GPU memory: its order in an epoch, the next batch, and the ring of results of steps. With these, thousands of steps
 * run without any transfer between the CPU and the GPU.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { type Op, record, type Shape, type Value } from "../graph/node.ts";
import { linearGrid } from "./shape/shape.ts";

const gatherKernel = shader("batch/gather_batch.wgsl");
const selectKernel = shader("shape/pick.wgsl");
const countCorrectKernel = shader("loss/count_correct.wgsl");
const recordKernel = shader("loss/record_step.wgsl");
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

/** Inputs: logits f32 [count, classes] and labels u32 [count]. */
const countCorrectOp: Op<null> = {
  name: "countCorrect",
  outputs: () => [{ shape: [1], dtype: "f32" }],
  dispatches: ({ inputs: [logits, labels], outputs: [correct] }) => {
    const [rows, classes] = logits!.shape as readonly [number, number];
    return [{
      kernel: countCorrectKernel,
      constants: { ROWS: rows, CLASSES: classes, LANES: 2 ** Math.min(6, Math.ceil(Math.log2(rows))) },
      bindings: [logits!, labels!, correct!],
      grid: [1, 1, 1],
    }];
  },
};

/** The number of images whose largest logit is that of their label, f32 [1]: f32 holds such counts exactly. */
export function countCorrect(logits: Value, labels: Value): Value {
  return record(countCorrectOp, [logits, labels], null)[0]!;
}

const recordStepOp: Op<null> = {
  name: "recordStep",
  outputs: ([ring, counters]) => [ring!, counters!],
  overwrites: () => [0, 1],
  dispatches: ({ inputs: [ring, counters, loss, correct] }) => [{
    kernel: recordKernel,
    constants: { SLOTS: ring!.shape[0]! },
    bindings: [ring!, counters!, loss!, correct!],
    grid: [1, 1, 1],
  }],
};

/** Writes the loss of this step and its count of correct predictions into the ring [slots, 2], and counts the step. */
export function recordStep(ring: Value, counters: Value, loss: Value, correct: Value): readonly Value[] {
  return record(recordStepOp, [ring, counters, loss, correct], null);
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
