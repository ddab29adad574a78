/**
 * What the files that `Tensor` itself is made of know of tensors.
 *
 * @module
 */
import type { DType, Shape, Value } from "../graph/node.ts";

/** A handle on a value of the graph. `Tensor` is the only kind of handle. */
export abstract class Handle {
  /** The graph's value that this handle refers to. */
  abstract get value(): Value;
  abstract get shape(): Shape;
  abstract get dtype(): DType;
  /** Whether this handle stands for `value`. */
  abstract holds(value: Value): boolean;
}
