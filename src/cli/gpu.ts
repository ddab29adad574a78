/**
 * Opening the GPU for a command: which one is used is always said, and loudly where it is none.
 *
 * @module
 */
import { type Gpu, requestGpu } from "../gpu/device.ts";
import type { RunConfig } from "../train/config.ts";
import { loadChoices, saveChoices } from "../train/choices.ts";
import { offersOf, tune, type Tuned } from "../train/tuner.ts";
import { variantsOf } from "../graph/variants.ts";
import type { Output } from "./output.ts";

/** The largest batch whose kernels are small: measured with LeNet on two cores, where the driver's threads pay off from 8. */
const SMALL_BATCH = 7;

/** Opens the GPU that the flags ask for, for steps of `batchSize` images. Throws `GpuError` or `UsageError` where there is no such. */
export async function openGpu(
  { adapter, backend, batchSize = Infinity, tune = "auto" }: Pick<RunConfig, "adapter" | "backend"> & {
    readonly batchSize?: number | undefined;
    readonly tune?: RunConfig["tune"];
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
  if (tune !== "off") await loadChoices(gpu, output.warn);
  return gpu;
}

/** The milliseconds that a first run may spend on tuning by itself. */
const FIRST_RUN = 5000;

/**
 * Tunes the kernels that `plan` asks for, as `--tune` says, and keeps the choices. On a software driver `auto` uses what
 * was tuned before, and tunes nothing: its kernels compile for longer than they would gain, and its runs stay the same
 * bits wherever they are made.
 */
export async function tuneFor(
  gpu: Gpu,
  mode: RunConfig["tune"],
  plan: () => Promise<unknown>,
  output: Output,
): Promise<Tuned[]> {
  if (mode === "off" || (mode === "auto" && gpu.adapter.cpu)) return [];
  const { chosen } = variantsOf(gpu), offers = await offersOf(gpu, plan);
  const open = mode === "full" ? offers : offers.filter(({ key }) => !chosen.has(key));
  if (open.length === 0) return [];
  const start = performance.now();
  output.say(`tuning ${open.length} kernels for ${gpu.adapter.name}${mode === "auto" ? ", for 5 s at most" : ""}`);
  const tuned = await tune(gpu, open, {
    progress: output.progress,
    ...(mode === "auto" ? { budget: FIRST_RUN } : { candidates: 16 }),
  });
  for (const { key, name, refused } of tuned) {
    if (refused.length > 0) {
      output.warn(`warning: ${key.split(" ")[0]}: refused ${refused.join(", ")}; ${name} is used`);
    }
  }
  if (tuned.length > 0) await saveChoices(gpu, output.warn);
  const changed = tuned.filter(({ before, after }) => after < before).length;
  output.say(
    `tuned ${tuned.length} kernels in ${((performance.now() - start) / 1000).toFixed(1)} s: ${changed} chosen anew`,
  );
  return tuned;
}
