/**
 * `wgrad bench`: measures this machine's kernels and training steps.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { adapterRecord } from "../backend/adapter.ts";
import type { Backend } from "../backend/backend.ts";
import { waitCost } from "../tune/timing.ts";
import { measure, type Measured } from "../measure/bench.ts";
import { dispatchCase, fmaCase, streamCase } from "../measure/ceilings.ts";
import { kernelCases, type MakeCase } from "../measure/kernels.ts";
import { benchStep, type DispatchTime, measureStep, profileStep, type StepFigures } from "../measure/steps.ts";
import { SETTINGS } from "../config/settings.ts";
import { DEFAULT_MODEL, MODEL_NAMES, type ModelName } from "../models/registry.ts";
import { title } from "../tune/tuner.ts";
import { defineCommand, OUTPUT_FLAGS, type Parsed } from "./flags.ts";
import { openGpu, tuneFor } from "./gpu.ts";
import { Output } from "./output.ts";

type Device = Extract<typeof SETTINGS[number], { name: "adapter" | "backend" }>;

const FLAGS = [
  {
    name: "rounds",
    kind: "integer",
    min: 1,
    max: 1000,
    default: 5,
    help: "Number of measurements, of which the median counts",
  },
  {
    name: "full",
    kind: "boolean",
    help: "Also measure larger kernels, in the sizes that other frameworks are compared at",
    group: "kernels",
  },
  {
    name: "model",
    kind: "choice",
    choices: MODEL_NAMES,
    default: DEFAULT_MODEL,
    help: "Network to measure",
    group: "step",
  },
  {
    name: "batch-size",
    kind: "integer",
    min: 1,
    max: 65536,
    help: "Images per step (default: 4; without step or kernels, 4 and 128)",
    group: "step",
  },
  {
    name: "steps",
    kind: "integer",
    min: 1,
    max: 1e7,
    help: "Steps in each round, at whose end there is a wait of about 10 ms (default: half a second of steps)",
    group: "step",
  },
  {
    name: "profile",
    kind: "boolean",
    help: "List the time of each dispatch of the step, by the GPU's clock",
    group: "step",
  },
  {
    name: "tune",
    kind: "boolean",
    help: "First measure the variants of every kernel, and keep the fastest for later runs",
  },
  ...SETTINGS.filter(({ name }) => name === "adapter" || name === "backend") as unknown as Device[],
  ...OUTPUT_FLAGS,
] as const;

type Args = Parsed<typeof FLAGS>;
type Values = Args["values"];

/** The flags of one action that the other does not have. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  kernels: ["full"],
  step: ["model", "batchSize", "steps", "profile"],
};

/** `wgrad bench`. */
export const command = defineCommand({
  name: "bench",
  summary: "Measure kernels and training steps on this machine",
  description:
    "kernels measures what the adapter can do at best (multiply-adds on registers, streaming through memory, " +
    "dispatches) and how much of it single kernels reach; step measures whole training steps on a batch in GPU memory; " +
    "without either word, both in short. Before the measurement, many elements of each result are compared with those " +
    "that the CPU computes. A share of more than 100 % means that the data stay in a cache.",
  positional: [{ name: "WHAT", choices: ["step", "kernels"], optional: true, help: "step or kernels" }],
  flags: FLAGS,
  examples: [
    ["wgrad bench", "Measure both, in some 20 seconds"],
    ["wgrad bench step --batch-size 128 --steps 100 --json", "Measure LeNet's step and end with one JSON object"],
    ["wgrad bench step --profile", "See which kernels a step's time goes to"],
    ["wgrad bench --tune", "Measure the variants of every kernel, keep the fastest, and measure all again"],
    ["wgrad bench kernels --full", "Measure the kernels at larger sizes too"],
  ],
  async run({ values, positional: [what], given }: Args): Promise<number> {
    for (const [owner, keys] of Object.entries(ONLY)) {
      const stray = what === undefined || owner === what ? undefined : keys.find((key) => given.has(key));
      if (!stray) continue;
      const flag = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      throw new UsageError(`flag --${flag} belongs to \`wgrad bench ${owner}\`, not to \`${what}\``);
    }
    const output = new Output(values);
    const size = values.batchSize ?? 4;
    const gpu = await openGpu({ ...values, tune: "auto", batchSize: what === "step" ? size : undefined }, output);
    const { name: adapter, cpu } = adapterRecord(gpu.adapter);
    const sizes = what === "kernels" ? [] : what === "step" || values.batchSize ? [size] : [4, 128];
    const tuned = values.tune ? await tuneBench(gpu, values, what === "step", sizes, output) : undefined;
    if (what === "step") {
      const { msPerStep, imagesPerSecond, dispatchesPerStep } = await step(gpu, values, size, output);
      const profile = values.profile ? await dispatchTimes(values.model, size, output) : undefined;
      output.json({
        msPerStep,
        imagesPerSecond,
        dispatchesPerStep,
        adapter,
        ...(profile && { profile }),
        ...(tuned && { tuned }),
      });
      return 0;
    }
    const kernels = await measureKernels(gpu, values, output);
    const steps: StepFigures[] = [];
    if (what === undefined) {
      output.result("");
      for (const size of sizes) steps.push(await step(gpu, values, size, output));
    }
    output.json({ adapter, cpu, ...kernels, ...(what === undefined ? { steps } : {}), ...(tuned && { tuned }) });
    return 0;
  },
});

