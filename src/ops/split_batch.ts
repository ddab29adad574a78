/**
 * Splitting one dispatch of a kernel into several, each of which reads a slice of a large input that is small enough for a
 * uniform buffer. Where loads from those are cheap, as on software drivers (`src/wgsl/uniforms.ts`), that saves more than
 * the dispatches cost.
 *
 * @module
 */
import type { Storage } from "../backend/memory.ts";
import { MOST_WINDOWS, UNIFORM_BYTES } from "../wgsl/uniforms.ts";
import type { Device, Dispatch, Target, Value } from "../graph/node.ts";
import { divisors } from "./tiling.ts";

/** The most dispatches into which one is split. */
const MAX_DISPATCHES = 128;

/**
 * The number of dispatches for a batch of `n`: the smallest for which the slices of all `inputs` fit in one window of a
 * uniform buffer, or else in two, or four; 1 where none does. The slices of `inputs` and `outputs` must begin at offsets
 * at which a buffer can be bound.
 */
export function batchChunks(
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
    const counts = divisors(n, Math.min(n, MAX_DISPATCHES));
    const count = counts.find((count) => fits(count) && (count === 1 || aligned(count)));
    if (count) return count;
  }
  return 1;
}

/** The numbers of blocks into which the rows and the columns of a product are split. */
export interface Blocks {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The blocks of rows and columns of c [M, N] = a [M, K] b [N, K]ᵀ for which the slices of a and b fit in the fewest windows
 * of a uniform buffer, with at most `MAX_DISPATCHES` dispatches. An operand that is not contiguous is not split.
 */
export function productBlocks(a: Operand, b: Operand, n: number, device: Device): Blocks {
  if (device.profile.uniformBytes === 0) return { rows: 1, columns: 1 };
  for (let windows = 1; windows <= MOST_WINDOWS; windows *= 2) {
    const fewest = ({ bytes, extent, contiguous }: Operand, fits: (size: number) => boolean) =>
      bytes <= UNIFORM_BYTES * windows || !contiguous
        ? 1
        : divisors(extent, extent).find((count) =>
          bytes / count <= UNIFORM_BYTES * windows && bytes / count % device.alignment === 0 && fits(extent / count)
        ) ?? 1;
    const rows = fewest(a, (size) => size * n * 4 % device.alignment === 0);
    const columns = fewest(b, (size) => size % 4 === 0 && size * 4 % device.alignment === 0);
    if (rows * columns <= MAX_DISPATCHES) return { rows, columns };
  }
  return { rows: 1, columns: 1 };
}

/** An operand of a product. */
interface Operand {
  readonly bytes: number;
  /** The rows of a, or the columns of b. */
  readonly extent: number;
  /** Each row of a, or column of b, is contiguous, and follows the one before it. */
  readonly contiguous: boolean;
}

/** The slice of a storage that the `i`-th dispatch binds. */
type Slice = (storage: Storage, i: number) => Storage;

/** `dispatch` as `count` dispatches. `slices` say what each of them binds, by the binding; null: the whole storage. */
export function splitDispatch(
  dispatch: Dispatch,
  count: number,
  slices: readonly (Slice | null)[],
  target: Target,
): Dispatch[] {
  if (count === 1) return [dispatch];
  const storages = dispatch.bindings.map((bound) => "block" in bound ? bound : target.place(bound));
  return Array.from({ length: count }, (_, i) => ({
    ...dispatch,
    bindings: storages.map((storage, at) => slices[at]?.(storage, i) ?? storage),
  }));
}

/** The slices of a batch that is split into `count` chunks. */
export const batchSlices = (count: number): Slice => (storage, i) => slice(storage, i, count);

/**
 * The slices of a product's blocks, which are `width` columns wide: of an operand's rows, of an operand's columns, and of
 * tensors of the product's shape.
 */
export function blockSlices(
  { rows, columns }: Blocks,
  width: number,
): Readonly<Record<"row" | "column" | "block", Slice>> {
  const row: Slice = (storage, i) => slice(storage, i % rows, rows);
  return {
    row,
    column: (storage, i) => slice(storage, Math.floor(i / rows), columns),
    block(storage, i) {
      const { block, offset, size } = row(storage, i), shift = Math.floor(i / rows) * width * 4;
      return { block, offset: offset + shift, size: size - shift };
    },
  };
}

function slice({ block, offset, size }: Storage, i: number, count: number): Storage {
  return { block, offset: offset + size / count * i, size: size / count };
}
