/**
 * What a training step takes of the GPU's memory. The step is planned as the trainer would plan it, but for a device on
 * paper, which makes nothing: so there need be no adapter, and the step may be larger than any adapter's memory.
 *
 * @module
 */
import { type AdapterDescription, counters, Gpu } from "../backend/webgpu/device.ts";
import { type Shape, sizeOf, Value } from "../graph/node.ts";
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { compile } from "../tensor/compile.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Bytes of GPU memory in a training step. */
export interface StepMemory {
  /** The batch: images as f32, and labels. */
  readonly batch: number;
  readonly parameters: number;
  /** Running statistics and the like. */
  readonly buffers: number;
  readonly gradients: number;
  readonly optimizer: number;
  /** What the planner lays out for activations and for gradients of them, which use each other's memory. */
  readonly activations: number;
  readonly total: number;
}

/** What is known of an adapter before a device is opened on it. */
export interface Paper {
  readonly adapter: AdapterDescription;
  readonly limits: GPUSupportedLimits;
}

/** A GPU with the least limits that WebGPU promises. */
const TYPICAL: Paper = {
  adapter: { name: "", vendor: "", architecture: "", cpu: false },
  limits: {
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupStorageSize: 16384,
    minStorageBufferOffsetAlignment: 256,
    minUniformBufferOffsetAlignment: 256,
    maxStorageBuffersPerShaderStage: 8,
  } as GPUSupportedLimits,
};

/** A device that makes nothing, with the limits of another, but for those of memory. */
function paperGpu({ adapter, limits }: Paper): Gpu {
  const nothing = () => ({ destroy() {} });
  const device = {
    limits: new Proxy(limits, {
      get: (of, name) => /^max.*Buffer(Binding)?Size$/.test(String(name)) ? Infinity : Reflect.get(of, name, of),
    }),
    lost: new Promise(() => {}),
    queue: { writeBuffer() {} },
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
    createBuffer: nothing,
    createShaderModule: nothing,
    createBindGroupLayout: nothing,
    createPipelineLayout: nothing,
    createComputePipeline: nothing,
    createBindGroup: nothing,
  };
  return new Gpu(device as unknown as GPUDevice, adapter);
}

/**
 * The memory of a step of `model` on images of `shape` [N, C, H, W], with the mean cross-entropy over `classes`.
 *
 * @param paper the adapter that it is planned for: kernels are chosen by it. Default: a GPU of WebGPU's least limits.
 * @throws {GpuError} where a tensor is too large for any dispatch.
 */
export function stepMemory(model: Module, optimizer: Optimizer, shape: Shape, paper: Paper = TYPICAL): StepMemory {
  const x = new Tensor(new Value(shape, "f32")), labels = new Tensor(new Value([shape[0]!], "u32"));
  const program = compile(() => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(x), labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const made = { ...counters }, planned = program.footprint(paperGpu(paper));
  Object.assign(counters, made); // Nothing was made.
  const bytes = (tensors: Iterable<Tensor>) => [...tensors].reduce((sum, one) => sum + 4 * one.numel, 0);
  const trained = model.parameters().filter((one) => one.requiresGrad);
  const parts = {
    batch: 4 * (sizeOf(shape) + shape[0]!),
    parameters: bytes(model.parameters()),
    buffers: bytes(model.buffers()),
    gradients: bytes(trained),
    optimizer: bytes(optimizer.stateDict().values()),
    activations: planned - bytes(trained),
  };
  return { ...parts, total: Object.values(parts).reduce((sum, one) => sum + one, 0) };
}
