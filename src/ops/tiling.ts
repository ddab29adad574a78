/**
 * Choosing how many outputs an invocation computes. More outputs share their loads, fewer leave work for more invocations;
 * the estimate weighs both for the kind of device at hand.
 *
 * @module
 */
import { UNIFORM_BYTES } from "../wgsl/uniforms.ts";
import type { Profile } from "../backend/profile.ts";
import type { Device, Node, Value } from "../graph/node.ts";
import type { Variant } from "../graph/variants.ts";

/** A way to tile a kernel: invocations in all, and what each one does. */
export interface Tile extends Variant {
  readonly invocations: number;
  /** The dispatches, one after the other, among which they are; 1 if not said. */
  readonly dispatches?: number;
  /** Instructions of each kind, per invocation. */
  readonly loads: number;
  readonly multiplyAdds: number;
  /** Values that an invocation keeps, and the length of the unrolled body in multiply-adds. */
  readonly registers: number;
  readonly body: number;
  /** Partial results that another kernel sums. */
  readonly partial?: number;
  /** The invocations of a workgroup that stages its loads in its own memory; 0 if not said. */
  readonly shared?: number;
}

/** The most outputs of a row, and rows, that an invocation of a convolution computes. */
export const MOST_ACROSS = 16, MOST_DOWN = 4;
/** The most multiply-adds for one output, taps times the places of a pool's window, that are unrolled. */
export const MOST_UNROLLED = 256;

/** An estimate of the time that a tile takes, in multiply-adds. */
function cost(tile: Tile, { profile }: Device): number {
  const { workgroup, lanes, load, registers, body } = profile, { dispatches = 1 } = tile;
  const rounds = dispatches *
    Math.max(1, Math.ceil(tile.invocations / dispatches / workgroup) * workgroup / lanes);
  const excess = Math.max(1, tile.registers / registers, tile.body / body);
  // What one invocation after the other does, and what they all read and write again: parts that are summed.
  const own = rounds * (tile.loads * load + tile.multiplyAdds) * excess ** 4,
    again = (tile.partial ?? 0) / lanes * load;
  return own * (tile.shared ? sharedFactor(tile.invocations / tile.shared, profile) : 1) + again;
}

/** How many times the estimate a tile of `groups` workgroups costs that they compute together: few of them leave most of the device idle. */
function sharedFactor(groups: number, { barrier, groups: enough }: Profile): number {
  return barrier * Math.max(1, enough / groups);
}

/** The tile to run `node` with: measured to be the fastest, or the one that should be. Too large ones only where all are. */
export function choose<T extends Tile>(node: Node, tiles: readonly T[], device: Device): T {
  const costs = new Map(tiles.map((tile) => [tile, cost(tile, device)]));
  const sorted = tiles.toSorted((a, b) => costs.get(a)! - costs.get(b)!);
  return device.variants.take(node, sorted, sorted[0] && costs.get(sorted[0]));
}

/** The sizes up to `most` of a tile along `extent` that leave no remainder. */
export function divisors(extent: number, most: number): number[] {
  const found: number[] = [];
  for (let size = 1; size <= most && size * size <= extent; size++) {
    if (extent % size === 0) found.push(size, extent / size);
  }
  return [...new Set(found)].filter((size) => size <= most).sort((a, b) => a - b);
}

/** The same, and one size of 4 for extents that have no such divisors. */
export function sizes(extent: number, most: number): number[] {
  const found = divisors(extent, most);
  return found.length === 1 && extent > 4 ? [1, 4] : found;
}

/** What kind of loads an input gets, dealt out to `count` dispatches: see `src/gpu/uniforms.ts`. */
export function loadsOf(input: Value, { profile }: Device, count = 1): "storage" | "uniform" {
  return input.bytes / count <= profile.uniformBytes ? "uniform" : "storage";
}

/** How dear a load of an element of `input` is, against one from a storage buffer. */
export function dearness(input: Value, device: Device, count = 1): number {
  return loadsOf(input, device, count) === "uniform" ? Math.ceil(input.bytes / count / UNIFORM_BYTES) / 8 : 1;
}

/** The elements that one load of a row may bring: rows, and the steps along them, must be multiples of it. */
export function vectorOf(row: number, step: number, loads: "storage" | "uniform"): 1 | 2 | 4 {
  // Vectors gain nothing in uniform buffers.
  if (loads === "uniform") return 1;
  return row % 4 === 0 && step % 4 === 0 ? 4 : row % 2 === 0 && step % 2 === 0 ? 2 : 1;
}

/** How many times cheaper an element is in such a load. */
export const LOAD_GAIN = { 1: 1, 2: 1.5, 4: 2.1 };

/** The constants that choose between a kernel's narrow and wide loads. */
export function wideConstants(vector: 1 | 2 | 4): Readonly<Record<string, number | boolean | string>> {
  return vector === 1 ? {} : { NARROW: false, WIDE: true, VECTOR: vector, V: `vec${vector}f` };
}
