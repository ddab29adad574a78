/**
 * Commands: what a plan comes down to, and how it reaches the queue.
 *
 * @module
 */
import { counters, type Gpu } from "../backend/webgpu/device.ts";
import type { Storage } from "../backend/webgpu/memory.ts";

/** A dispatch, ready to encode. */
export interface Run {
  /** The kernel's file, for who looks at the times. */
  readonly kernel: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

/** A copy between storages of two blocks. */
export interface Copy {
  readonly from: Storage;
  readonly to: Storage;
}

export type Command = Run | Copy;

/** Encodes a dispatch. @param set the pipeline that the pass has already. */
export function encodeRun(
  pass: GPUComputePassEncoder,
  { pipeline, group, grid }: Run,
  set: GPUComputePipeline | null = null,
): void {
  if (pipeline !== set) pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
  counters.dispatches++;
}

/** Encodes a copy, outside of a pass. */
export function encodeCopy(encoder: GPUCommandEncoder, { from, to }: Copy): void {
  encoder.copyBufferToBuffer(from.block.buffer, from.offset, to.block.buffer, to.offset, from.size);
}

/** Encodes `commands`, `times` over, into one command buffer and submits it. */
export function submit(gpu: Gpu, commands: readonly Command[], times = 1): void {
  gpu.check();
  const encoder = gpu.device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
  let pipeline: GPUComputePipeline | null = null;
  for (let i = 0; i < times; i++) {
    for (const command of commands) {
      if ("pipeline" in command) {
        if (!pass) {
          pass = encoder.beginComputePass();
          pipeline = null;
        }
        encodeRun(pass, command, pipeline);
        pipeline = command.pipeline;
      } else {
        pass?.end();
        pass = null;
        encodeCopy(encoder, command);
      }
    }
  }
  pass?.end();
  gpu.device.queue.submit([encoder.finish()]);
  counters.submits++;
}
