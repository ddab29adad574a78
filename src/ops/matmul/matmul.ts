/**
 * Matrix products: c [batch, M, N] = a [batch, M, K] b [batch, K, N], where either operand may be stored transposed, with
 * an optional bias [N] and relu. `linear` is the product of PyTorch's layer.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import {
  type Device,
  type Dispatch,
  type Node,
  type Op,
  record,
  type Shape,
  sizeOf,
  type Value,
} from "../../graph/node.ts";
import { batchChunks, batchSlices, type Blocks, blockSlices, productBlocks, splitDispatch } from "../split_batch.ts";
import type { Constants } from "../../wgsl/specialize.ts";
import { formOf } from "../op.ts";
import { chunkCounts } from "../reduce/chunks.ts";
import { sumChunks, sumTo } from "../reduce/dims.ts";
import { sharedConstants, type SharedTile, sharedTiles } from "./shared.ts";
import { LOAD_GAIN, loadCost, selectTile, type Tile } from "../tiling.ts";
import { broadcast, linearGrid, requireType, text } from "../shape/shape.ts";
import { expand } from "../shape/strided.ts";
import { view } from "../shape/view.ts";

const sharedKernel = shader("matmul/matmul_shared.wgsl");
const scalarKernel = shader("matmul/matmul.wgsl");
const vectorKernel = shader("matmul/matmul_vec4.wgsl");

/** The attributes of a product. */
export interface MatmulAttrs {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** The operand is stored transposed, as [K, M] or [N, K]. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** The operand has the batch's dimensions; otherwise it is one matrix for all. */
  readonly batchA: boolean;
  readonly batchB: boolean;
  readonly bias: boolean;
  readonly relu: boolean;
  /** The last input is the output of a relu: c is 0 where that is 0. */
  readonly mask: boolean;
  /** A second output has the sums [batch, M] of a over K: the gradient of a bias, beside that of a weight. */
  readonly sums: boolean;
  /** The tile, once it is selected. */
  readonly tile?: RegisterTile | SharedTile;
}

interface RegisterTile extends Tile {
  readonly rows: number;
  readonly columns: number;
  /** The blocks of a matrix, and the chunks of a batch, each with a dispatch of its own. */
  readonly blocks: Blocks;
  readonly batches: number;
}

/** The fewest terms of a chunk of a sum that is split. */
const LEAST = 32;

/** Inputs: a, b; then the bias, and the mask, if there are any. */
export const matmulOp: Op<MatmulAttrs> = {
  name: "matmul",
  gradName: "MmBackward0",
  outputs: (_, { batch, m, n, sums }) => [
    { shape: [...batch, m, n], dtype: "f32" },
    ...(sums ? [{ shape: [...batch, m], dtype: "f32" as const }] : []),
  ],
  grad({ inputs: [a, b], attrs: { transA, transB } }, [dc], needs) {
    const da = needs[0] ? transA ? product(b!, dc!, transB, true) : product(dc!, b!, false, !transB) : null;
    const [dw, db] = needs[2] ? productAndSums(dc!, a!) : [];
    const weight = dw ?? (transB ? product(dc!, a!, true, transA) : product(a!, dc!, !transA, false));
    return [da && sumTo(da, a!.shape), needs[1] ? sumTo(weight, b!.shape) : null, db ?? null];
  },
  expand(node, device) {
    const { op, inputs, attrs } = node;
    if (attrs.tile) return null;
    const candidates = () => chunksOf(attrs).flatMap((chunks) => tilesOf(inputs, attrs, chunks, device));
    const tile = selectTile(node, candidates, device), { chunks } = tile;
    if (chunks === 1) return record(op, inputs, { ...attrs, tile });
    const [a, b] = inputs.map((one) => view(one, [chunks, attrs.k / chunks, one.shape[1]!]));
    const split = { ...attrs, batch: [chunks], k: attrs.k / chunks, batchA: true, batchB: true, tile };
    return record(batchedOp, [a!, b!], split).map(sumChunks);
  },
  dispatches({ inputs, outputs, attrs }, target) {
    const { batch, m, n, k, transA, bias, mask, sums } = attrs, tile = attrs.tile!;
    if ("side" in tile) return [sharedMatmul({ inputs, outputs, attrs }, tile)];
    const { rows, columns, blocks, batches } = tile, lanes = target.profile.workgroup, count = sizeOf(batch) / batches;
    const height = m / blocks.rows, width = n / blocks.columns;
    const dispatch = {
      kernel: isVector(m, n, k, transA) ? vectorKernel : scalarKernel,
      constants: {
        ...productConstants(attrs, count),
        M: height,
        WIDTH: width,
        LANES: lanes,
        ROWS: rows,
        COLS: columns,
      },
      bindings: [...inputs, ...outputs],
      grid: linearGrid(count * Math.ceil(height / rows) * Math.ceil(width / columns), lanes),
    };
    // A batch that is split has no bias, and no operand that is one matrix for all.
    const chunk = batchSlices(batches);
    const { row, column, block } = batches > 1
      ? { row: chunk, column: chunk, block: chunk }
      : blockSlices(blocks, width);
    const slices = [row, column, ...(bias ? [column] : []), ...(mask ? [block] : []), block, ...(sums ? [row] : [])];
    return splitDispatch(dispatch, batches * blocks.rows * blocks.columns, slices, target);
  },
  multiplyAdds: ({ outputs: [c], attrs: { k } }) => c!.size * k,
};

