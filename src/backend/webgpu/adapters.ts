/**
 * WebGPU's adapters. WebGPU cannot list them; it gives one for each request.
 *
 * @module
 */
import type { AdapterInfo } from "../adapter.ts";

/** Requests that reach every adapter that WebGPU would ever give. */
export const REQUESTS: readonly [GPURequestAdapterOptions, GPURequestAdapterOptions, GPURequestAdapterOptions] = [
  { powerPreference: "high-performance" },
  { powerPreference: "low-power" },
  { forceFallbackAdapter: true },
];

/** Every adapter that WebGPU gives for one request or another. One adapter may be there several times. */
export async function allAdapters(): Promise<GPUAdapter[]> {
  const found: GPUAdapter[] = [];
  for (const request of REQUESTS) {
    const adapter = await navigator.gpu?.requestAdapter(request);
    if (adapter) found.push(adapter);
  }
  return found;
}

/** The adapter's name. */
export function nameOf({ info: { description, device, vendor } }: GPUAdapter): string {
  return description || device || vendor || "unnamed adapter";
}

/** What is known of `adapter`. */
export function adapterInfo(adapter: GPUAdapter): AdapterInfo {
  const { vendor, architecture } = adapter.info, name = nameOf(adapter);
  const software = (adapter.info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true ||
    /llvmpipe|lavapipe|swiftshader|basic render driver/i.test(name);
  return { name, vendor, architecture, kind: software ? "software gpu" : "gpu" };
}
