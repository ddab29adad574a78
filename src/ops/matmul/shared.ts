/**
 * Matrix products whose workgroups stage both operands in their own memory: the family for GPUs, beside the one of
 * `matmul.ts` that keeps all in registers.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import type { Constants } from "../../wgsl/specialize.ts";
import { type Device, type Dispatch, sizeOf, type Value } from "../../graph/node.ts";
import type { MatmulAttrs } from "./matmul.ts";
import { linearGrid } from "../shape/shape.ts";
import type { Tile } from "../tiling.ts";

const kernel = shader("matmul/matmul_shared.wgsl");

/** The tiles that a workgroup computes: their sides, those of an invocation's part, and the terms staged at once. */
const SHAPES = [
  { side: 128, each: 8, depth: 16 },
  { side: 128, each: 8, depth: 8 },
  { side: 64, each: 4, depth: 16 },
  { side: 32, each: 4, depth: 16 },
] as const;
/** Sums of fewer terms cost about as much: there is a slice to stage, and to wait for, before the first product. */
const SHORT = 64;

/** A tile that a workgroup computes together. */
export interface SharedTile extends Tile {
  readonly shared: number;
  readonly side: number;
  readonly each: number;
  readonly depth: number;
}

/** The tiles of `count` products of `m` rows and `n` columns, of which each output is a sum of `k` terms. */
export function sharedTiles(count: number, m: number, n: number, k: number, { workgroup }: Device): SharedTile[] {
  const terms = Math.max(k, SHORT);
  return SHAPES.flatMap(({ side, each, depth }) => {
    const lanes = (side / each) ** 2, groups = count * Math.ceil(m / side) * Math.ceil(n / side);
    // Of both operands, with a gap of a vector in every row.
    const bytes = 2 * depth * (side / 4 + 1) * 16;
    if (lanes > workgroup.invocations || bytes > workgroup.bytes) return [];
    return [{
      name: `shared ${side}x${side}x${depth} by ${each}`,
      side,
      each,
      depth,
      shared: lanes,
      invocations: groups * lanes,
      // What is staged, and what is read of that.
      loads: terms * (2 * side / lanes + each / 32),
      multiplyAdds: terms * each * each,
      registers: each * each,
      body: 4 * each * each,
    }];
  });
}

/** The one dispatch of a product. */
export function sharedMatmul(
  { inputs, outputs, attrs }: {
    readonly inputs: readonly Value[];
    readonly outputs: readonly Value[];
    attrs: MatmulAttrs;
  },
  tile: SharedTile,
): Dispatch {
  return {
    kernel,
    constants: { ...productConstants(attrs, sizeOf(attrs.batch)), ...sharedConstants(tile) },
    bindings: [...inputs, ...outputs],
    grid: linearGrid(tile.invocations, tile.shared),
  };
}

/** The constants that both families have: what `count` products are, one by one. */
export function productConstants(
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

/** The constants that say how a workgroup computes its tile. */
export function sharedConstants({ side, each, depth }: SharedTile): Constants {
  return { SIDE: side, EACH: each, DEPTH: depth };
}
