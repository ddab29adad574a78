/**
 * Selects the backend; nothing else does. A process has one at a time.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { Backend } from "./backend.ts";
import type { DeviceOptions } from "./options.ts";
import { openWebGpu } from "./webgpu/open.ts";

let current: Promise<Backend> | null = null;
let ready: Backend | null = null;
/** What the backend was opened with. */
let asked: DeviceOptions = {};

/**
 * The backend of this process, opened at the first call.
 *
 * @throws {GpuError} if there is no adapter, or it lacks what wgrad needs.
 * @throws {UsageError} if `options` ask for an adapter that is not there, or a backend is open already.
 */
export function requestBackend(options: DeviceOptions = {}): Promise<Backend> {
  if (current && (options.adapter || options.backend)) {
    throw new UsageError("the GPU device exists already: call init() before the first tensor is computed");
  }
  if (current) return current;
  const all = { ...asked, ...options };
  return current = openWebGpu(all).then((backend) => {
    asked = all;
    return ready = backend;
  }, (error) => {
    current = null;
    throw error;
  });
}

/**
 * Gives up a backend that has failed: the next `requestBackend()` opens a new one with the same options. What was in the
 * old one's memory is lost.
 */
export function forgetBackend(): void {
  ready?.close();
  current = ready = null;
}

/** The backend, if `requestBackend()` has resolved. */
export function currentBackend(): Backend | null {
  return ready;
}
