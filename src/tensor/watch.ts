/**
 * What `compile()` must know of tensors while it records a step: which values they hold, and which of them change.
 *
 * @module
 */
import type { Value } from "../graph/node.ts";
import type { Tensor } from "./tensor.ts";

/** The tensor that holds a value, for `compile()`. */
export const holders = new WeakMap<Value, Tensor>();

/** What `compile()` watches while it records. */
export interface Watcher {
  /** `tensor` is about to get another value or gradient. */
  changes(tensor: Tensor): void;
  /** A gradient is about to be added to that of `tensor`. */
  accumulates(tensor: Tensor): void;
}

let current: Watcher | null = null;

/** Who watches now. */
export function watcher(): Watcher | null {
  return current;
}

/** Runs `fn` under `seen`'s eyes. */
export function watch<T>(seen: Watcher, fn: () => T): T {
  const before = current;
  current = seen;
  try {
    return fn();
  } finally {
    current = before;
  }
}
