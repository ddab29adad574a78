/**
 * The device: which adapter is used, what is asked of it, and how its failures reach the caller as typed errors.
 * This room knows buffers, kernels and queues; it knows no tensors.
 *
 * @module
 */
import { GPU, type Profile, SOFTWARE_GPU } from "../profile.ts";
import { DeviceLostError, GpuError, NoAdapterError, OutOfMemoryError, UsageError } from "../../errors.ts";

/** The backends that Deno's WebGPU can be told to use. */
export const BACKENDS = ["vulkan", "metal", "dx12", "gl"] as const;
/** The name of a backend. */
export type Backend = typeof BACKENDS[number];

/** Which GPU to use. */
export interface DeviceOptions {
  /** Part of an adapter's name, in any case. Default: the adapter that the system prefers. */
  adapter?: string;
  /** The graphics API. Default: what the system has. */
  backend?: Backend;
  /**
   * Kernels will be so small that Mesa's software driver is faster when it does not hand them to threads of its own.
   * Other drivers take no notice. Default false.
   */
  smallKernels?: boolean;
}

/** What is known about the adapter in use. */
export interface AdapterDescription {
  /** As the driver tells it. */
  readonly name: string;
  /** The vendor's number or name; "" where the driver tells none. */
  readonly vendor: string;
  /** The family of the hardware; "" where the driver tells none. */
  readonly architecture: string;
  /** The adapter is a software driver: kernels run on the processor. */
  readonly cpu: boolean;
}

/** Counts of what was made on the device, so that tests can prove that a training step makes nothing. */
export const counters = {
  buffersCreated: 0,
  buffersLive: 0,
  bytesLive: 0,
  pipelinesCreated: 0,
  bindGroupsCreated: 0,
  submits: 0,
  dispatches: 0,
};

/** The least that every kernel of wgrad needs: the defaults of the WebGPU specification. */
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

export class Gpu {
  /** The first failure of the device: every later use throws it. */
  #failure: GpuError | null = null;
  #fail: (error: GpuError) => void = () => {};
  /** Rejects when the device fails; never resolves. */
  readonly failed: Promise<never>;

  /** What kernels are chosen by. */
  readonly profile: Profile;

  constructor(readonly device: GPUDevice, readonly adapter: AdapterDescription) {
    this.profile = adapter.cpu ? SOFTWARE_GPU : GPU;
    this.failed = new Promise((_, reject) => {
      this.#fail = (error) => {
        this.#failure ??= error;
        reject(this.#failure);
      };
    });
    this.failed.catch(() => {}); // The failure is thrown where the device is used next.
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault?.();
      const { error } = event as GPUUncapturedErrorEvent;
      const memory = error.constructor.name === "GPUOutOfMemoryError";
      this.fail(
        memory
          ? new OutOfMemoryError(
            `the GPU is out of memory (${mebibytes(counters.bytesLive)} asked for by wgrad)`,
            "all",
            counters.bytesLive,
            counters.bytesLive / 2, // How much there is, WebGPU does not tell.
            { remedy: "use a smaller batch" },
          )
          : new GpuError(`the GPU refused a command: ${oneLine(error.message)}`),
      );
    });
    device.lost.then((info) => {
      if (info.reason !== "destroyed") {
        this.fail(
          new DeviceLostError(`the GPU device was lost (${oneLine(info.message) || info.reason})`, {
            remedy: "start again",
          }),
        );
      }
    });
  }

  /** Has every later use of the device throw `error`, unless it failed before. Tests lose a device by it. */
  readonly fail = (error: GpuError): void => this.#fail(error);

  /** Throws the device's failure, if there was one. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }
}

let current: Promise<Gpu> | null = null;
let ready: Gpu | null = null;
/** What the device was opened with. */
let asked: DeviceOptions = {};

/**
 * The one device of this process, made at the first call.
 *
 * @throws {GpuError} without an adapter, or when it lacks what wgrad needs.
 * @throws {UsageError} when `options` ask for an adapter that is not there.
 */
export function requestGpu(options: DeviceOptions = {}): Promise<Gpu> {
  if (current && (options.adapter || options.backend)) {
    throw new UsageError("the GPU device exists already: call init() before the first tensor is computed");
  }
  if (current) return current;
  const all = { ...asked, ...options };
  return current = open(all).then((gpu) => {
    asked = all;
    return ready = gpu;
  }, (error) => {
    current = null;
    throw error;
  });
}

/**
 * Gives up a device that has failed: the next `requestGpu()` makes a new one, of the same adapter and backend. What lies in
 * the old one's memory is lost.
 */
export function forgetGpu(): void {
  ready?.device.destroy();
  current = ready = null;
}

/** The device, if `requestGpu()` has resolved. */
export function currentGpu(): Gpu | null {
  return ready;
}

async function open(options: DeviceOptions): Promise<Gpu> {
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
  checkLimits(adapter.limits, describe(adapter).name);
  const asked = [...Object.keys(REQUIRED), ...ALIGNMENTS].map((name) => [name, limitOf(adapter.limits, name)]);
  try {
    const device = await adapter.requestDevice({
      requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
      requiredLimits: Object.fromEntries(asked),
    });
    return new Gpu(device, describe(adapter));
  } catch (error) {
    throw new GpuError(`the adapter "${describe(adapter).name}" gave no device: ${oneLine((error as Error).message)}`);
  }
}

/** Throws `GpuError` where an adapter lacks something that every kernel needs, naming each limit that is too low. */
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
  // WebGPU cannot list adapters; these requests reach every one that it would ever give.
  const requests: GPURequestAdapterOptions[] = [
    { powerPreference: "high-performance" },
    { powerPreference: "low-power" },
    { forceFallbackAdapter: true },
  ];
  const seen = new Set<string>();
  for (const request of options.adapter ? requests : [requests[0]!, requests[2]!]) {
    const adapter = await navigator.gpu?.requestAdapter(request);
    if (!adapter) continue;
    const { name } = describe(adapter);
    if (!options.adapter || name.toLowerCase().includes(options.adapter.toLowerCase())) return adapter;
    seen.add(name);
  }
  if (seen.size > 0) {
    throw new UsageError(`no adapter is named "${options.adapter}": this machine has ${[...seen].join(", ")}`);
  }
  const backend = options.backend ? ` for the backend ${options.backend}` : "";
  throw new NoAdapterError(`no GPU adapter was found${backend}`, { remedy: remedy() });
}

/** What to do on this system when no adapter is found. */
export function remedy(os: typeof Deno.build.os = Deno.build.os): string {
  switch (os) {
    case "linux":
      return "install a Vulkan driver (on Debian and Ubuntu: apt-get install mesa-vulkan-drivers, which also holds a software driver)";
    case "darwin":
      return "WebGPU needs Metal, which every Mac since 2012 has: update macOS, or run outside a virtual machine";
    case "windows":
      return "install the graphics card's current driver (DirectX 12 or Vulkan)";
    default:
      return "install a Vulkan driver for this system";
  }
}

function describe(adapter: GPUAdapter): AdapterDescription {
  const { description, vendor, architecture, device } = adapter.info;
  const name = description || device || vendor || "unnamed adapter";
  const cpu = (adapter.info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true ||
    /llvmpipe|lavapipe|swiftshader|basic render driver/i.test(name);
  return { name, vendor, architecture, cpu };
}

function limitOf(limits: GPUSupportedLimits, name: string): number {
  return (limits as unknown as Record<string, number>)[name] ?? 0;
}

/** Whitespace, line breaks included, as single spaces: errors are lines. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1048576)} MiB`;
}
