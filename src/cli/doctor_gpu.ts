/**
 * What `wgrad doctor` tells of the adapter: its maker, its drivers, its limits and features, and its highest speeds.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import { type AdapterDetails, type AdapterRecord, adapterRecord } from "../backend/adapter.ts";
import type { Backend } from "../backend/backend.ts";
import { makerOf, vulkanDrivers } from "../backend/makers.ts";
import { waitCost } from "../tune/timing.ts";
import { measure, type Measured } from "../measure/bench.ts";
import { dispatchCase, fmaCase, streamCase } from "../measure/ceilings.ts";

/** The graphics APIs that Deno may use if none was asked for. It does not tell which it uses. */
const BACKENDS: Readonly<Record<string, string>> = {
  linux: "vulkan, or gl where there is no Vulkan driver",
  darwin: "metal",
  windows: "dx12 or vulkan",
};

/** The limits that are shown to people: those that decide what fits in memory. */
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
export interface AdapterReport extends AdapterRecord, AdapterDetails {
  /** The graphics API that was asked for; null: the system's own. */
  readonly backend: string | null;
  /** Linux: the names of the installed Vulkan drivers. */
  readonly drivers: readonly string[];
}

/** Describes the adapter of `backend`, to `say` as well. @param api the graphics API that was asked for, or null. */
export async function describeAdapter(
  backend: Backend,
  api: string | null,
  say: (line: string) => void,
): Promise<AdapterReport> {
  const { name, vendor, architecture, kind } = backend.adapter;
  const report = {
    ...adapterRecord(backend.adapter),
    vendor: makerOf(vendor),
    backend: api,
    drivers: await vulkanDrivers(),
    ...await backend.describe(),
  };
  say(`adapter: ${name}${kind === "software gpu" ? " (a software driver)" : ""}`);
  say(`  vendor: ${report.vendor || "unknown"}${architecture ? `, ${architecture}` : ""}`);
  say(`  backend: ${api ?? `the system's own (${BACKENDS[Deno.build.os] ?? "vulkan"})`}`);
  if (report.drivers.length > 0) say(`  Vulkan drivers installed: ${report.drivers.join(", ")}`);
  for (const limit of LIMITS) say(`  ${limit}: ${report.limits[limit] ?? "unknown"}`);
  say(`  features: ${report.features.join(", ") || "none"}`);
  say(`  timestamp queries: ${report.timestamps ? "yes" : "no"}`);
  if (report.others.length > 0) say(`other adapters: ${report.others.join(", ")}`);
  return report;
}

/** Measures the ceilings briefly; `wgrad bench kernels` takes more time for them. What fails is left out: the self test reports it. */
export async function measureCeilings(backend: Backend, say: (line: string) => void): Promise<Measured[]> {
  const measured: Measured[] = [];
  try {
    const options = { rounds: 3, roundMs: 30, waitMs: await waitCost(backend) };
    for (const one of [() => fmaCase(16384), () => streamCase(8), dispatchCase]) {
      measured.push(await measure(backend, one(), options));
    }
  } catch (error) {
    if (!(error instanceof GpuError)) throw error;
  }
  for (const { name, rate, unit } of measured) say(`ceiling: ${name}: ${Number(rate.toPrecision(3))} ${unit}`);
  return measured;
}
