/**
 * Choosing the device, where the default will not do.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { AdapterInfo } from "../backend/adapter.ts";
import type { DeviceOptions } from "../backend/options.ts";
import { requestBackend } from "../backend/request.ts";
import { checkOptions } from "../ops/options.ts";

/**
 * Opens the GPU. Needed only to choose an adapter or backend, or to learn its name: the first `data()` opens it otherwise.
 *
 * @throws {GpuError} where there is none, or it lacks what wgrad needs.
 */
export async function init(options: DeviceOptions = {}): Promise<AdapterInfo> {
  checkOptions(options, { adapter: "NVIDIA", backend: "vulkan" }, "init", UsageError);
  return (await requestBackend(options)).adapter;
}
