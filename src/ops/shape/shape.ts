/**
 * Shapes: what every op's function checks first, broadcasting, strides, and the grid of a dispatch. No op is here.
 *
 * @module
 */
import { ShapeError } from "../../errors.ts";
import type { DType, Shape, Value } from "../../graph/node.ts";
import { describe } from "../options.ts";

/** The most dimensions that a kernel walks, after neighbours that every operand walks as one are merged. */
const MAX_WALK = 6;

/** Workgroups for `count` invocations, one each: along x, and along y where x does not suffice. */
export function linearGrid(count: number, perGroup = 64): [number, number, number] {
  const groups = Math.ceil(count / perGroup), y = Math.ceil(groups / 65535);
  return [Math.ceil(groups / y), y, 1];
}

/** A shape as messages show it: "[2, 3]". */
export const text = (shape: Shape): string => `[${shape.join(", ")}]`;

/** @throws {ShapeError} where `value` is not of `dtype`; it begins with `action`. */
export function requireType(value: Value, dtype: DType, action: string): void {
  if (value.dtype !== dtype) throw new ShapeError(`${action}: expected a tensor of ${dtype}, got ${value.dtype}`);
}

/** Refuses numbers that are not in an array. (PyTorch also accepts them as separate arguments.) */
export function requireList(numbers: readonly number[], action: string): void {
  if (!Array.isArray(numbers)) {
    throw new ShapeError(`${action}: expected an array of numbers, got ${describe(numbers)}`);
  }
}

/** Checks a shape that a caller gave. Extents are positive integers: tensors without elements are not supported. */
export function checkShape(shape: Shape, action: string): void {
  requireList(shape, action);
  if (shape.some((extent) => !Number.isInteger(extent) || extent < 1)) {
    throw new ShapeError(`${action}: ${text(shape)} is no shape: extents must be integers of 1 or more`);
  }
}

/** `dim` counted from the front. */
export function axis(dim: number, rank: number, action: string): number {
  if (!Number.isInteger(dim) || dim < -Math.max(rank, 1) || dim >= Math.max(rank, 1)) {
    throw new ShapeError(`${action}: dimension ${dim} is out of range for a tensor of ${rank} dimensions`);
  }
  return dim < 0 ? dim + Math.max(rank, 1) : dim;
}

/** The shape of the result when `a` and `b` are broadcast together. */
export function broadcast(a: Shape, b: Shape, action: string): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1, n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new ShapeError(`${action}: ${text(a)} and ${text(b)} do not broadcast`);
    return Math.max(m, n);
  });
}

/** The distance in elements between neighbours along each dimension. */
export function strides(shape: Shape): number[] {
  const result = new Array<number>(shape.length);
  for (let i = shape.length - 1, stride = 1; i >= 0; i--) {
    result[i] = stride;
    stride *= shape[i]!;
  }
  return result;
}

/** The strides with which `shape` is walked as `to`: 0 along dimensions that are broadcast. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = strides(shape), lead = to.length - shape.length;
  return to.map((extent, i) => i < lead || (shape[i - lead] === 1 && extent !== 1) ? 0 : own[i - lead]!);
}

/** Extents of a walk, and for each operand its strides, padded to `MAX_WALK` dimensions, outermost first. */
export interface Walk {
  readonly dims: readonly number[];
  readonly strides: readonly (readonly number[])[];
  /** The dimensions that are used, counted from the innermost. */
  readonly rank: number;
}

/** Merges neighbouring dimensions that every operand walks as one. */
export function walk(shape: Shape, operands: readonly (readonly number[])[], action: string): Walk {
  const dims: number[] = [], merged = operands.map(() => [] as number[]);
  shape.forEach((extent, i) => {
    if (extent === 1) return;
    const last = dims.length - 1;
    if (last >= 0 && operands.every((own, k) => merged[k]![last] === own[i]! * extent)) {
      dims[last]! *= extent;
      operands.forEach((own, k) => merged[k]![last] = own[i]!);
    } else {
      dims.push(extent);
      operands.forEach((own, k) => merged[k]!.push(own[i]!));
    }
  });
  if (dims.length > MAX_WALK) {
    throw new ShapeError(`${action}: ${text(shape)} needs more than ${MAX_WALK} dimensions that cannot be merged`);
  }
  const pad = (list: number[], by: number) => [...new Array<number>(MAX_WALK - list.length).fill(by), ...list];
  return { dims: pad(dims, 1), strides: merged.map((own) => pad(own, 0)), rank: Math.max(1, dims.length) };
}
