/**
 * Matrix products: c [batch, M, N] = a [batch, M, K] b [batch, K, N], each operand as it lies or transposed, with an
 * optional bias [N] and relu. `linear` is the form that PyTorch's layer has.
 *
 * @module
 */
import matmulSource from "../../shaders/matmul.wgsl" with { type: "text" };
import vectorSource from "../../shaders/matmul_vec4.wgsl" with { type: "text" };
import { ShapeError } from "../errors.ts";
import { type Node, type Op, record, type Shape, sizeOf, type Value } from "../graph/node.ts";
import { blocksOf, cutsOf, deal } from "./chunks.ts";
import { sharedMatmul, sharedTiles } from "./matmul_shared.ts";
import { sumTo } from "./reduce.ts";
import { choose, dearness, lanesOf, LOAD_GAIN } from "./tiling.ts";
import { broadcast, expand, linearGrid, requireType, text, view } from "./shape.ts";

const scalarKernel = { file: "matmul.wgsl", source: matmulSource };
const vectorKernel = { file: "matmul_vec4.wgsl", source: vectorSource };

export interface MatmulAttrs {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** The operand lies as [K, M] or [N, K]. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** The operand has the batch's dimensions; otherwise it is one matrix for all. */
  readonly batchA: boolean;
  readonly batchB: boolean;
  readonly bias: boolean;
  readonly relu: boolean;
  /** The last input is the output of a relu: c is 0 where it is. */
  readonly mask: boolean;
  /** A second output has the sums [M] of a over K: the gradient of a bias, beside that of a weight. */
  readonly sums: boolean;
}

const define = (name: string, gradName: string): Op<MatmulAttrs> => ({
  name,
  gradName,
  outputs: (_, { batch, m, n, sums }) => [
    { shape: [...batch, m, n], dtype: "f32" },
    ...(sums ? [{ shape: [m], dtype: "f32" as const }] : []),
  ],
  grad({ inputs: [a, b], attrs: { transA, transB } }, [dc], needs) {
    const da = needs[0] ? transA ? product(b!, dc!, transB, true) : product(dc!, b!, false, !transB) : null;
    const [dw, db] = needs[2] ? productAndSums(dc!, a!) : [];
    const weight = dw ?? (transB ? product(dc!, a!, true, transA) : product(a!, dc!, !transA, false));
    return [da && sumTo(da, a!.shape), needs[1] ? sumTo(weight, b!.shape) : null, db ?? null];
  },
  dispatches(node, device) {
    const { inputs, outputs, attrs } = node, { cpu } = device;
    const { batch, m, n, k, transA, transB, batchA, batchB, bias, relu, mask, sums } = attrs;
    // Vectors of four need every row to start at a multiple of four.
    const vector = k % 4 === 0 && n % 4 === 0 && (!transA || m % 4 === 0);
    const count = sizeOf(batch), lanes = lanesOf(cpu);
    const blocks = blocksOf(
      { bytes: inputs[0]!.bytes, extent: m, apart: !transA && count === 1 && !sums },
      { bytes: inputs[1]!.bytes, extent: n, apart: transB && count === 1 },
      n,
      device,
    );
    const height = m / blocks.rows, width = n / blocks.columns;
    const dear = { a: dearness(inputs[0]!, device, blocks.rows), b: dearness(inputs[1]!, device, blocks.columns) };
    const tiles = (vector ? [4, 8, 12, 16] : [2, 4]).flatMap((columns) =>
      (vector ? [4, 8] : [2, 4]).map((rows) => ({
        name: `registers ${rows}x${columns}`,
        rows,
        columns,
        dispatches: blocks.rows * blocks.columns,
        invocations: count * blocks.rows * Math.ceil(height / rows) * blocks.columns * Math.ceil(width / columns),
        loads: k * (rows * dear.a + columns * dear.b) / (vector ? LOAD_GAIN[4] : 1) + rows * columns / 8,
        multiplyAdds: k * rows * columns,
        registers: rows * columns,
        body: 4 * rows * columns,
      }))
    );
    const tile = choose(node as Node, [...tiles, ...sharedTiles(count, m, n, k)], device);
    if ("side" in tile) return [sharedMatmul(node, tile)];
    const { rows, columns } = tile;
    const dispatch = {
      kernel: vector ? vectorKernel : scalarKernel,
      constants: {
        M: height,
        N: n,
        WIDTH: width,
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
        LANES: lanes,
        ROWS: rows,
        COLS: columns,
      },
      bindings: [...inputs, ...outputs],
      grid: linearGrid(count * Math.ceil(height / rows) * Math.ceil(width / columns), lanes),
    };
    const { row, column, block } = cutsOf(blocks, width);
    const cuts = [row, column, ...(bias ? [column] : []), ...(mask ? [block] : []), block, ...(sums ? [row] : [])];
    return deal(dispatch, blocks.rows * blocks.columns, cuts, device);
  },
});

export const matmulOp = define("matmul", "MmBackward0");
export const batchedOp = define("matmul", "BmmBackward0");
export const linearOp = define("linear", "AddmmBackward0");

/** a b for matrices or batches of them that fit; either may lie transposed. A single matrix serves a whole batch. */
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

/** The attributes of a plain product of two matrices, but for its sizes. */
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

/** Rows and columns of the matrix that `x` stands for. */
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
