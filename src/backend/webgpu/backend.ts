/**
 * The backend that runs kernels through WebGPU: on a GPU, or on a software driver.
 *
 * @module
 */
import { print } from "../../wgsl/print.ts";
import { DeviceLostError, GpuError, OutOfMemoryError } from "../../errors.ts";
import type { AdapterDetails, AdapterInfo } from "../adapter.ts";
import { Backend, type Command, type Job } from "../backend.ts";
import type { DeviceBuffer, Storage } from "../memory.ts";
import { oneLine } from "../one_line.ts";
import { GPU, SOFTWARE_GPU } from "../profile.ts";
import { rangesOf, type Shader } from "../shader.ts";
import { allAdapters, nameOf } from "./adapters.ts";
import { type BoundCommand, bufferOf, type BufferRange, type DeviceQueue, type WebGpuBuffer } from "./encode.ts";
import { compile, type WebGpuPipeline } from "./pipeline.ts";
import { WebGpuReplay } from "./replay.ts";
import { timeJobs } from "./timing.ts";

export class WebGpuBackend extends Backend implements DeviceQueue {
  /** Compiled kernels, by their texts. */
  readonly #pipelines = new Map<string, WebGpuPipeline>();

  constructor(readonly device: GPUDevice, adapter: AdapterInfo) {
    const { limits } = device;
    super(adapter, {
      bufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
      alignment: Math.max(limits.minStorageBufferOffsetAlignment, limits.minUniformBufferOffsetAlignment),
      workgroup: {
        invocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
        bytes: limits.maxComputeWorkgroupStorageSize,
      },
    }, adapter.kind === "gpu" ? GPU : SOFTWARE_GPU);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault?.();
      this.fail(this.#failureOf((event as GPUUncapturedErrorEvent).error));
    });
    device.lost.then(({ reason, message }) => {
      if (reason === "destroyed") return;
      this.fail(
        new DeviceLostError(`the GPU device was lost (${oneLine(message) || reason})`, { remedy: "start again" }),
      );
    });
  }

  #failureOf(error: GPUError): GpuError {
    if (error.constructor.name !== "GPUOutOfMemoryError") {
      return new GpuError(`the GPU refused a command: ${oneLine(error.message)}`);
    }
    const bytes = this.counters.bytesLive;
    return new OutOfMemoryError(
      `the GPU is out of memory (${Math.ceil(bytes / 1048576)} MiB asked for by wgrad)`,
      "all",
      bytes,
      bytes / 2, // WebGPU does not tell how much there is.
      { remedy: "use a smaller batch" },
    );
  }

  protected createBuffer(size: number): WebGpuBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return { size, buffer: this.device.createBuffer({ size, usage }) };
  }

  protected destroyBuffer(buffer: DeviceBuffer): void {
    bufferOf(buffer).destroy();
  }

  write({ block, offset }: Storage, data: Float32Array | Uint32Array | Uint8Array, byteOffset = 0): void {
    const { buffer, byteOffset: start, byteLength } = data;
    this.device.queue.writeBuffer(
      bufferOf(block.buffer),
      offset + byteOffset,
      buffer as ArrayBuffer,
      start,
      byteLength,
    );
  }

  read(storages: readonly Storage[]): Promise<ArrayBuffer[]> {
    return this.readRanges(
      storages.map(({ block, offset, size }) => ({ buffer: bufferOf(block.buffer), offset, size })),
    );
  }

  async readRanges(ranges: readonly BufferRange[]): Promise<ArrayBuffer[]> {
    this.check();
    const starts: number[] = [];
    let size = 0;
    for (const range of ranges) {
      starts.push(size);
      size += Math.ceil(range.size / 4) * 4;
    }
    const staging = this.device.createBuffer({
      size: Math.max(size, 4),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      const encoder = this.device.createCommandEncoder();
      ranges.forEach((range, i) => {
        const bytes = Math.ceil(range.size / 4) * 4;
        if (bytes > 0) encoder.copyBufferToBuffer(range.buffer, range.offset, staging, starts[i]!, bytes);
      });
      this.device.queue.submit([encoder.finish()]);
      this.counters.submits++;
      await this.untilLost(staging.mapAsync(GPUMapMode.READ));
      this.check();
      const mapped = staging.getMappedRange();
      return ranges.map((range, i) => mapped.slice(starts[i]!, starts[i]! + range.size));
    } finally {
      staging.destroy();
    }
  }

  compile(shader: Shader): WebGpuPipeline {
    const code = print(shader.module);
    let pipeline = this.#pipelines.get(code);
    if (!pipeline) {
      this.#pipelines.set(code, pipeline = compile(this.device, shader, code));
      this.counters.pipelinesCreated++;
    }
    return pipeline;
  }

  program(commands: readonly Command[]): WebGpuReplay {
    return new WebGpuReplay(this, commands.map((command) => this.#bound(command)));
  }

  #bound(command: Command): BoundCommand {
    if (!("shader" in command)) return command;
    const { shader, storages, grid } = command, pipeline = this.compile(shader);
    const group = this.device.createBindGroup({
      layout: pipeline.layout,
      entries: rangesOf(shader, storages).map(({ number, block, offset, size }) => ({
        binding: number,
        resource: { buffer: bufferOf(block.buffer), offset, size },
      })),
    });
    this.counters.bindGroupsCreated++;
    return { pipeline, group, grid };
  }

  time(jobs: readonly Job[]): Promise<number[] | null> {
    const bound = jobs.map(({ replay, times }) => ({ commands: (replay as WebGpuReplay).commands, times }));
    return timeJobs(this, bound);
  }

  async describe(): Promise<AdapterDetails> {
    const { name } = this.adapter, all = await allAdapters();
    const from = all.find((one) => nameOf(one) === name) ?? this.device;
    // The limits are properties of their class.
    const names = Object.keys(Object.getPrototypeOf(from.limits)) as (keyof GPUSupportedLimits)[];
    return {
      limits: Object.fromEntries(names.map((key) => [key, Number(from.limits[key])])),
      features: [...from.features].sort(),
      timestamps: this.device.features.has("timestamp-query"),
      others: [...new Set(all.map(nameOf))].filter((one) => one !== name),
    };
  }

  close(): void {
    this.device.destroy();
  }
}
