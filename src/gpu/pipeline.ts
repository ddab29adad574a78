/**
 * Pipelines: a specialised kernel, compiled once per text and device, with its layout read from its own declarations.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import { counters, type Gpu, oneLine } from "./device.ts";
import { type Constants, type Kernel, specialize } from "./specialize.ts";
import type { Storage } from "./memory.ts";
import { fitsUniform, type Window, withUniforms } from "./uniforms.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** The buffers that the kernel's file binds, in the order of their numbers; optional ones may leave gaps. */
  readonly bindings: readonly Binding[];
  /** Those of them that are bound as uniform buffers, in one part or several. */
  readonly windows: readonly Window[];
}

interface Binding {
  readonly number: number;
  readonly type: GPUBufferBindingType;
}

const cache = new WeakMap<Gpu, Map<string, Pipeline>>();
const checks: Promise<void>[] = [];

/**
 * The pipeline of `kernel` with `constants`, for buffers of these sizes in bytes, where that makes a difference. Errors of
 * compilation are thrown by the next `compiled()`.
 */
export function pipelineOf(gpu: Gpu, kernel: Kernel, constants: Constants, sizes: readonly number[] = []): Pipeline {
  let pipelines = cache.get(gpu);
  if (!pipelines) cache.set(gpu, pipelines = new Map());
  const small = gpu.adapter.cpu ? sizes.map((size) => fitsUniform(size) ? Math.ceil(size / 16) * 16 : 0) : [];
  const key = `${kernel.file} ${JSON.stringify(constants)} ${small}`;
  let pipeline = pipelines.get(key);
  if (!pipeline) {
    const all = pipelines;
    // One that did not compile is forgotten, so that its next use says so again.
    all.set(key, pipeline = compile(gpu, kernel, constants, small, () => all.delete(key)));
  }
  return pipeline;
}

/** Resolves when every pipeline asked for so far has compiled; throws the first error, with its source line. */
export async function compiled(): Promise<void> {
  if (checks.length > 0) await Promise.all(checks.splice(0));
}

function compile(
  gpu: Gpu,
  kernel: Kernel,
  constants: Constants,
  small: readonly number[],
  forget: () => void,
): Pipeline {
  const { device } = gpu;
  const plain = specialize(kernel, constants), bindings = bindingsOf(plain);
  const { text: code, windows } = withUniforms(
    plain,
    new Map(bindings.map(({ number }, i) => [number, small[i] ?? 0])),
  );
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: kernel.file, code });
  const layout = device.createBindGroupLayout({
    entries: bindingsOf(code).map(({ number, type }) => ({
      binding: number,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
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
  return { pipeline, layout, bindings, windows };
}

const TYPES: Readonly<Record<string, GPUBufferBindingType>> = {
  "storage, read": "read-only-storage",
  "storage, read_write": "storage",
  "uniform": "uniform",
};

function bindingsOf(code: string): Binding[] {
  const declared = code.matchAll(/@binding\((\d+)\) *var<(storage, read_write|storage, read|uniform)>/g);
  return Array.from(declared, ([, number, access]) => ({ number: Number(number), type: TYPES[access!]! }));
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
export function bind(gpu: Gpu, { layout, bindings, windows }: Pipeline, storages: readonly Storage[]): GPUBindGroup {
  if (storages.length !== bindings.length) {
    throw new Error(`${bindings.length} buffers to bind, got ${storages.length}`);
  }
  counters.bindGroupsCreated++;
  return gpu.device.createBindGroup({
    layout,
    entries: storages.flatMap(({ block: { buffer }, offset, size }, i) => {
      const { number } = bindings[i]!, parts = windows.filter(({ input }) => input === number);
      // Blocks are larger than this: a kernel may read a last vector whole.
      if (parts.length === 0) {
        parts.push({ input: number, number, offset: 0, size: Math.max(16, Math.ceil(size / 16) * 16) });
      }
      return parts.map((part) => ({
        binding: part.number,
        resource: { buffer, offset: offset + part.offset, size: part.size },
      }));
    }),
  });
}
