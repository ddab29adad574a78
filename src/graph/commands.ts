/**
 * Commands: what a plan comes down to, and how it reaches the queue.
 *
 * @module
 */
import { counters, type Gpu } from "../gpu/device.ts";
import type { Storage } from "../gpu/memory.ts";

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
        if (pipeline !== command.pipeline) pass.setPipeline(pipeline = command.pipeline);
        pass.setBindGroup(0, command.group);
        pass.dispatchWorkgroups(command.grid[0], command.grid[1], command.grid[2]);
        counters.dispatches++;
      } else {
        pass?.end();
        pass = null;
        const { from, to } = command;
        encoder.copyBufferToBuffer(from.block.buffer, from.offset, to.block.buffer, to.offset, from.size);
      }
    }
  }
  pass?.end();
  gpu.device.queue.submit([encoder.finish()]);
  counters.submits++;
}