/** Products of batches of matrices. */
const batchedOp = formOf(matmulOp, "BmmBackward0");
/** Products of a layer's input and its weight, which is stored transposed. */
export const linearOp: Op<MatmulAttrs> = { ...matmulOp, name: "linear", gradName: "AddmmBackward0" };

/** The dispatch of a product whose workgroups stage its operands. */
function sharedMatmul(
  { inputs, outputs, attrs }: Pick<Node<MatmulAttrs>, "inputs" | "outputs" | "attrs">,
  tile: SharedTile,
): Dispatch {
  return {
    kernel: sharedKernel,
    constants: { ...productConstants(attrs, sizeOf(attrs.batch)), ...sharedConstants(tile) },
    bindings: [...inputs, ...outputs],
    grid: linearGrid(tile.invocations, tile.shared),
  };
}

/** The constants of every kernel, for `count` products in a dispatch. */
function productConstants(
  { m, n, k, transA, transB, batchA, batchB, bias, relu, mask, sums }: MatmulAttrs,
  count: number,
): Constants {
  return {
    M: m,
    N: n,
    K: k,
    TRANS_A: transA,
    TRANS_B: transB,
    BATCH_A: batchA && count > 1 ? m * k : 0,
    BATCH_B: batchB && count > 1 ? k * n : 0,
    BIAS: bias,
    RELU: relu,
    MASK: mask,
    SUMS: sums,
    BATCH: count,
  };
}

/** Whether vectors of four serve: every row must start at a multiple of four. */
function isVector(m: number, n: number, k: number, transA: boolean): boolean {
  return k % 4 === 0 && n % 4 === 0 && (!transA || m % 4 === 0);
}

/**
 * The numbers of chunks into which the sums can be split: more than one where K is the outermost dimension of both
 * operands, as in the gradient of a weight, which has few elements, each a sum over all rows of the batch.
 */
function chunksOf({ batch, k, transA, transB, bias, relu, mask }: MatmulAttrs): number[] {
  if (batch.length > 0 || !transA || transB || bias || relu || mask) return [1];
  return chunkCounts(k, { least: LEAST, equal: true });
}

/** The tiles of a product whose sums are split into `chunks`. */
function tilesOf(
  [a, b]: readonly Value[],
  { batch, m, n, k, transA, transB, batchA, batchB, bias, sums }: MatmulAttrs,
  chunks: number,
  device: Device,
): ((RegisterTile | SharedTile) & { chunks: number })[] {
  const count = sizeOf(batch) * chunks, terms = k / chunks, vector = isVector(m, n, terms, transA);
  const results = [{ bytes: count * m * n * 4 }, ...(sums ? [{ bytes: count * m * 4 }] : [])];
  const splits = chunks > 1 || (batchA && batchB && !bias);
  const batches = splits ? batchChunks(count, [a!, b!], results, device) : 1;
  const blocks = productBlocks(
    { bytes: a!.bytes, extent: m, contiguous: !transA && count === 1 && !sums },
    { bytes: b!.bytes, extent: n, contiguous: transB && count === 1 },
    n,
    device,
  );
  const costA = loadCost(a!, device, batches * blocks.rows);
  const costB = loadCost(b!, device, batches * blocks.columns);
  const groups = count * blocks.rows * blocks.columns, height = m / blocks.rows, width = n / blocks.columns;
  const tile = (rows: number, columns: number): RegisterTile => ({
    name: `registers ${rows}x${columns}`,
    rows,
    columns,
    blocks,
    batches,
    dispatches: blocks.rows * blocks.columns * batches,
    invocations: groups * Math.ceil(height / rows) * Math.ceil(width / columns),
    loads: terms * (rows * costA + columns * costB) / (vector ? LOAD_GAIN[4] : 1) + rows * columns / 8,
    multiplyAdds: terms * rows * columns,
    registers: rows * columns,
    body: 4 * rows * columns,
  });
  const across = vector ? [4, 8, 12, 16] : [2, 4], down = vector ? [4, 8] : [2, 4];
  const all = [
    ...across.flatMap((columns) => down.map((rows) => tile(rows, columns))),
    ...sharedTiles(count, m, n, terms, device),
  ];
  if (chunks === 1) return all.map((one) => ({ ...one, chunks }));
  return all.map((one) => ({ ...one, name: `${one.name} of ${chunks}`, chunks, partial: chunks * m * n }));
}

