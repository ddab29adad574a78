/**
 * What can be asked for when a backend is opened.
 *
 * @module
 */

/** The graphics APIs that Deno's WebGPU can use. */
export const BACKENDS = ["vulkan", "metal", "dx12", "gl"] as const;
/** The name of a graphics API. */
export type BackendName = typeof BACKENDS[number];

/** Which GPU to use. */
export interface DeviceOptions {
  /** Part of an adapter's name, in any case. Default: the adapter that the system prefers. */
  adapter?: string;
  /** The graphics API. Default: the system's first choice. */
  backend?: BackendName;
  /**
   * The kernels will be so small that Mesa's software driver is faster without threads of its own. Other drivers ignore
   * this. Default false.
   */
  smallKernels?: boolean;
}
