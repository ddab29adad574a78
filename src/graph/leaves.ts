/**
 * Leaves: values whose elements were given, not computed. They are uploaded when something needs them.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import { align, type Storage } from "../backend/memory.ts";
import type { Pack, Value } from "./node.ts";

/** Puts the elements of a leaf on the device, if they are not there yet, and returns where they are. */
export function upload(backend: Backend, leaf: Value): Storage {
  if (leaf.storage) return leaf.storage;
  if (!leaf.host) throw lost();
  const block = backend.allocate(leaf.pack ? leaf.pack.size : leaf.bytes);
  // All members of a pack are uploaded together.
  for (const { value, offset } of leaf.pack?.members ?? [{ value: leaf, offset: 0 }]) {
    if (!value.host) continue;
    value.storage = { block, offset, size: value.bytes };
    backend.write(value.storage, value.host);
    value.host = null;
  }
  block.release(); // Held by the values now.
  return leaf.storage!;
}

/** The error for a value whose memory was given back. */
export function lost(): ShapeError {
  return new ShapeError("a tensor that this result depends on was disposed of before it was computed");
}

/** Puts the given leaves into one block when they are uploaded, so that a kernel can treat them as one array. */
export function packLeaves(values: readonly Value[]): void {
  if (values.some((value) => !value.host || value.pack)) return;
  let size = 0;
  const members = values.map((value) => {
    const offset = size;
    size += align(value.bytes);
    return { value, offset };
  });
  const pack: Pack = { size, members };
  for (const value of values) value.pack = pack;
}
