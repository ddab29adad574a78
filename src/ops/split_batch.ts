/**
 * Dealing a batch out to several dispatches of one kernel, so that the part of a large input that each reads fits a uniform
 * buffer, where loads from those are cheap: on software drivers (`src/gpu/uniforms.ts`). A dispatch costs less than that
 * saves.
 *
 * @module
 */
import type { Storage } from "../backend/webgpu/memory.ts";
import { MOST_WINDOWS, UNIFORM_BYTES } from "../wgsl/uniforms.ts";
import type { Device, Dispatch, Target, Value } from "../graph/node.ts";
import { divisors } from "./tiling.ts";

/** The most dispatches that one is dealt out to. */
const MOST = 128;

/**
 * The number of dispatches for a batch of `n`: the least for which the parts of all `inputs` fit one window, or else two,
 * or four; 1 where nothing fits. The parts of `inputs` and `outputs` must begin where a buffer may be bound.
 */
export function chunksOf(
  n: number,
  inputs: readonly Value[],
  outputs: readonly { readonly bytes: number }[],
  device: Device,
): number {
  if (device.profile.uniformBytes === 0 || inputs.every(({ bytes }) => bytes <= UNIFORM_BYTES)) return 1;
  const aligned = (count: number) =>
    [...inputs, ...outputs].every(({ bytes }) => bytes / count % device.alignment === 0);
  for (let windows = 1; windows <= MOST_WINDOWS; windows *= 2) {
    const fits = (count: number) => inputs.every(({ bytes }) => bytes / count <= UNIFORM_BYTES * windows);
    const count = divisors(n, Math.min(n, MOST)).find((count) => fits(count) && (count === 1 || aligned(count)));
    if (count) return count;
  }
  return 1;
}

/** How a product is dealt out: its rows, its columns, or both. */
export interface Blocks {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The blocks of rows and columns of c [M, N] = a [M, K] b [N, K]ᵀ, so that those of a and b fit few windows: one of each,
 * if that takes no more than `MOST` dispatches. What does not lie so is not dealt out.
 */
export function blocksOf(a: Dealt, b: Dealt, n: number, device: Device): Blocks {
  if (device.profile.uniformBytes === 0) return { rows: 1, columns: 1 };
  for (let windows = 1; windows <= MOST_WINDOWS; windows *= 2) {
    const least = ({ bytes, extent, apart }: Dealt, fits: (size: number) => boolean) =>
      bytes <= UNIFORM_BYTES * windows || !apart
        ? 1
        : divisors(extent, extent).find((count) =>
          bytes / count <= UNIFORM_BYTES * windows && bytes / count % device.alignment === 0 && fits(extent / count)
        ) ?? 1;
    const rows = least(a, (size) => size * n * 4 % device.alignment === 0);
    const columns = least(b, (size) => size % 4 === 0 && size * 4 % device.alignment === 0);
    if (rows * columns <= MOST) return { rows, columns };
  }
  return { rows: 1, columns: 1 };
}

interface Dealt {
  readonly bytes: number;
  /** Rows, or columns of the result. */
  readonly extent: number;
  /** They lie one after the other. */
  readonly apart: boolean;
}

/** What a part of the work, the `i`-th of `count`, reads or writes of what a whole dispatch binds. */
type Cut = (place: Storage, i: number) => Storage;

/** `dispatch` as `count` dispatches. `cuts` say what each binds, by the binding; null where all bind the whole. */
export function deal(
  dispatch: Dispatch,
  count: number,
  cuts: readonly (Cut | null)[],
  target: Target,
): Dispatch[] {
  if (count === 1) return [dispatch];
  const places = dispatch.bindings.map((bound) => "block" in bound ? bound : target.place(bound));
  return Array.from({ length: count }, (_, i) => ({
    ...dispatch,
    bindings: places.map((place, at) => cuts[at]?.(place, i) ?? place),
  }));
}

/** The parts of a batch. */
export const imagesOf = (count: number): Cut => (place, i) => part(place, i, count);

/** The rows and columns of a product's blocks, and what lies like the product, whose blocks are `width` columns wide. */
export function cutsOf({ rows, columns }: Blocks, width: number): Readonly<Record<"row" | "column" | "block", Cut>> {
  const row: Cut = (place, i) => part(place, i % rows, rows);
  return {
    row,
    column: (place, i) => part(place, Math.floor(i / rows), columns),
    block(place, i) {
      const { block, offset, size } = row(place, i), shift = Math.floor(i / rows) * width * 4;
      return { block, offset: offset + shift, size: size - shift };
    },
  };
}

function part({ block, offset, size }: Storage, i: number, count: number): Storage {
  return { block, offset: offset + size / count * i, size: size / count };
}
