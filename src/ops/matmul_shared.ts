/**
 * Matrix products whose workgroups stage both operands in their own memory: the family for GPUs, beside the one of
 * `matmul.ts` that keeps all in registers.
 *
 * @module
 */
import sharedSource from "../../shaders/matmul_shared.wgsl" with { type: "text" };
import { type Dispatch, sizeOf, type Value } from "../graph/node.ts";
import type { MatmulAttrs } from "./matmul.ts";
import { linearGrid } from "./shape.ts";
import type { Tile } from "./tiling.ts";

const kernel = { file: "matmul_shared.wgsl", source: sharedSource };

/** The sides of the tiles that a workgroup computes. Each of its invocations computes 4 x 4 outputs. */
const SIDES = [64, 32] as const;
/** Sums of fewer terms cost about as much: there is a slice to stage, and to wait for, before the first product. */
const SHORT = 64;

/** A tile that a workgroup computes together. */
export interface SharedTile extends Tile {
  readonly shared: number;
  readonly side: number;
}

/** The tiles of `count` products of `m` rows and `n` columns, of which each output is a sum of `k` terms. */
export function sharedTiles(count: number, m: number, n: number, k: number): SharedTile[] {
  const terms = Math.max(k, SHORT);
  return SIDES.map((side) => {
    const lanes = side * side / 16, groups = count * Math.ceil(m / side) * Math.ceil(n / side);
    return {
      name: `shared ${side}x${side}`,
      side,
      shared: lanes,
      invocations: groups * lanes,
      loads: terms * 2 * side / lanes,
      multiplyAdds: terms * 16,
      registers: 32,
      body: 64,
    };
  });
}

/** The one dispatch of a product. */
export function sharedMatmul(
  { inputs, outputs, attrs }: {
    readonly inputs: readonly Value[];
    readonly outputs: readonly Value[];
    attrs: MatmulAttrs;
  },
  { side, shared, invocations }: SharedTile,
): Dispatch {
  const { batch, m, n, k, transA, transB, batchA, batchB, bias, relu, mask, sums } = attrs, count = sizeOf(batch);
  return {
    kernel,
    constants: {
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
      SIDE: side,
    },
    bindings: [...inputs, ...outputs],
    grid: linearGrid(invocations, shared),
  };
}
