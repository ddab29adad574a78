/**
 * Dealing a batch out to several dispatches of one kernel, so that the part of a large input that each reads fits a uniform
 * buffer, where loads from those are cheap: on software drivers (`src/gpu/uniforms.ts`). A dispatch costs less than that
 * saves.
 *
 * @module
 */
import type { Storage } from "../gpu/memory.ts";
import { UNIFORM_BYTES } from "../gpu/uniforms.ts";
import type { Device, Dispatch, Target, Value } from "../graph/node.ts";
import { divisors } from "./tiling.ts";

/** The most dispatches that one is dealt out to. */
const MOST = 128;

/**
 * The number of dispatches for a batch of `n`: the least for which the parts of all `inputs` fit, or 1 where none does.
 * The parts of `inputs` and `outputs` must begin where a buffer may be bound.
 */
export function chunksOf(
  n: number,
  inputs: readonly Value[],
  outputs: readonly { readonly bytes: number }[],
  device: Device,
): number {
  if (!device.cpu || inputs.every(({ bytes }) => bytes <= UNIFORM_BYTES)) return 1;
  const fits = (count: number) =>
    inputs.every(({ bytes }) => bytes / count <= UNIFORM_BYTES) &&
    [...inputs, ...outputs].every(({ bytes }) => bytes / count % device.alignment === 0);
  return divisors(n, Math.min(n, MOST)).find(fits) ?? 1;
}

/** One dispatch for each part of a batch: `dealt` says which of the bindings have a part for each. */
export function deal(dispatch: Dispatch, dealt: readonly boolean[], count: number, target: Target): Dispatch[] {
  if (count === 1) return [dispatch];
  const places = dispatch.bindings.map((bound) => "block" in bound ? bound : target.place(bound));
  return Array.from({ length: count }, (_, i) => ({
    ...dispatch,
    bindings: places.map((place, at) => dealt[at] ? part(place, i, count) : place),
  }));
}

function part({ block, offset, size }: Storage, i: number, count: number): Storage {
  return { block, offset: offset + size / count * i, size: size / count };
}