/**
 * a b for matrices or batches of them; either may be stored transposed. A single matrix serves a whole batch.
 *
 * @throws {ShapeError} where the shapes do not match.
 */
export function product(a: Value, b: Value, transA: boolean, transB: boolean): Value {
  const [m, k] = matrix(a, transA), [inner, n] = matrix(b, transB);
  if (k !== inner) throw new ShapeError(`matmul: ${text(a.shape)} and ${text(b.shape)} do not fit`);
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2), "matmul");
  const whole = (x: Value) => sizeOf(x.shape.slice(0, -2)) === 1 ? x : expand(x, [...batch, ...x.shape.slice(-2)]);
  a = whole(a);
  b = whole(b);
  const batchA = sizeOf(a.shape) > m * k, batchB = sizeOf(b.shape) > k * n;
  const op = batch.length === 0 ? matmulOp : batchedOp;
  return record(op, [a, b], { ...PLAIN, batch, m, n, k, transA, transB, batchA, batchB })[0]!;
}

/** The attributes of a plain product of two matrices, except its sizes. */
export const PLAIN = {
  batch: [],
  transA: false,
  transB: false,
  batchA: false,
  batchB: false,
  bias: false,
  relu: false,
  mask: false,
  sums: false,
};

/** dw [out, in] = dyᵀ x and db [out] = Σ dy, for dy [rows, out] and x [rows, in]. */
function productAndSums(dy: Value, x: Value): readonly Value[] {
  const [k, m] = dy.shape as [number, number];
  return record(matmulOp, [dy, x], { ...PLAIN, m, n: x.shape[1]!, k, transA: true, sums: true });
}

/** The rows and columns of the matrix that `x` is, or, with `trans`, of its transpose. */
function matrix(x: Value, trans: boolean): [number, number] {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  return trans ? [columns, rows] : [rows, columns];
}

/** The product as PyTorch defines it: vectors, matrices, and batches of matrices that are broadcast together. */
export function matmul(a: Value, b: Value): Value {
  requireType(a, "f32", "matmul");
  requireType(b, "f32", "matmul");
  if (a.shape.length === 0 || b.shape.length === 0) {
    throw new ShapeError("matmul: both operands need at least one dimension");
  }
  const vectorA = a.shape.length === 1, vectorB = b.shape.length === 1;
  const left = vectorA ? view(a, [1, ...a.shape]) : a, right = vectorB ? view(b, [...b.shape, 1]) : b;
  const c = product(left, right, false, false);
  const shape = c.shape.slice(0, -2);
  return view(c, [...shape, ...(vectorA ? [] : [c.shape.at(-2)!]), ...(vectorB ? [] : [c.shape.at(-1)!])]);
}

/** y [..., out] = x [..., in] w [out, in]ᵀ + b [out]. */
export function linear(x: Value, w: Value, b: Value | null): Value {
  for (const value of [x, w, ...(b ? [b] : [])]) requireType(value, "f32", "linear");
  const inputs = x.shape.at(-1);
  if (w.shape.length !== 2 || inputs !== w.shape[1] || (b && (b.shape.length !== 1 || b.shape[0] !== w.shape[0]))) {
    const bias = b ? ` and bias ${text(b.shape)}` : "";
    throw new ShapeError(`linear: input ${text(x.shape)}, weight ${text(w.shape)}${bias} do not fit`);
  }
  const [n, k] = w.shape as [number, number], rows = view(x, [x.size / k, k]);
  const attrs = { ...PLAIN, m: x.size / k, n, k, transB: true, bias: b !== null };
  const [y] = record(linearOp, b ? [rows, w, b] : [rows, w], attrs);
  return view(y!, [...x.shape.slice(0, -1), n]);
}
