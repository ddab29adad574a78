/**
 * The graph's value of an argument that must be a tensor.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Value } from "../graph/node.ts";
import { describe } from "../ops/options.ts";
import { Handle } from "./handle.ts";

/** The graph's value of `x`. Throws a `ShapeError` that names `action` if `x` is not a tensor. */
export function valueOf(x: unknown, action: string): Value {
  if (!(x instanceof Handle)) throw new ShapeError(`${action}: expected a Tensor, got ${describe(x)}`);
  return x.value;
}
