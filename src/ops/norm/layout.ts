/**
 * How a normalisation sees x, and how its sums are split among workgroups.
 *
 * @module
 */
import type { Dispatch } from "../../graph/node.ts";
import type { Constants } from "../../wgsl/specialize.ts";
import { evenChunks, type Split } from "../reduce/chunks.ts";
import { linearGrid } from "../shape/shape.ts";

/** How x is seen: [outer, sets, inner] for the statistics, and […, channels, plane] for the weight and the bias. */
export interface Layout {
  readonly outer: number;
  readonly sets: number;
  readonly inner: number;
  readonly channels: number;
  readonly plane: number;
}

/** The fewest elements of an invocation, the most invocations of a workgroup, and how many workgroups fill a device. */
const LEAST = 8, LANES = 256, ENOUGH = 2048;
/** The most chunks of a set, whose results are combined one after the other. */
const MAX_CHUNKS = 64;

const powerOf2 = (least: number) => 2 ** Math.ceil(Math.log2(least));

/** How the sums over sets are split among workgroups: see `norm/norm_stats.wgsl`. */
export interface Work extends Split {
  /** The invocations that share a chunk of a set, and the sets of a workgroup. */
  readonly lanes: number;
  readonly across: number;
}

/** The work of sums over `sets` sets of outer × inner elements, which may be vectors. */
export function workOf(outer: number, sets: number, inner: number): Work {
  const count = outer * inner, wanted = Math.min(powerOf2(Math.ceil(count / 4)), LANES);
  // Neighbouring invocations load neighbouring elements: of one set, or, where a set has few of those, of several.
  const strided = inner < 16 && outer > 1;
  const across = Math.min(powerOf2(sets), strided ? 32 : Math.max(1, 64 / wanted));
  const lanes = Math.min(wanted, LANES / across), groups = Math.ceil(sets / across);
  const most = Math.max(1, Math.min(Math.floor(count / (LEAST * lanes)), Math.ceil(ENOUGH / groups), MAX_CHUNKS));
  return { ...evenChunks(count, most), lanes, across };
}

/** The grid of a kernel that computes these sums. */
export const gridOf = ({ chunks, across }: Work, sets: number): Grid =>
  linearGrid(Math.ceil(sets / across) * chunks, 1);

type Grid = Dispatch["grid"];
type Channels = Pick<Layout, "channels" | "plane">;

/** The elements that one load brings: 4 where a set has that many in a row, with one weight or four of them in a row. */
export function vectorOf(inner: number, { channels, plane }: Channels): 1 | 4 {
  return inner % 4 === 0 && (plane % 4 === 0 || (plane === 1 && channels % 4 === 0)) ? 4 : 1;
}

/** The constants by which a kernel finds the channel of an element, which is a vector of `vector` numbers. */
export function channelConstants({ channels, plane }: Channels, vector: 1 | 4): Constants {
  const [V, W] = vector === 1 ? ["f32", "f32"] : ["vec4f", plane === 1 ? "vec4f" : "f32"];
  const wide = W === "vec4f";
  return { V, W, CHANNELS: wide ? channels / 4 : channels, PLANE: wide ? 1 : plane / vector };
}
