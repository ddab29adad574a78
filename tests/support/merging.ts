/**
 * Programs with their dispatches merged, or not, whatever the device.
 *
 * @module
 */
import { requestBackend } from "../../src/backend/request.ts";

/** Runs `fn`, whose programs merge as `forced` says; null leaves it to the device. */
export async function withMerging<T>(forced: boolean | null, fn: () => Promise<T>): Promise<T> {
  const backend = await requestBackend(), before = backend.mergeSmall;
  backend.mergeSmall = forced;
  try {
    return await fn();
  } finally {
    backend.mergeSmall = before;
  }
}
