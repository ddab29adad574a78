/**
 * Opening the device for a command. The command always says which one is used, and warns if it is no GPU.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import { requestBackend } from "../backend/request.ts";
import type { RunConfig } from "../config/settings.ts";
import { loadChoices, saveChoices } from "../tune/choices.ts";
import { offersOf, tune, type Tuned, type TuneOptions } from "../tune/tuner.ts";
import { variantsOf } from "../graph/device.ts";
import type { Output } from "./output.ts";

/** The largest batch whose kernels are small: measured with LeNet on two cores, where the driver's threads pay off from 8. */
const SMALL_BATCH = 7;

/** Opens the device that the flags ask for, for steps of `batchSize` images. Throws `GpuError` or `UsageError` if there is none. */
export async function openGpu(
  { adapter, backend, batchSize = Infinity, tune = "auto" }: Pick<RunConfig, "adapter" | "backend"> & {
    readonly batchSize?: number | undefined;
    readonly tune?: RunConfig["tune"];
  },
  output: Output,
): Promise<Backend> {
  const gpu = await requestBackend({
    ...(adapter ? { adapter } : {}),
    ...(backend ? { backend } : {}),
    smallKernels: batchSize <= SMALL_BATCH,
  });
  if (gpu.adapter.kind === "software gpu") {
    output.warn(`NOTE: no GPU is used: ${gpu.adapter.name} is a SOFTWARE driver on the processor`);
  } else output.say(`adapter: ${gpu.adapter.name}`);
  const tuned = tune === "off" ? 0 : await loadChoices(gpu, output.warn);
  if (tuned > 0) output.say(`kernels: ${tuned} were tuned for it earlier`);
  return gpu;
}

/** The milliseconds of a first run that may go into tuning: 5 s, less what a kernel may take longer than expected. */
const FIRST_RUN = 4500;
/** The most variants of a kernel that are tried when time does not matter. */
const MOST_CANDIDATES = 24;

/**
 * Tunes the kernels that `plan` asks for, as `--tune` says, and keeps the choices. Where the profile says that tuning does
 * not pay, `auto` uses what was tuned before and tunes nothing: kernels would take longer to compile than they would gain,
 * and runs stay the same bits wherever they are made.
 */
export async function tuneFor(
  gpu: Backend,
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
