/**
 * Reductions over dimensions. Neighbouring dimensions are reduced at once, as the middle one of x [outer, run, inner],
 * to y [outer, inner]; other sets of dimensions take one reduction for each group of neighbours. Every sum has a fixed
 * order, so the same input gives the same bits.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { linearGrid } from "../shape/shape.ts";
import { view } from "../shape/view.ts";
import { evenChunks } from "./chunks.ts";

const kernel = shader("reduce/reduce.wgsl");

type Kind = "sum" | "max" | "min" | "argmax";
/** Each kind's number in the kernel. */
const CODES: Record<Kind, number> = { sum: 0, max: 1, min: 2, argmax: 3 };

/** The lanes that share a chunk, and the fewest elements of a chunk that they share. */
const LANES = 64, LONG = 64;
/** The longest run that is not split, where fewer than `FEW` others are reduced beside it; and the size of a chunk. */
const MAX_RUN = 8192, FEW = 256, CHUNK = 1024;

/** A reduction of x [outer, run, inner]. */
export interface ReduceAttrs {
  readonly kind: Kind;
  readonly outer: number;
  readonly run: number;
  readonly inner: number;
  /** The elements of a run that one output covers: fewer than `run` give partial results [outer, chunks, inner]. */
  readonly chunk: number;
  /** The lanes of a workgroup that share a chunk; with 1, an invocation goes through its chunk in order. */
  readonly lanes: 1 | typeof LANES;
  /** The result is multiplied by this. */
  readonly scale: number;
}

const chunksOf = ({ run, chunk }: ReduceAttrs) => Math.ceil(run / chunk);

/** The attributes of a reduction by chunks of `chunk` elements. */
function attributes(kind: Kind, [outer, run, inner]: Extents, chunk: number, scale: number): ReduceAttrs {
  return { kind, outer, run, inner, chunk, lanes: chunk >= LONG && kind !== "argmax" ? LANES : 1, scale };
}

/** x is seen as [outer, run, inner]. */
type Extents = readonly [number, number, number];

/** The reduction of each chunk of a run, [outer, chunks, inner]. */
export const reduceOp: Op<ReduceAttrs> = {
  name: "reduce",
  outputs: ([x], attrs) => [{
    shape: [attrs.outer, chunksOf(attrs), attrs.inner],
    dtype: attrs.kind === "argmax" ? "u32" : x!.dtype,
  }],
  expand({ inputs: [x], attrs }) {
    const { kind, outer, run, inner, chunk, scale } = attrs;
    if (kind === "argmax" || run <= MAX_RUN || chunk < run || outer * inner >= FEW) return null;
    const split = evenChunks(run, Math.ceil(run / CHUNK));
    const partial = record(reduceOp, [x!], attributes(kind, [outer, run, inner], split.chunk, 1))[0]!;
    return record(reduceOp, [partial], attributes(kind, [outer, split.chunks, inner], split.chunks, scale));
  },
  dispatches({ inputs: [x], outputs: [y], attrs }) {
    const { kind, outer, run, inner, chunk, lanes, scale } = attrs;
    return [{
      kernel,
      constants: {
        T: x!.dtype,
        U: y!.dtype,
        OP: CODES[kind],
        OUTER: outer,
        RUN: run,
        INNER: inner,
        CHUNK: chunk,
        CHUNKS: chunksOf(attrs),
        LANES: lanes,
        SCALE: scale,
      },
      bindings: [x!, y!],
      grid: lanes > 1 ? linearGrid(y!.size, 1) : linearGrid(y!.size),
    }];
  },
};

/** Reduces the dimensions from `start` to before `end`; the result keeps them with extent 1. */
export function reduceRun(kind: Kind, x: Value, start: number, end: number, scale: number): Value {
  const outer = sizeOf(x.shape.slice(0, start)), run = sizeOf(x.shape.slice(start, end));
  const inner = sizeOf(x.shape.slice(end));
  const [y] = record(reduceOp, [x], attributes(kind, [outer, run, inner], run, scale));
  return view(y!, x.shape.map((extent, i) => i >= start && i < end ? 1 : extent));
}

/** Reduces `dims` (sorted), the innermost neighbours first, and keeps them with extent 1. */
export function reduceDims(kind: Kind, x: Value, dims: readonly number[], scale = 1): Value {
  let y = x;
  for (let last = dims.length - 1; last >= 0;) {
    let first = last;
    // Dimensions of extent 1 between two reduced ones do not separate them.
    while (first > 0 && x.shape.slice(dims[first - 1]! + 1, dims[first]!).every((extent) => extent === 1)) first--;
    y = reduceRun(kind, y, dims[first]!, dims[last]! + 1, first === 0 ? scale : 1);
    last = first - 1;
  }
  return y;
}

/** Sums `x` down to `shape`, from which it was broadcast: the gradient of broadcasting. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const dims = x.shape.flatMap((extent, i) => i < lead || (shape[i - lead] === 1 && extent !== 1) ? [i] : []);
  return dims.length === 0 ? view(x, shape) : view(reduceDims("sum", x, dims), shape);
}

/**
 * The second step of a sum that is split (see `chunks.ts`): [...] from the partial sums [chunks, ...] of each chunk,
 * which are added in order.
 */
export function sumChunks(partial: Value): Value {
  const [chunks, ...shape] = partial.shape as [number, ...number[]];
  if (chunks === 1) return view(partial, shape);
  const attrs = { ...attributes("sum", [1, chunks, sizeOf(shape)], chunks, 1), lanes: 1 } as const;
  return view(record(reduceOp, [partial], attrs)[0]!, shape);
}
