/**
 * Choosing the device, where the default will not do.
 *
 * @module
 */
import { type AdapterDescription, type DeviceOptions, requestGpu } from "../gpu/device.ts";

/**
 * Opens the GPU. Needed only to choose an adapter or backend, or to learn its name: the first `data()` opens it otherwise.
 *
 * @throws {GpuError} where there is none, or it lacks what wgrad needs.
 */
export async function init(options: DeviceOptions = {}): Promise<AdapterDescription> {
  return (await requestGpu(options)).adapter;
}
