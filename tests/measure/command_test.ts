import { assert, assertEquals } from "@std/assert";
import { deno, wgrad } from "../project/support.ts";

const positive = (value: unknown) => typeof value === "number" && value > 0 && Number.isFinite(value);

/** The one line of stdout, as JSON. */
function only(stdout: string): Record<string, unknown> {
  assertEquals(stdout.trimEnd().split("\n").length, 1, stdout);
  return JSON.parse(stdout);
}

Deno.test("wgrad bench step --json ends with the figures of a step", async () => {
  const args = ["--model", "lenet", "--batch-size", "2", "--steps", "2", "--rounds", "1", "--json"];
  const { code, stdout, stderr } = await wgrad("bench", "step", ...args);
  assertEquals(code, 0, stderr);
  const { adapter, msPerStep, imagesPerSecond, dispatchesPerStep, ...rest } = only(stdout);
  assertEquals(rest, {});
  assert(typeof adapter === "string" && adapter !== "");
  for (const value of [msPerStep, imagesPerSecond, dispatchesPerStep]) assert(positive(value), stdout);
  assert(stderr.includes("step of lenet, batch 2: "), stderr);
});

Deno.test("wgrad bench step --profile tells the dispatches apart, and their times", async () => {
  const { code, stdout, stderr } = await wgrad("bench", "step", "--rounds", "1", "--steps", "2", "--profile", "--json");
  assertEquals(code, 0, stderr);
  const { profile, dispatchesPerStep } = only(stdout) as {
    profile: { kernel: string; workgroups: number; microseconds: number | null }[];
    dispatchesPerStep: number;
  };
  assertEquals(profile.length, dispatchesPerStep);
  for (const { kernel, workgroups, microseconds } of profile) {
    assert(kernel.includes(".wgsl") && positive(workgroups), stdout);
    // Some adapters have no timestamps, and a clock may be coarser than a small kernel.
    assert(microseconds === null || microseconds >= 0, stdout);
    assert(stderr.includes(kernel), stderr);
  }
  const known = profile.filter(({ microseconds }) => microseconds !== null);
  if (known.length > 0) assert(known.some(({ microseconds }) => positive(microseconds)), stdout);
});

Deno.test("wgrad bench kernels --json has the ceilings, and every kernel with its share of one", async () => {
  const { code, stdout, stderr } = await wgrad("bench", "kernels", "--rounds", "1", "--json");
  assertEquals(code, 0, stderr);
  const { ceilings, kernels, steps } = only(stdout) as {
    ceilings: Record<string, number>;
    kernels: { name: string; unit: string; ms: number; rate: number; share: number }[];
    steps?: unknown;
  };
  assertEquals(Object.keys(ceilings), ["gflops", "gigabytesPerSecond", "dispatchMicroseconds", "waitMs"]);
  assert(Object.values(ceilings).every(positive), stdout);
  for (
    const part of ["matmul 512", "forward", "input gradient", "weight gradient", "max-pool", "cross-entropy", "SGD"]
  ) {
    assert(kernels.some(({ name }) => name.includes(part)), part);
  }
  for (const { unit, ms, rate, share } of kernels) {
    assert(["GFLOP/s", "GB/s"].includes(unit) && [ms, rate, share].every(positive), stdout);
  }
  assertEquals(steps, undefined);
});

for (
  const [args, message] of [
    [["kernels", "--steps", "3"], "--steps belongs to `wgrad bench step`, not to `kernels`"],
    [["step", "--full"], "--full belongs to `wgrad bench kernels`, not to `step`"],
    [["step", "--batch-size", "0"], "--batch-size must be an integer from 1 to 65536, not 0; see wgrad bench --help"],
    [["stepp"], "WHAT must be one of step, kernels, not stepp (did you mean step?); see wgrad bench --help"],
    [["step", "--adapter", "no such card"], 'no adapter is named "no such card": this machine has '],
  ] as const
) {
  Deno.test(`wgrad bench ${args.join(" ")} exits 2 with one line`, async () => {
    const { code, stdout, stderr } = await wgrad("bench", ...args);
    assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], stderr);
    assert(stderr.startsWith(`error: ${message}`), stderr);
  });
}

Deno.test("deno bench runs a file of bench/", async () => {
  const { code, stdout, stderr } = await deno(
    "bench",
    "--quiet",
    "--no-check",
    "--allow-all",
    "bench/records_bench.ts",
  );
  assertEquals(code, 0, stderr);
  assert(stdout.includes("record reader, 10,000 records"), stdout);
});
