/**
 * Pipelines: a specialised kernel, compiled once per text and device, with its layout read from its own declarations.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import { counters, type Gpu } from "./device.ts";
import { type Constants, type Kernel, specialize } from "./specialize.ts";
import type { Storage } from "./memory.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Which bindings the kernel writes, in the order of their numbers. */
  readonly writes: readonly boolean[];
}

const cache = new WeakMap<Gpu, Map<string, Pipeline>>();
const checks: Promise<void>[] = [];

/** The pipeline of `kernel` with `constants`. Errors of compilation are thrown by the next `compiled()`. */
export function pipelineOf(gpu: Gpu, kernel: Kernel, constants: Constants): Pipeline {
  let pipelines = cache.get(gpu);
  if (!pipelines) cache.set(gpu, pipelines = new Map());
  const key = `${kernel.file} ${JSON.stringify(constants)}`;
  let pipeline = pipelines.get(key);
  if (!pipeline) pipelines.set(key, pipeline = compile(gpu, kernel, constants));
  return pipeline;
}

/** Resolves when every pipeline asked for so far has compiled; throws the first error, with its source line. */
export async function compiled(): Promise<void> {
  if (checks.length > 0) await Promise.all(checks.splice(0));
}

function compile(gpu: Gpu, kernel: Kernel, constants: Constants): Pipeline {
  const { device } = gpu;
  const code = specialize(kernel, constants);
  const accesses = [...code.matchAll(/@binding\((\d+)\) *var<storage, *(read|read_write)>/g)];
  const writes = accesses.map(([, number, access], i) => {
    if (Number(number) !== i) throw new Error(`${kernel.file}: bindings must be numbered in order`);
    return access === "read_write";
  });
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: kernel.file, code });
  const layout = device.createBindGroupLayout({
    entries: writes.map((write, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: write ? "storage" as const : "read-only-storage" as const },
    })),
  });
  const pipeline = device.createComputePipeline({
    label: kernel.file,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  counters.pipelinesCreated++;
  checks.push(
    device.popErrorScope().then(async (error) => {
      if (error) throw new GpuError(await explain(kernel, code, module, error.message));
    }),
  );
  checks.at(-1)!.catch(() => {});
  return { pipeline, layout, writes };
}

/** `shaders/conv2d.wgsl:12:5: error: …` with the line itself, as the specialised text has it. */
async function explain(kernel: Kernel, code: string, module: GPUShaderModule, fallback: string): Promise<string> {
  const { messages } = await module.getCompilationInfo();
  const message = messages.find((message) => message.type === "error");
  if (!message) return `shaders/${kernel.file}: ${fallback}`;
  const line = code.split("\n")[message.lineNum - 1]?.trim() ?? "";
  return `shaders/${kernel.file}:${message.lineNum}:${message.linePos}: ${message.message} in "${line}"`;
}

/** Binds `storages` to the kernel's buffers, in the order of their numbers. */
export function bind(gpu: Gpu, pipeline: Pipeline, storages: readonly Storage[]): GPUBindGroup {
  counters.bindGroupsCreated++;
  return gpu.device.createBindGroup({
    layout: pipeline.layout,
    entries: storages.map((storage, binding) => ({
      binding,
      resource: {
        buffer: storage.block.buffer,
        offset: storage.offset,
        size: Math.max(4, Math.ceil(storage.size / 4) * 4),
      },
    })),
  });
}
