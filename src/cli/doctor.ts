/**
 * `wgrad doctor`: what this machine has, whether kernels compute the right thing on it, and what to do about what is
 * missing. Touches no network.
 *
 * @module
 */
import { join } from "node:path";
import { cacheFolder, checkFiles } from "../data/cache.ts";
import { CIFAR10_FILES, CIFAR10_FOLDER } from "../data/cifar.ts";
import { GpuError, WgradError } from "../errors.ts";
import { type Gpu, remedy, requestGpu } from "../gpu/device.ts";
import { benchStep } from "../train/bench_step.ts";
import { selfTestCases } from "../train/bench_kernels.ts";
import { SETTINGS } from "../train/settings.ts";
import { VERSION } from "../version.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";

type Device = Extract<typeof SETTINGS[number], { name: "adapter" | "backend" }>;

/** Something that is not as it should be. */
interface Finding {
  readonly what: string;
  /** What to do about it: a sentence, with the command where there is one. */
  readonly remedy: string;
  /** Training cannot work until it is mended. */
  readonly fatal: boolean;
}

interface SelfTest {
  readonly name: string;
  readonly ok: boolean;
  readonly error?: string;
}

/** `wgrad doctor`. */
export const command = defineCommand({
  name: "doctor",
  summary: "Show the adapter, its limits, and what is missing",
  description:
    "Shows versions, the adapter with its limits, and the data in the cache; runs kernels and a training step " +
    "and compares their results with the CPU's; says what is missing and the command that mends it. Touches no network. " +
    "Exit code 1: training cannot work here.",
  flags: [
    ...SETTINGS.filter(({ name }) => name === "adapter" || name === "backend") as unknown as Device[],
    {
      name: "json",
      kind: "boolean",
      help: "End stdout with one JSON object; all else goes to stderr",
      group: "Output",
    },
  ],
  examples: [
    ["wgrad doctor", "Look whether training can work here"],
    ["wgrad doctor --backend gl --json", "Look at another graphics interface, as JSON"],
  ],
  async run({ values: { adapter, backend, json } }): Promise<number> {
    const { result: say, json: end } = new Output({ json });
    const findings: Finding[] = [];
    const { os, arch } = Deno.build, { deno, v8 } = Deno.version;
    say(`versions: wgrad ${VERSION}, Deno ${deno}, V8 ${v8}, on ${os} ${arch}`);
    const chosen = backend ?? (Deno.env.get("DENO_WEBGPU_BACKEND") || null);
    let gpu: Gpu | null = null;
    try {
      gpu = await requestGpu({ ...(adapter ? { adapter } : {}), ...(backend ? { backend } : {}) });
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
      findings.push(split(error));
    }
    const found = gpu ? describe(gpu, chosen, say) : null;
    if (gpu?.adapter.cpu) {
      findings.push({
        what:
          "the adapter is a SOFTWARE driver: kernels run on the processor, many times slower than on a graphics card",
        remedy: "where there is a card, install its Vulkan driver; `wgrad doctor --adapter NAME` tries another adapter",
        fatal: false,
      });
    }
    if (!gpu) say("adapter: none");
    const selfTest = gpu ? await testKernels(say) : [];
    for (const { name, error } of selfTest.filter(({ ok }) => !ok)) {
      findings.push({
        what: `self test: ${error ?? name}`,
        remedy: "update the graphics driver, or try another one with --backend or --adapter",
        fatal: true,
      });
    }
    const cache = await inspectCache(say, findings);
    for (const { what, remedy, fatal } of findings) {
      say(`${fatal ? "PROBLEM" : "note"}: ${what}`);
      say(`  what to do: ${remedy}`);
    }
    const ok = !findings.some(({ fatal }) => fatal);
    say(ok ? "training can work here" : "training cannot work here");
    end({ ok, versions: { wgrad: VERSION, deno, v8, os, arch }, adapter: found, selfTest, cache, findings });
    return ok ? 0 : 1;
  },
});

