/**
 * Choosing the device, where the default will not do.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { type AdapterDescription, type DeviceOptions, requestGpu } from "../backend/webgpu/device.ts";
import { checkOptions } from "../ops/options.ts";

/**
 * Opens the GPU. Needed only to choose an adapter or backend, or to learn its name: the first `data()` opens it otherwise.
 *
 * @throws {GpuError} where there is none, or it lacks what wgrad needs.
 */
export async function init(options: DeviceOptions = {}): Promise<AdapterDescription> {
  checkOptions(options, { adapter: "NVIDIA", backend: "vulkan" }, "init", UsageError);
  return (await requestGpu(options)).adapter;
}
