/**
 * Selecting how many outputs an invocation computes. With more, outputs share loads; with fewer, there are more
 * invocations to run at once. An estimate of the time, for the profile of the device, weighs one against the other.
 *
 * @module
 */
import { UNIFORM_BYTES } from "../wgsl/uniforms.ts";
import type { Profile } from "../backend/profile.ts";
import type { Device, Node, Value } from "../graph/node.ts";
import type { Variant } from "../backend/variants.ts";

/** A way to tile a kernel: the number of invocations, and the work of each. */
export interface Tile extends Variant {
  readonly invocations: number;
  /** The dispatches, one after the other, into which the invocations are split. Default 1. */
  readonly dispatches?: number;
  /** The instructions of an invocation. */
  readonly loads: number;
  readonly multiplyAdds: number;
  /** The values that an invocation keeps, and the length of its unrolled loop body in multiply-adds. */
  readonly registers: number;
  readonly body: number;
  /** The partial sums, of all invocations, that another kernel adds up. Default 0. */
  readonly partial?: number;
  /** The invocations of a workgroup that stages its loads in workgroup memory. Default 0: it does not. */
  readonly shared?: number;
}

/** The most outputs in a row, and the most rows, that an invocation of a convolution computes. */
export const MAX_ACROSS = 16, MAX_DOWN = 4;
/** The most multiply-adds of one output that are unrolled: the taps of a kernel times the elements of a pool's window. */
export const MAX_UNROLLED = 256;

/** An estimate of the time that a tile takes, in multiply-adds. */
function cost(tile: Tile, { profile }: Device): number {
  const { workgroup, lanes, load, registers, body } = profile, { dispatches = 1 } = tile;
  const rounds = dispatches *
    Math.max(1, Math.ceil(tile.invocations / dispatches / workgroup) * workgroup / lanes);
  const excess = Math.max(1, tile.registers / registers, tile.body / body);
  const first = rounds * (tile.loads * load + tile.multiplyAdds) * excess ** 4;
  const second = (tile.partial ?? 0) / lanes * load; // The partial sums are written, and read again.
  return first * (tile.shared ? sharedFactor(tile.invocations / tile.shared, profile) : 1) + second;
}

/** The factor for tiles in workgroup memory: the cost of barriers, and of a device that few workgroups leave idle. */
function sharedFactor(groups: number, { barrier, groups: enough }: Profile): number {
  return barrier * Math.max(1, enough / groups);
}

/**
 * The tile to run `node` with: the fastest one measured on this device, or else the one with the lowest estimate.
 *
 * @param candidates all tiles; they may depend on the device, and on the node's op, shapes and attributes, only.
 */
export function selectTile<T extends Tile>(node: Node, candidates: () => readonly T[], device: Device): T {
  return device.variants.select(node, device.profile, () => {
    const tiles = candidates(), costs = new Map(tiles.map((tile) => [tile, cost(tile, device)]));
    const sorted = tiles.toSorted((a, b) => costs.get(a)! - costs.get(b)!);
    return { sorted, cost: sorted[0] ? costs.get(sorted[0])! : 0 };
  });
}

/** The sizes up to `most` of a tile that divide `extent`, in ascending order. */
export function divisors(extent: number, most: number): number[] {
  const found: number[] = [];
  for (let size = 1; size <= most && size * size <= extent; size++) {
    if (extent % size === 0) found.push(size, extent / size);
  }
  return [...new Set(found)].filter((size) => size <= most).sort((a, b) => a - b);
}

/** The same; where only 1 divides a larger extent, also 4, which leaves a remainder. */
export function sizes(extent: number, most: number): number[] {
  const found = divisors(extent, most);
  return found.length === 1 && extent > 4 ? [1, 4] : found;
}

/** The kind of buffer that `input` is loaded from when it is split into `count` dispatches: see `src/wgsl/uniforms.ts`. */
export function loadsOf(input: Value, { profile }: Device, count = 1): "storage" | "uniform" {
  return input.bytes / count <= profile.uniformBytes ? "uniform" : "storage";
}

/** The cost of loading an element of `input`; 1 is that of a load from a storage buffer. */
export function loadCost(input: Value, device: Device, count = 1): number {
  return loadsOf(input, device, count) === "uniform" ? Math.ceil(input.bytes / count / UNIFORM_BYTES) / 8 : 1;
}

/** The elements that one load brings: the length of a row, and the step between loads, must be multiples of it. */
export function vectorOf(row: number, step: number, loads: "storage" | "uniform"): 1 | 2 | 4 {
  // In uniform buffers, vectors are no faster.
  if (loads === "uniform") return 1;
  return row % 4 === 0 && step % 4 === 0 ? 4 : row % 2 === 0 && step % 2 === 0 ? 2 : 1;
}

/** How many times less an element costs in such a load. */
export const LOAD_GAIN = { 1: 1, 2: 1.5, 4: 2.1 };

/** The constants that select a kernel's narrow or wide loads. */
export function wideConstants(vector: 1 | 2 | 4): Readonly<Record<string, number | boolean | string>> {
  return vector === 1 ? {} : { NARROW: false, WIDE: true, VECTOR: vector, V: `vec${vector}f` };
}
