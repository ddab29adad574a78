/**
 * Pipelines: a specialised kernel, compiled once per text and device, with its layout read from its own declarations.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import { counters, type Gpu, oneLine } from "./device.ts";
import { type Constants, type Kernel, specialize } from "./specialize.ts";
import type { Storage } from "./memory.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** The buffers that the kernel binds, in the order of their numbers; optional ones may leave gaps. */
  readonly bindings: readonly { readonly number: number; readonly writes: boolean }[];
}

const cache = new WeakMap<Gpu, Map<string, Pipeline>>();
const checks: Promise<void>[] = [];

/** The pipeline of `kernel` with `constants`. Errors of compilation are thrown by the next `compiled()`. */
export function pipelineOf(gpu: Gpu, kernel: Kernel, constants: Constants): Pipeline {
  let pipelines = cache.get(gpu);
  if (!pipelines) cache.set(gpu, pipelines = new Map());
  const key = `${kernel.file} ${JSON.stringify(constants)}`;
  let pipeline = pipelines.get(key);
  if (!pipeline) {
    const all = pipelines;
    // One that did not compile is forgotten, so that its next use says so again.
    all.set(key, pipeline = compile(gpu, kernel, constants, () => all.delete(key)));
  }
  return pipeline;
}

/** Resolves when every pipeline asked for so far has compiled; throws the first error, with its source line. */
export async function compiled(): Promise<void> {
  if (checks.length > 0) await Promise.all(checks.splice(0));
}

function compile(gpu: Gpu, kernel: Kernel, constants: Constants, forget: () => void): Pipeline {
  const { device } = gpu;
  const code = specialize(kernel, constants);
  const declared = code.matchAll(/@binding\((\d+)\) *var<storage, *(read|read_write)>/g);
  const bindings = Array.from(
    declared,
    ([, number, access]) => ({ number: Number(number), writes: access === "read_write" }),
  );
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: kernel.file, code });
  const layout = device.createBindGroupLayout({
    entries: bindings.map(({ number, writes }) => ({
      binding: number,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: writes ? "storage" as const : "read-only-storage" as const },
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
      if (!error) return;
      forget();
      throw new GpuError(oneLine(await explain(kernel, code, module, error.message)));
    }),
  );
  checks.at(-1)!.catch(() => {});
  return { pipeline, layout, bindings };
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
export function bind(gpu: Gpu, { layout, bindings }: Pipeline, storages: readonly Storage[]): GPUBindGroup {
  if (storages.length !== bindings.length) {
    throw new Error(`${bindings.length} buffers to bind, got ${storages.length}`);
  }
  counters.bindGroupsCreated++;
  return gpu.device.createBindGroup({
    layout,
    entries: storages.map(({ block, offset, size }, i) => ({
      binding: bindings[i]!.number,
      // Blocks are larger than this: a kernel may read a last vector whole.
      resource: { buffer: block.buffer, offset, size: Math.max(16, Math.ceil(size / 16) * 16) },
    })),
  });
}
