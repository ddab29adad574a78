/**
 * Programs with their dispatches merged, or not, whatever the device.
 *
 * @module
 */
import { mergeSmall } from "../../src/graph/merge.ts";

/** Runs `fn`, whose programs merge as `forced` says; null leaves it to the device. */
export async function withMerging<T>(forced: boolean | null, fn: () => Promise<T>): Promise<T> {
  const before = mergeSmall.forced;
  mergeSmall.forced = forced;
  try {
    return await fn();
  } finally {
    mergeSmall.forced = before;
  }
}
