/**
 * Convolutions as products whose workgroups stage both operands in workgroup memory: the family for GPUs, beside the one
 * that keeps everything in registers. Operands are gathered while they are staged; the matrix of patches is never written.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import type { Device, Dispatch, Value } from "../../graph/node.ts";
import type { Constants, Kernel } from "../../wgsl/specialize.ts";
import { sharedConstants, type SharedTile, sharedTiles } from "../matmul/shared.ts";
import { chunkCounts } from "../reduce/chunks.ts";
import { linearGrid } from "../shape/shape.ts";

const convKernel = shader("conv/conv2d_shared.wgsl");
const weightKernel = shader("conv/conv2d_grad_weight_shared.wgsl");

/** The fewest terms of a chunk of a weight's gradient, and how many times more chunks each split has than the one before. */
const LEAST = 64, FACTOR = 4;

/** The tiles of a convolution to `y`, each of whose elements is a sum of `terms` products. */
export function sharedConvTiles(y: Value, groups: number, terms: number, device: Device): SharedTile[] {
  const [n, channels, h, w] = y.shape as [number, number, number, number];
  return sharedTiles(groups, channels / groups, n * h * w, terms, device);
}

/** The dispatch of a convolution. */
export function sharedConv(bindings: readonly Value[], constants: Constants, tile: SharedTile): Dispatch {
  return dispatchOf(convKernel, bindings, constants, tile);
}

/** A tile of a weight's gradient, whose sums are split into chunks. */
export interface SharedWeightTile extends SharedTile {
  readonly chunks: number;
}

/** The tiles of a weight's gradient from `dy`, for `weights` weights of each output channel. */
export function sharedWeightTiles(dy: Value, groups: number, weights: number, device: Device): SharedWeightTile[] {
  const [n, channels, h, w] = dy.shape as [number, number, number, number], terms = n * h * w;
  return chunkCounts(terms, { factor: FACTOR, least: LEAST }).flatMap((chunks) => {
    const tiles = sharedTiles(groups * chunks, channels / groups, weights, Math.ceil(terms / chunks), device);
    const partial = chunks === 1 ? 0 : chunks * channels * weights;
    return tiles.map((tile) => ({ ...tile, name: `${tile.name} of ${chunks}`, chunks, partial }));
  });
}

/** The dispatch of a weight's gradient. */
export function sharedWeight(bindings: readonly Value[], constants: Constants, tile: SharedWeightTile): Dispatch {
  return dispatchOf(weightKernel, bindings, { ...constants, PARTS: tile.chunks }, tile);
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
