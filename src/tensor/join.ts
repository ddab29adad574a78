/**
 * Joining and splitting tensors: `cat`, `stack`, `narrow`, `split`, `chunk`, as PyTorch has them.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import * as join from "../ops/shape/cat.ts";
import { describe } from "../ops/options.ts";
import * as pad from "../ops/shape/pad.ts";
import { axis, text } from "../ops/shape/shape.ts";
import { Tensor } from "./tensor.ts";
import { valueOf } from "./value_of.ts";

function valuesOf(tensors: readonly Tensor[], action: string): Value[] {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    const got = Array.isArray(tensors) ? "an empty array" : describe(tensors);
    throw new ShapeError(`${action}: expected an array of tensors, got ${got}`);
  }
  return tensors.map((one) => valueOf(one, action));
}

/**
 * The tensors, one after the other along `dim` (default 0). As `torch.cat`.
 *
 * @throws {ShapeError} where they differ in another dimension, or in type.
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return new Tensor(join.cat(valuesOf(tensors, "cat"), dim));
}

/**
 * The tensors, side by side along a new dimension `dim` (default 0). As `torch.stack`.
 *
 * @throws {ShapeError} where they differ in shape or type.
 */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return new Tensor(join.stack(valuesOf(tensors, "stack"), dim));
}

/**
 * `length` elements of `x` along `dim`, from `start` on (counted from the end if negative). As `torch.narrow`, but a
 * copy.
 *
 * @throws {ShapeError} if they are outside of `x`.
 */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  return new Tensor(pad.narrow(valueOf(x, "narrow"), dim, start, length));
}

/**
 * `x` in parts along `dim` (default 0): of this number of elements each (the last may have fewer), or of the lengths in a
 * list. As `torch.split`, but copies.
 *
 * @throws {ShapeError} where `x` has no dimensions, or lengths are no integers of 1 or more, or do not add up to the
 * extent.
 */
export function split(x: Tensor, sizes: number | readonly number[], dim = 0): Tensor[] {
  const value = valueOf(x, "split");
  if (value.shape.length === 0) throw new ShapeError("split: a tensor without dimensions has no parts");
  const own = axis(dim, value.shape.length, "split"), extent = value.shape[own]!;
  const listed: readonly number[] = typeof sizes === "number" ? [sizes] : sizes;
  if (!Array.isArray(listed) || listed.some((one) => !Number.isInteger(one) || one < 1)) {
    const got = Array.isArray(listed) ? text(listed) : describe(sizes);
    throw new ShapeError(`split: expected a length of 1 or more, or a list of them, got ${got}`);
  }
  const lengths = typeof sizes !== "number" ? listed : Array.from(
    { length: Math.ceil(extent / sizes) },
    (_, i) => Math.min(sizes, extent - i * sizes),
  );
  if (lengths.reduce((sum, one) => sum + one, 0) !== extent) {
    throw new ShapeError(`split: ${text(listed)} do not add up to ${extent}, the extent of dimension ${own}`);
  }
  const gradName = typeof sizes === "number" ? "SplitBackward0" : "SplitWithSizesBackward0";
  let start = 0;
  return lengths.map((length) => {
    const part = pad.narrow(value, own, start, length, gradName);
    start += length;
    return new Tensor(part);
  });
}

/**
 * `x` in at most this number of parts along `dim` (default 0), all of the same length but the last. As `torch.chunk`, but
 * copies.
 *
 * @throws {ShapeError} where `chunks` is no integer of 1 or more.
 */
export function chunk(x: Tensor, chunks: number, dim = 0): Tensor[] {
  const { shape } = valueOf(x, "chunk"), extent = shape[axis(dim, shape.length, "chunk")] ?? 0;
  if (!Number.isInteger(chunks) || chunks < 1) {
    throw new ShapeError(`chunk: expected a number of chunks of 1 or more, got ${describe(chunks)}`);
  }
  return split(x, Math.ceil(extent / chunks), dim);
}
