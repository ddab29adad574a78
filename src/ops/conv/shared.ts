/**
 * Convolutions as products whose workgroups stage both operands in their own memory: the family for GPUs, beside that of
 * `conv.ts`, which keeps all in registers. Operands are gathered while they are staged, never laid out.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import type { Device, Dispatch, Value } from "../../graph/node.ts";
import type { Constants, Kernel } from "../../wgsl/specialize.ts";
import { sharedConstants, type SharedTile, sharedTiles } from "../matmul/shared.ts";
import { linearGrid } from "../shape/shape.ts";

const convKernel = shader("conv/conv2d_shared.wgsl");
const weightKernel = shader("conv/conv2d_grad_weight_shared.wgsl");

/** The fewest places that a part of a weight's gradient sums: fewer are not worth a part. */
const LEAST = 64;

/** The tiles of a convolution to `y`, each of whose elements is a sum of `terms` products. */
export function sharedConvTiles(y: Value, groups: number, terms: number, device: Device): SharedTile[] {
  const [n, channels, h, w] = y.shape as [number, number, number, number];
  return sharedTiles(groups, channels / groups, n * h * w, terms, device);
}

/** The one dispatch of a convolution. */
export function sharedConv(bindings: readonly Value[], constants: Constants, tile: SharedTile): Dispatch {
  return dispatchOf(convKernel, bindings, constants, tile);
}

/** A tile of a weight's gradient, whose sums over the places are dealt out to so many parts. */
export interface SharedWeightTile extends SharedTile {
  readonly parts: number;
}

/** The tiles of a weight's gradient from `dy`, for `weights` weights of each output channel. */
export function sharedWeightTiles(dy: Value, groups: number, weights: number, device: Device): SharedWeightTile[] {
  const [n, channels, h, w] = dy.shape as [number, number, number, number], places = n * h * w;
  const found: SharedWeightTile[] = [];
  for (let parts = 1; parts === 1 || places / parts >= LEAST; parts *= 4) {
    const tiles = sharedTiles(groups * parts, channels / groups, weights, Math.ceil(places / parts), device);
    const partial = parts === 1 ? 0 : parts * channels * weights;
    found.push(...tiles.map((tile) => ({ ...tile, name: `${tile.name} of ${parts}`, parts, partial })));
  }
  return found;
}

/** The one dispatch of a weight's gradient. */
export function sharedWeight(bindings: readonly Value[], constants: Constants, tile: SharedWeightTile): Dispatch {
  return dispatchOf(weightKernel, bindings, { ...constants, PARTS: tile.parts }, tile);
}

function dispatchOf(
  kernel: Kernel,
  bindings: readonly Value[],
  constants: Constants,
  tile: SharedTile,
): Dispatch {
  const grid = linearGrid(tile.invocations, tile.shared);
  return { kernel, constants: { ...constants, ...sharedConstants(tile) }, bindings, grid };
}
