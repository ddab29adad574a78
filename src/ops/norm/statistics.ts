/**
 * The statistics of a normalisation: the mean and the variance of each set, and the running ones of batch normalisation.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, record, type Value } from "../../graph/node.ts";
import { linearGrid } from "../shape/shape.ts";
import { view } from "../shape/view.ts";
import { gridOf, type Layout, type Work, workOf } from "./layout.ts";

const combineKernel = shader("norm/norm_combine.wgsl");
const runningKernel = shader("norm/norm_running.wgsl");
const statsKernel = shader("norm/norm_stats.wgsl");

interface StatsAttrs extends Work, Pick<Layout, "outer" | "sets" | "inner"> {
  readonly vector: 1 | 4;
}

/**
 * Outputs: for each chunk of a set, [chunks, sets], its mean and the sum of its squared deviations from that. Where a set
 * is one chunk, the second is the variance.
 */
const statsOp: Op<StatsAttrs> = {
  name: "normStats",
  outputs: (_, { chunks, sets }) => [0, 1].map(() => ({ shape: [chunks, sets], dtype: "f32" })),
  dispatches: ({ inputs: [x], outputs, attrs }) => {
    const { outer, sets, inner, vector, chunks, chunk, lanes, across } = attrs;
    return [{
      kernel: statsKernel,
      constants: {
        V: vector === 4 ? "vec4f" : "f32",
        VECTOR: vector,
        OUTER: outer,
        SETS: sets,
        INNER: inner / vector,
        CHUNKS: chunks,
        CHUNK: chunk,
        DIVISOR: chunks === 1 ? outer * inner : 1,
        LANES: lanes,
        ACROSS: across,
      },
      bindings: [x!, ...outputs],
      grid: gridOf(attrs, sets),
    }];
  },
};

interface CombineAttrs {
  /** The numbers of a chunk, and of a set. */
  readonly chunk: number;
  readonly count: number;
}

/**
 * The second step of statistics that are split: inputs and outputs as those of `statsOp`. Deviations are combined with the
 * distances of the chunks' means, so `sumChunks` does not do.
 */
const combineOp: Op<CombineAttrs> = {
  name: "normCombine",
  outputs: ([means]) => [0, 1].map(() => ({ shape: means!.shape.slice(1), dtype: "f32" })),
  dispatches: ({ inputs, outputs, attrs: { chunk, count } }) => {
    const [chunks, sets] = inputs[0]!.shape;
    return [{
      kernel: combineKernel,
      constants: { SETS: sets!, CHUNKS: chunks!, CHUNK: chunk, COUNT: count },
      bindings: [...inputs, ...outputs],
      grid: linearGrid(sets!),
    }];
  },
};

/** The mean and the variance (biased) of each set, [sets]. */
export function statistics(x: Value, { outer, sets, inner }: Layout): readonly Value[] {
  const vector = inner % 4 === 0 ? 4 : 1, work = workOf(outer, sets, inner / vector);
  const chunks = record(statsOp, [x], { outer, sets, inner, vector, ...work });
  if (work.chunks === 1) return chunks.map((one) => view(one, [sets]));
  return record(combineOp, chunks, { chunk: work.chunk * vector, count: outer * inner });
}

// --- running statistics ----------------------------------------------------------------------------------------------

interface RunningAttrs {
  /** The elements of each channel. */
  readonly count: number;
  /** Null: the mean of all batches so far. */
  readonly momentum: number | null;
}

/** Inputs: running mean and variance, the batches so far if they are counted, and mean and variance of this batch. */
const runningOp: Op<RunningAttrs> = {
  name: "normRunning",
  outputs: (inputs) => inputs.slice(0, -2),
  overwrites: ({ inputs }) => inputs.slice(0, -2).map((_, i) => i),
  dispatches: ({ inputs, outputs, attrs: { count, momentum } }) => [{
    kernel: runningKernel,
    constants: {
      CHANNELS: inputs[0]!.size,
      COUNT: count,
      MOMENTUM: momentum ?? 0,
      COUNTED: outputs.length > 2,
      CUMULATIVE: momentum === null,
    },
    // Of overwritten tensors, the outputs are bound: they may be copies of the inputs.
    bindings: [...outputs, ...inputs.slice(-2)],
    grid: [1, 1, 1],
  }],
};

/**
 * The running mean and variance, and the number of batches if it is given, after a batch of this mean and (biased)
 * variance, of `count` elements in each channel.
 */
export function updateRunning(
  running: readonly Value[],
  mean: Value,
  variance: Value,
  attrs: RunningAttrs,
): readonly Value[] {
  return record(runningOp, [...running, mean, variance], attrs);
}
