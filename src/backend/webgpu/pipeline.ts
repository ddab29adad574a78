/**
 * Pipelines: a specialised kernel, compiled once per text and device, with its layout read from its own declarations.
 *
 * @module
 */
import { GpuError } from "../../errors.ts";
import { counters, type Gpu, oneLine } from "./device.ts";
import { buffersOf, type Module } from "../../wgsl/ast.ts";
import { print, sourceOf } from "../../wgsl/print.ts";
import { type Constants, type Kernel, specialize } from "../../wgsl/specialize.ts";
import type { Storage } from "./memory.ts";
import { asUniforms, type Window } from "../../wgsl/uniforms.ts";

/** A kernel's tree, ready to print and compile, and what it binds. */
export interface Shader {
  /** The kernel's file, or those of all parts. */
  readonly file: string;
  readonly module: Module;
  /** The buffers that the kernel's file binds, in the order of their declarations; optional ones may leave gaps. */
  readonly bindings: readonly Binding[];
  /** Those of them that are bound as uniform buffers, in one part or several. */
  readonly windows: readonly Window[];
}

export interface Pipeline extends Pick<Shader, "bindings" | "windows"> {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export interface Binding {
  readonly number: number;
  readonly type: GPUBufferBindingType;
}

interface Cache {
  readonly shaders: Map<string, Shader>;
  readonly pipelines: Map<string, Pipeline>;
}

const caches = new WeakMap<Gpu, Cache>();
const checks: Promise<void>[] = [];

function cacheOf(gpu: Gpu): Cache {
  let cache = caches.get(gpu);
  if (!cache) caches.set(gpu, cache = { shaders: new Map(), pipelines: new Map() });
  return cache;
}

/** The text of `kernel` with `constants`, for buffers of these sizes in bytes, where that makes a difference. */
export function shaderOf(gpu: Gpu, kernel: Kernel, constants: Constants, sizes: readonly number[] = []): Shader {
  const { shaders } = cacheOf(gpu);
  const { uniformBytes } = gpu.profile;
  const small = uniformBytes > 0 ? sizes.map((size) => size <= uniformBytes ? Math.ceil(size / 16) * 16 : 0) : [];
  const key = `${kernel.file} ${JSON.stringify(constants)} ${small}`;
  let shader = shaders.get(key);
  if (!shader) {
    const plain = specialize(kernel, constants), bindings = bindingsOf(plain);
    const bytes = new Map(bindings.map(({ number }, i) => [number, small[i] ?? 0]));
    shaders.set(key, shader = { file: kernel.file, bindings, ...asUniforms(plain, bytes) });
  }
  return shader;
}

/** The pipeline of `shader`, compiled once for each text. Errors of compilation are thrown by the next `compiled()`. */
export function pipelineOf(gpu: Gpu, shader: Shader): Pipeline {
  const { pipelines } = cacheOf(gpu), code = print(shader.module);
  let pipeline = pipelines.get(code);
  // One that did not compile is forgotten, so that its next use says so again.
  if (!pipeline) pipelines.set(code, pipeline = compile(gpu, shader, code, () => pipelines.delete(code)));
  return pipeline;
}

/** Resolves when every pipeline asked for so far has compiled; throws the first error, with its source line. */
export async function compiled(): Promise<void> {
  if (checks.length > 0) await Promise.all(checks.splice(0));
}

function compile({ device }: Gpu, shader: Shader, code: string, forget: () => void): Pipeline {
  const { file, bindings, windows } = shader;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: file, code });
  const layout = device.createBindGroupLayout({
    entries: bindingsOf(shader.module).map(({ number, type }) => ({
      binding: number,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  const pipeline = device.createComputePipeline({
    label: file,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  counters.pipelinesCreated++;
  checks.push(
    device.popErrorScope().then(async (error) => {
      if (!error) return;
      forget();
      throw new GpuError(oneLine(await explain(shader, module, error.message)));
    }),
  );
  checks.at(-1)!.catch(() => {});
  return { pipeline, layout, bindings, windows };
}

function bindingsOf(module: Module): Binding[] {
  return buffersOf(module).map(({ binding, space, writes }) => (
    { number: binding, type: space === "uniform" ? "uniform" : writes ? "storage" : "read-only-storage" }
  ));
}

/** `shaders/conv2d.wgsl:12:5: error: …` with the line itself, as the kernel's file has it. */
async function explain({ file, module }: Shader, compiled: GPUShaderModule, fallback: string): Promise<string> {
  const { messages } = await compiled.getCompilationInfo();
  const message = messages.find((message) => message.type === "error");
  const source = message && sourceOf(module, message.lineNum);
  if (!source) return `shaders/${file}: ${message?.message ?? fallback}`;
  return `shaders/${source.at}: ${message.message} in "${source.text}"`;
}

/** What each binding of a shader's text gets of `storages`, which are in the order of its bindings. */
export function rangesOf(
  { bindings, windows }: Pick<Shader, "bindings" | "windows">,
  storages: readonly Storage[],
): (Storage & { readonly number: number })[] {
  if (storages.length !== bindings.length) {
    throw new Error(`${bindings.length} buffers to bind, got ${storages.length}`);
  }
  return storages.flatMap(({ block, offset, size }, i) => {
    const { number } = bindings[i]!, parts = windows.filter(({ input }) => input === number);
    // Blocks are larger than this: a kernel may read a last vector whole.
    if (parts.length === 0) return [{ block, offset, size: Math.max(16, Math.ceil(size / 16) * 16), number }];
    return parts.map((part) => ({ block, offset: offset + part.offset, size: part.size, number: part.number }));
  });
}

/** Binds `storages` to the kernel's buffers, in the order of their numbers. */
export function bind(gpu: Gpu, pipeline: Pipeline, storages: readonly Storage[]): GPUBindGroup {
  counters.bindGroupsCreated++;
  return gpu.device.createBindGroup({
    layout: pipeline.layout,
    entries: rangesOf(pipeline, storages).map(({ number, block: { buffer }, offset, size }) => ({
      binding: number,
      resource: { buffer, offset, size },
    })),
  });
}
