/**
 * What `wgrad doctor` knows of the adapter: whose it is, what it is driven through, its limits and features, and what it can
 * do at best.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { makerOf, vulkanDrivers } from "../backend/webgpu/makers.ts";
import { waitCost } from "../tune/timing.ts";
import { measure, type Measured } from "../measure/bench.ts";
import { dispatchCase, fmaCase, streamCase } from "../measure/ceilings.ts";

/** What an adapter may be driven through where nothing was asked for; Deno does not tell which it took. */
const BACKENDS: Readonly<Record<string, string>> = {
  linux: "vulkan, or gl where there is no Vulkan driver",
  darwin: "metal",
  windows: "dx12 or vulkan",
};

/** The limits that decide what fits, which are shown to people. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxUniformBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
  "minStorageBufferOffsetAlignment",
];

/** An adapter, for people and bug reports. */
export interface AdapterReport {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** A software driver. */
  readonly cpu: boolean;
  /** As it was asked for; null: the system's own. */
  readonly backend: string | null;
  /** Linux: the names of Vulkan's drivers that are installed. */
  readonly drivers: readonly string[];
  /** Every limit of the adapter that is a number. */
  readonly limits: Readonly<Record<string, number>>;
  /** Of the adapter, not only those that wgrad uses. */
  readonly features: readonly string[];
  /** Whether the GPU's clock can be read. */
  readonly timestamps: boolean;
  /** The names of the other adapters that WebGPU gives. */
  readonly others: readonly string[];
}

/** Describes the adapter of `gpu`, to `say` as well. */
export async function describeAdapter(
  gpu: Gpu,
  backend: string | null,
  say: (line: string) => void,
): Promise<AdapterReport> {
  const { name, vendor: id, architecture, cpu } = gpu.adapter, all = await adapters();
  const own = all.find((one) => nameOf(one) === name), from = own ?? gpu.device;
  // The limits are properties of their class.
  const names = Object.keys(Object.getPrototypeOf(from.limits)) as (keyof GPUSupportedLimits)[];
  const limits = Object.fromEntries(names.map((key) => [key, Number(from.limits[key])]));
  const report = {
    name,
    vendor: makerOf(id),
    architecture,
    cpu,
    backend,
    drivers: await vulkanDrivers(),
    limits,
    features: [...from.features].sort(),
    timestamps: gpu.device.features.has("timestamp-query"),
    others: [...new Set(all.map(nameOf))].filter((one) => one !== name),
  };
  say(`adapter: ${name}${cpu ? " (a software driver)" : ""}`);
  say(`  vendor: ${report.vendor || "unknown"}${architecture ? `, ${architecture}` : ""}`);
  say(`  backend: ${backend ?? `the system's own (${BACKENDS[Deno.build.os] ?? "vulkan"})`}`);
  if (report.drivers.length > 0) say(`  Vulkan drivers installed: ${report.drivers.join(", ")}`);
  for (const limit of LIMITS) say(`  ${limit}: ${limits[limit] ?? "unknown"}`);
  say(`  features: ${report.features.join(", ") || "none"}`);
  say(`  timestamp queries: ${report.timestamps ? "yes" : "no"}`);
  if (report.others.length > 0) say(`other adapters: ${report.others.join(", ")}`);
  return report;
}

const nameOf = ({ info: { description, device, vendor } }: GPUAdapter) => description || device || vendor;

/** Every adapter that WebGPU gives for one request or another. */
async function adapters(): Promise<GPUAdapter[]> {
  const requests: GPURequestAdapterOptions[] = [
    { powerPreference: "high-performance" },
    { powerPreference: "low-power" },
    { forceFallbackAdapter: true },
  ];
  const found: GPUAdapter[] = [];
  for (const request of requests) {
    found.push(...[await navigator.gpu.requestAdapter(request)].filter((one) => one !== null));
  }
  return found;
}

/** Measures the ceilings in short: `wgrad bench kernels` takes more time for them. What fails is left out: the self test tells. */
export async function measureCeilings(gpu: Gpu, say: (line: string) => void): Promise<Measured[]> {
  const measured: Measured[] = [];
  try {
    const options = { rounds: 3, roundMs: 30, waitMs: await waitCost(gpu) };
    for (const one of [() => fmaCase(16384), () => streamCase(8), dispatchCase]) {
      measured.push(await measure(gpu, one(), options));
    }
  } catch (error) {
    if (!(error instanceof GpuError)) throw error;
  }
  for (const { name, rate, unit } of measured) say(`ceiling: ${name}: ${Number(rate.toPrecision(3))} ${unit}`);
  return measured;
}
