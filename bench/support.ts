/**
 * What the benchmarks of this folder share. `deno bench -A bench/` runs them, for comparing two versions of a kernel with
 * each other: an iteration is several runs and one wait for the GPU, which alone takes some 10 ms in Deno. `wgrad bench`
 * is the one to ask for rates.
 *
 * @module
 */
import { requestGpu } from "../src/backend/webgpu/device.ts";
import { wait } from "../src/tune/timing.ts";

/** What can be benchmarked: see `BenchCase`. */
export interface Subject {
  readonly name: string;
  check(): Promise<void>;
  run(times: number): Promise<void>;
}

/** Checks `one` against the CPU, then registers a benchmark of `times` runs. */
export async function register(one: Subject, times: number): Promise<void> {
  const gpu = await requestGpu();
  await one.check();
  Deno.bench({
    name: `${one.name} (${times} times)`,
    n: 10,
    warmup: 2,
    async fn() {
      await one.run(times);
      await wait(gpu);
    },
  });
}
