/**
 * The tiles of products whose workgroups stage both operands in workgroup memory: the family for GPUs, beside the one
 * that keeps everything in registers. Matrix products and convolutions share them.
 *
 * @module
 */
import type { Constants } from "../../wgsl/specialize.ts";
import type { Device } from "../../graph/node.ts";
import type { Tile } from "../tiling.ts";

/** The tiles of a workgroup: their sides, the sides of an invocation's part, and the terms that are staged at once. */
const SHAPES = [
  { side: 128, each: 8, depth: 16 },
  { side: 128, each: 8, depth: 8 },
  { side: 64, each: 4, depth: 16 },
  { side: 32, each: 4, depth: 16 },
] as const;
/** Sums of fewer terms cost as much: a slice is staged, and waited for, before the first multiply-add. */
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
    // Both operands, each row with a vector of padding.
    const bytes = 2 * depth * (side / 4 + 1) * 16;
    if (lanes > workgroup.invocations || bytes > workgroup.bytes) return [];
    return [{
      name: `shared ${side}x${side}x${depth} by ${each}`,
      side,
      each,
      depth,
      shared: lanes,
      invocations: groups * lanes,
      // From storage to workgroup memory, and from there.
      loads: terms * (2 * side / lanes + each / 32),
      multiplyAdds: terms * each * each,
      registers: each * each,
      body: 4 * each * each,
    }];
  });
}

/** The constants of a tile. */
export function sharedConstants({ side, each, depth }: SharedTile): Constants {
  return { SIDE: side, EACH: each, DEPTH: depth };
}
