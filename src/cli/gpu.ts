/**
 * Opening the GPU for a command: which one is used is always said, and loudly where it is none.
 *
 * @module
 */
import { type Gpu, requestGpu } from "../gpu/device.ts";
import type { RunConfig } from "../train/config.ts";
import type { Output } from "./output.ts";

/** Opens the GPU that the flags ask for. Throws `GpuError` or `UsageError` where there is no such. */
export async function openGpu(
  { adapter, backend }: Pick<RunConfig, "adapter" | "backend">,
  output: Output,
): Promise<Gpu> {
  const gpu = await requestGpu({ ...(adapter ? { adapter } : {}), ...(backend ? { backend } : {}) });
  if (gpu.adapter.cpu) output.warn(`NOTE: no GPU is used: ${gpu.adapter.name} is a SOFTWARE driver on the processor`);
  else output.say(`adapter: ${gpu.adapter.name}`);
  return gpu;
}