/** What is wrong, apart from what to do about it. */
function split({ message }: GpuError): Finding {
  const cure = remedy();
  if (message.endsWith(`: ${cure}`)) return { what: message.slice(0, -cure.length - 2), remedy: cure, fatal: true };
  return { what: message, remedy: "update its driver, or try another one with --backend or --adapter", fatal: true };
}

/** Names of makers, by the identifiers that Vulkan and DirectX have for them. */
const VENDORS: Readonly<Record<number, string>> = {
  0x1002: "AMD",
  0x1010: "Imagination",
  0x106b: "Apple",
  0x10de: "NVIDIA",
  0x13b5: "Arm",
  0x1414: "Microsoft",
  0x1ae0: "Google",
  0x5143: "Qualcomm",
  0x8086: "Intel",
  0x10005: "Mesa",
};

/** What an adapter may be driven through where nothing was asked for; Deno does not tell which it took. */
const BACKENDS: Readonly<Record<string, string>> = {
  linux: "vulkan, or gl where there is no Vulkan driver",
  darwin: "metal",
  windows: "dx12 or vulkan",
};

/** The limits that decide what fits. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

function describe(gpu: Gpu, backend: string | null, say: (line: string) => void) {
  const { name, vendor: id, architecture, cpu } = gpu.adapter;
  const vendor = VENDORS[Number(id)] ?? id;
  say(`adapter: ${name}${cpu ? " (a software driver)" : ""}`);
  say(`  vendor: ${vendor || "unknown"}${architecture ? `, ${architecture}` : ""}`);
  say(`  backend: ${backend ?? `the system's own (${BACKENDS[Deno.build.os] ?? "vulkan"})`}`);
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, gpu.device.limits[limit]]));
  for (const [limit, value] of Object.entries(limits)) say(`  ${limit}: ${value}`);
  const timestamps = gpu.device.features.has("timestamp-query");
  say(`  timestamp queries: ${timestamps ? "yes" : "no"}`);
  return { name, vendor, architecture, cpu, backend, limits, timestamps };
}

/** Runs each kernel of the self test, and a training step, against the CPU. */
async function testKernels(say: (line: string) => void): Promise<SelfTest[]> {
  const cases = [
    ...selfTestCases().map((make) => () => make()),
    () => ({ name: "training step of lenet, batch 3", ...benchStep("lenet", 3) }),
  ];
  const results: SelfTest[] = [];
  for (const make of cases) {
    const one = make();
    try {
      await one.check();
      results.push({ name: one.name, ok: true });
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
      results.push({ name: one.name, ok: false, error: error.message });
      continue; // The device may be lost: nothing more is asked of it for this case.
    }
    await one.dispose();
  }
  const right = results.filter(({ ok }) => ok).length;
  say(`self test: ${right} of ${results.length} results are those of the CPU`);
  return results;
}

/** The cache folder, and the state of CIFAR-10 in it: every file's size and checksum. */
async function inspectCache(say: (line: string) => void, findings: Finding[]) {
  const fetch = "`wgrad data fetch` gets it once (`wgrad train` does so by itself); `--data synthetic` needs none";
  try {
    const folder = cacheFolder(), faults = await checkFiles(join(folder, CIFAR10_FOLDER), CIFAR10_FILES);
    const missing = faults.filter(({ kind }) => kind === "missing").length;
    const state = faults.length === 0
      ? "verified"
      : missing === CIFAR10_FILES.length
      ? "missing"
      : missing === faults.length
      ? "incomplete"
      : "damaged";
    say(`cache: ${folder}`);
    say(`  CIFAR-10: ${state}`);
    if (state === "missing") findings.push({ what: "CIFAR-10 is not in the cache", remedy: fetch, fatal: false });
    else if (state !== "verified") {
      findings.push({ what: `CIFAR-10 in the cache: ${faults[0]!.text}`, remedy: fetch, fatal: false });
    }
    return { folder, state, faults: faults.map(({ text }) => text) };
  } catch (error) {
    if (!(error instanceof WgradError)) throw error;
    say("cache: none");
    findings.push({ what: error.message, remedy: "set WGRAD_DATA to a folder for data, or pass --data", fatal: false });
    return { folder: null, state: "missing", faults: [] };
  }
}
