/**
 * Opening the GPU for a command: which one is used is always said, and loudly where it is none.
 *
 * @module
 */
import { type Gpu, requestGpu } from "../backend/webgpu/device.ts";
import type { RunConfig } from "../config/settings.ts";
import { loadChoices, saveChoices } from "../tune/choices.ts";
import { offersOf, tune, type Tuned, type TuneOptions } from "../tune/tuner.ts";
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
  const tuned = tune === "off" ? 0 : await loadChoices(gpu, output.warn);
  if (tuned > 0) output.say(`kernels: ${tuned} were tuned for it earlier`);
  return gpu;
}

/** The milliseconds that a first run may spend on tuning by itself: 5 s, less what a kernel may take beyond what is foreseen. */
const FIRST_RUN = 4500;
/** The most variants of a kernel that are tried where time does not matter. */
const MOST_CANDIDATES = 24;

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
  options: Pick<TuneOptions, "now" | "open" | "time"> = {},
): Promise<Tuned[]> {
  if (mode === "off" || (mode === "auto" && !gpu.profile.tunes)) return [];
  const { chosen } = variantsOf(gpu), offers = await offersOf(gpu, plan);
  const open = mode === "full" ? offers : offers.filter(({ key }) => !chosen.has(key));
  if (open.length === 0) return [];
  const kernels = (count: number) => `${count} kernel${count === 1 ? "" : "s"}`;
  const start = performance.now();
  output.say(`tuning ${kernels(open.length)} for ${gpu.adapter.name}${mode === "auto" ? ", for 5 s at most" : ""}`);
  const tuned = await tune(gpu, open, {
    progress: output.progress,
    warn: output.warn,
    ...(mode === "auto" ? { budget: FIRST_RUN } : { candidates: MOST_CANDIDATES }),
    ...options,
  });
  if (tuned.length > 0) await saveChoices(gpu, output.warn);
  const changed = tuned.filter(({ name, pick }) => name !== pick).length, left = open.length - tuned.length;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  output.say(
    `tuned ${kernels(tuned.length)} in ${seconds} s: ${changed} chosen anew` +
      (left > 0 ? `; ${left} left as estimated${mode === "auto" ? ", for a later run to tune" : ""}` : ""),
  );
  return tuned;
}
