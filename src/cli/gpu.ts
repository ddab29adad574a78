/**
 * Opening the GPU for a command: which one is used is always said, and loudly where it is none.
 *
 * @module
 */
import { type Gpu, requestGpu } from "../gpu/device.ts";
import type { RunConfig } from "../train/config.ts";
import type { Output } from "./output.ts";

/** The largest batch whose kernels are small: measured with LeNet on two cores, where the driver's threads pay off from 8. */
const SMALL_BATCH = 7;

/** Opens the GPU that the flags ask for, for steps of `batchSize` images. Throws `GpuError` or `UsageError` where there is no such. */
export async function openGpu(
  { adapter, backend, batchSize = Infinity }: Pick<RunConfig, "adapter" | "backend"> & {
    readonly batchSize?: number | undefined;
  },
  output: Output,
): Promise<Gpu> {
  const gpu = await requestGpu({
    ...(adapter ? { adapter } : {}),
    ...(backend ? { backend } : {}),
    smallKernels: batchSize <= SMALL_BATCH,
  });
  if (gpu.adapter.cpu) output.warn(`NOTE: no GPU is used: ${gpu.adapter.name} is a SOFTWARE driver on the processor`);
  else output.say(`adapter: ${gpu.adapter.name}`);
  return gpu;
}
