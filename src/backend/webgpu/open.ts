/**
 * Opening WebGPU: which adapter is used, and what is asked of it.
 *
 * @module
 */
import { GpuError, NoAdapterError, UsageError } from "../../errors.ts";
import { remedy } from "../makers.ts";
import { oneLine } from "../one_line.ts";
import { BACKENDS, type DeviceOptions } from "../options.ts";
import { adapterInfo, REQUESTS } from "./adapters.ts";
import { WebGpuBackend } from "./backend.ts";

/** The limits that every kernel of wgrad needs at least: the defaults of the WebGPU specification. */
const REQUIRED = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
  maxBufferSize: 256 * 1024 * 1024,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16 * 1024,
  maxComputeWorkgroupsPerDimension: 65535,
} as const;

/** Limits of which less is better. */
const ALIGNMENTS = ["minStorageBufferOffsetAlignment", "minUniformBufferOffsetAlignment"];

/**
 * Opens a device of the adapter that `options` ask for.
 *
 * @throws {NoAdapterError} if there is no adapter.
 * @throws {GpuError} if the adapter lacks what wgrad needs.
 * @throws {UsageError} if `options` ask for an adapter or a graphics API that is not there.
 */
export async function openWebGpu(options: DeviceOptions): Promise<WebGpuBackend> {
  if (options.backend) {
    if (!(BACKENDS as readonly string[]).includes(options.backend)) {
      throw new UsageError(`no such backend: ${options.backend} (choose from ${BACKENDS.join(", ")})`);
    }
    // Deno reads this at the first request of the process.
    Deno.env.set("DENO_WEBGPU_BACKEND", options.backend);
  }
  // Read by the driver when it is first asked for an adapter. A setting of the user's own goes before.
  if (options.smallKernels && Deno.env.get("LP_NUM_THREADS") === undefined) Deno.env.set("LP_NUM_THREADS", "0");
  const adapter = await findAdapter(options);
  checkLimits(adapter.limits, adapterInfo(adapter).name);
  const asked = [...Object.keys(REQUIRED), ...ALIGNMENTS].map((name) => [name, limitOf(adapter.limits, name)]);
  try {
    const device = await adapter.requestDevice({
      requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
      requiredLimits: Object.fromEntries(asked),
    });
    return new WebGpuBackend(device, adapterInfo(adapter));
  } catch (error) {
    throw new GpuError(
      `the adapter "${adapterInfo(adapter).name}" gave no device: ${oneLine((error as Error).message)}`,
    );
  }
}

/** Throws `GpuError` if an adapter lacks something that every kernel needs, naming each limit that is too low. */
export function checkLimits(limits: GPUSupportedLimits, name: string): void {
  const missing = Object.entries(REQUIRED).filter(([limit, least]) => limitOf(limits, limit) < least);
  if (missing.length === 0) return;
  const list = missing.map(([limit, least]) => `${limit} is ${limitOf(limits, limit)}, and ${least} is needed`).join(
    "; ",
  );
  throw new GpuError(
    `the adapter "${name}" is too small for wgrad: ${list}: choose another with --adapter or --backend`,
  );
}

async function findAdapter(options: DeviceOptions): Promise<GPUAdapter> {
  const seen = new Set<string>();
  for (const request of options.adapter ? REQUESTS : [REQUESTS[0], REQUESTS[2]]) {
    const adapter = await navigator.gpu?.requestAdapter(request);
    if (!adapter) continue;
    const { name } = adapterInfo(adapter);
    if (!options.adapter || name.toLowerCase().includes(options.adapter.toLowerCase())) return adapter;
    seen.add(name);
  }
  if (seen.size > 0) {
    throw new UsageError(`no adapter is named "${options.adapter}": this machine has ${[...seen].join(", ")}`);
  }
  const backend = options.backend ? ` for the backend ${options.backend}` : "";
  throw new NoAdapterError(`no GPU adapter was found${backend}`, { remedy: remedy() });
}

function limitOf(limits: GPUSupportedLimits, name: string): number {
  return (limits as unknown as Record<string, number>)[name] ?? 0;
}
