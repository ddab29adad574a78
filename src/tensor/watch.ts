/**
 * What `compile()` must know of tensors while it records a step: which values they hold, and which of them change.
 *
 * @module
 */
import type { Value } from "../graph/node.ts";
import type { Handle } from "./handle.ts";

/** The tensor that holds a value, for `compile()`. */
export const holders = new WeakMap<Value, Handle>();

/** What `compile()` watches while it records. */
export interface Watcher {
  /** `tensor` is about to get another value or gradient. */
  changes(tensor: Handle): void;
  /** A gradient is about to be added to that of `tensor`. */
  accumulates(tensor: Handle): void;
}

let current: Watcher | null = null;

/** What watches now; null while no step is recorded. */
export function watcher(): Watcher | null {
  return current;
}

/** Runs `fn` while `watcher` watches. */
export function watch<T>(watcher: Watcher, fn: () => T): T {
  const before = current;
  current = watcher;
  try {
    return fn();
  } finally {
    current = before;
  }
}
