/**
 * The device memory of a training step. The step is planned as the trainer would plan it, but for a backend on paper: no
 * adapter is needed, and the step may be larger than any adapter's memory.
 *
 * @module
 */
import { PaperBackend, type PaperOptions } from "../backend/paper/backend.ts";
import { type Shape, sizeOf, Value } from "../graph/node.ts";
import { crossEntropy } from "../nn/functional.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { compile } from "../tensor/compile.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Bytes of device memory in a training step. */
export interface StepMemory {
  /** The batch: images as f32, and labels. */
  readonly batch: number;
  readonly parameters: number;
  /** Running statistics and the like. */
  readonly buffers: number;
  readonly gradients: number;
  readonly optimizer: number;
  /** Activations and their gradients, which share memory. */
  readonly activations: number;
  readonly total: number;
}

/**
 * The memory of a step of `model` on images of `shape` [N, C, H, W], with the mean cross-entropy over `classes`.
 *
 * @param device what the step is planned for, such as a backend: kernels are selected by it. Default: a GPU with the least
 * limits that WebGPU promises.
 * @throws {GpuError} if a tensor is too large for any dispatch.
 */
export function stepMemory(model: Module, optimizer: Optimizer, shape: Shape, device: PaperOptions = {}): StepMemory {
  const x = new Tensor(new Value(shape, "f32")), labels = new Tensor(new Value([shape[0]!], "u32"));
  const program = compile(() => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(x), labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const planned = program.footprint(new PaperBackend(device));
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