/** Measures one kind of step, and prints a line. */
async function step(
  gpu: Backend,
  { model, steps, rounds }: Values,
  batchSize: number,
  output: Output,
): Promise<StepFigures> {
  output.progress(`measuring a step of ${model}, batch ${batchSize}`);
  const figures = await measureStep(gpu, model, batchSize, { rounds, ...(steps ? { runs: steps } : {}) });
  const { msPerStep, leastMs, mostMs, imagesPerSecond, dispatchesPerStep } = figures;
  output.result(
    `step of ${model}, batch ${batchSize}: ${shown(msPerStep)} ms (${shown(leastMs)} to ${shown(mostMs)} in ` +
      `${rounds} ${rounds === 1 ? "round" : "rounds"} of ${figures.steps}), ${Math.round(imagesPerSecond)} images/s, ` +
      `${dispatchesPerStep} dispatches`,
  );
  return figures;
}

/** Tunes the kernels that will be measured, and prints the selected variants. */
async function tuneBench(
  gpu: Backend,
  { model, full }: Values,
  stepOnly: boolean,
  sizes: readonly number[],
  output: Output,
) {
  const plan = async () => {
    for (const make of stepOnly ? [] : kernelCases(full)) {
      const one = make();
      await one.run(1);
      await one.dispose();
    }
    for (const size of sizes) {
      const one = benchStep(model, size);
      await one.dispatches();
      await one.dispose();
    }
  };
  const tuned = await tuneFor(gpu, "full", plan, output);
  for (const { key, name, pick, before, after } of tuned) {
    const was = name === pick ? "as estimated" : `was ${pick}, ${before === null ? "wrong" : `${shown(before)} ms`}`;
    output.result(`${title(key)}: ${name}, ${shown(after)} ms (${was})`);
  }
  return tuned;
}

/** Prints the time of each dispatch of a step. */
async function dispatchTimes(model: ModelName, batchSize: number, output: Output): Promise<DispatchTime[]> {
  const times = await profileStep(model, batchSize, 20);
  if (times.some(({ microseconds }) => microseconds === null)) {
    output.warn("this adapter has no timestamps: --profile can only list the dispatches");
  }
  for (const { kernel, workgroups, microseconds } of times) {
    output.result(row(kernel, `${workgroups}`, microseconds === null ? "" : `${shown(microseconds)} µs`, ""));
  }
  return times;
}

interface KernelFigures extends Measured {
  /** The rate as a share of the ceiling of its unit. */
  readonly share: number;
}

/** Measures the ceilings and the kernels, and prints them. */
async function measureKernels(gpu: Backend, { rounds, full }: Values, output: Output) {
  const waitMs = await waitCost(gpu);
  const measured = async (make: MakeCase) => {
    const one = make();
    output.progress(`measuring ${one.name}`);
    return await measure(gpu, one, { rounds, waitMs });
  };
  const limits = [fmaCase, streamCase, dispatchCase];
  const before: Measured[] = [], cases: Measured[] = [], after: Measured[] = [];
  for (const make of limits) before.push(await measured(() => make()));
  for (const make of kernelCases(full)) cases.push(await measured(make));
  // A ceiling is the best rate of all, and a machine has slow moments: it is measured before and after.
  for (const make of limits) after.push(await measured(() => make()));
  const [fma, stream, dispatch] = limits.map((_, i) => {
    const both = [before[i]!, after[i]!];
    return Math.max(...both.map(({ rate, ms, leastMs }) => rate * ms / leastMs));
  }) as [number, number, number];
  const kernels: KernelFigures[] = cases.map((one) => ({
    ...one,
    share: one.rate / (one.unit === "GB/s" ? stream : fma),
  }));
  output.result("what this adapter can do at best, as measured:");
  output.result(`  ${before[0]!.name}: ${shown(fma)} GFLOP/s`);
  output.result(`  ${before[1]!.name}: ${shown(stream)} GB/s, read and written`);
  output.result(`  one dispatch after another: ${shown(1e6 / dispatch)} µs each`);
  output.result(`  one wait for the GPU: ${shown(waitMs)} ms`);
  output.result("");
  output.result(row("kernel", "ms", "rate", "of the ceiling"));
  for (const { name, ms, rate, unit, share } of kernels) {
    output.result(row(name, shown(ms), `${shown(rate)} ${unit}`, `${Math.round(share * 100)} %`));
  }
  return {
    ceilings: { gflops: fma, gigabytesPerSecond: stream, dispatchMicroseconds: 1e6 / dispatch, waitMs },
    kernels,
  };
}

function row(name: string, ms: string, rate: string, share: string): string {
  return `${name.padEnd(58)} ${ms.padStart(8)} ${rate.padStart(15)} ${share.padStart(15)}`;
}

/** A number with three significant digits. */
function shown(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
