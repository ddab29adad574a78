/**
 * Compiling kernels for WebGPU and binding their buffers. The layout is read from the kernel's own declarations.
 *
 * @module
 */
import { GpuError } from "../../errors.ts";
import { sourceOf } from "../../wgsl/print.ts";
import type { Pipeline } from "../backend.ts";
import { oneLine } from "../one_line.ts";
import { type Access, declaredBindings, type Shader } from "../shader.ts";

/** A compiled kernel, as WebGPU has it. */
export interface WebGpuPipeline extends Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

const TYPES: Readonly<Record<Access, GPUBufferBindingType>> = {
  read: "read-only-storage",
  write: "storage",
  uniform: "uniform",
};

/** Compiles `shader`, which is printed as `code`. Errors of compilation reject the pipeline's `ready`. */
export function compile(device: GPUDevice, shader: Shader, code: string): WebGpuPipeline {
  const { file } = shader;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: file, code });
  const layout = device.createBindGroupLayout({
    entries: declaredBindings(shader.module).map(({ number, access }) => ({
      binding: number,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: TYPES[access] },
    })),
  });
  const pipeline = device.createComputePipeline({
    label: file,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  const ready = device.popErrorScope().then(async (error) => {
    if (error) throw new GpuError(oneLine(await explain(shader, module, error.message)));
  });
  ready.catch(() => {}); // Thrown where the pipeline is run.
  return { shader, pipeline, layout, ready };
}

/** `shaders/conv/conv2d.wgsl:12:5: error: …` with the line itself, as the kernel's file has it. */
async function explain({ file, module }: Shader, compiled: GPUShaderModule, fallback: string): Promise<string> {
  const { messages } = await compiled.getCompilationInfo();
  const message = messages.find((message) => message.type === "error");
  const source = message && sourceOf(module, message.lineNum);
  if (!source) return `shaders/${file}: ${message?.message ?? fallback}`;
  return `shaders/${source.at}: ${message.message} in "${source.text}"`;
}
