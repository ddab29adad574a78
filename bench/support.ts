/**
 * Shared by the benchmarks in this folder, which compare two versions of a kernel: run them with `deno bench -A bench/`. An
 * iteration has several runs and one wait for the GPU, because a wait alone takes about 10 ms in Deno. To measure rates, use
 * `wgrad bench`.
 *
 * @module
 */
import { requestBackend } from "../src/backend/request.ts";
import { wait } from "../src/tune/timing.ts";

/** Something that can be benchmarked; see `BenchCase`. */
export interface BenchSubject {
  readonly name: string;
  check(): Promise<void>;
  run(times: number): Promise<void>;
}

/** Checks the results against the CPU, then registers a benchmark of `times` runs. */
export async function register(subject: BenchSubject, times: number): Promise<void> {
  const gpu = await requestBackend();
  await subject.check();
  Deno.bench({
    name: `${subject.name} (${times} times)`,
    n: 10,
    warmup: 2,
    async fn() {
      await subject.run(times);
      await wait(gpu);
    },
  });
}
