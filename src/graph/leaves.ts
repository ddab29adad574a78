/**
 * Leaves: values whose elements were given, not computed. They reach the GPU when something needs them.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { align, allocate, type Storage, write } from "../backend/webgpu/memory.ts";
import type { Pack, Value } from "./node.ts";

/** Puts the elements of a leaf on the GPU, if they are not there yet, and returns where they are. */
export function upload(gpu: Gpu, leaf: Value): Storage {
  if (leaf.storage) return leaf.storage;
  if (!leaf.host) throw lost();
  const block = allocate(gpu, leaf.place ? leaf.place.pack.size : leaf.bytes);
  // The members of a pack come together, so that none finds its place taken by others.
  for (const { value, offset } of leaf.place?.pack.members ?? [{ value: leaf, offset: 0 }]) {
    if (!value.host) continue;
    value.storage = { block, offset, size: value.bytes };
    write(gpu, value.storage, value.host);
    value.host = null;
  }
  block.release(); // Held by the values now.
  return leaf.storage!;
}

/** The error for a value whose memory was given back. */
export function lost(): ShapeError {
  return new ShapeError("a tensor that this result depends on was disposed of before it was computed");
}

/** Makes one block of the given leaves' future storages, so that one kernel can treat them as one array. */
export function packLeaves(values: readonly Value[]): void {
  if (values.some((value) => !value.host || value.place)) return;
  let size = 0;
  const members = values.map((value) => {
    const offset = size;
    size += align(value.bytes);
    return { value, offset };
  });
  const pack: Pack = { size, members };
  for (const value of values) value.place = { pack };
}
