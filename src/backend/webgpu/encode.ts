/**
 * Encoding commands: from bound dispatches and copies to WebGPU's command buffers.
 *
 * @module
 */
import type { Copy, Counters } from "../backend.ts";
import type { DeviceBuffer } from "../memory.ts";
import type { WebGpuPipeline } from "./pipeline.ts";

/** Memory of a GPU. */
export interface WebGpuBuffer extends DeviceBuffer {
  readonly buffer: GPUBuffer;
}

/** The WebGPU buffer of `buffer`, which must belong to this backend. */
export function bufferOf(buffer: DeviceBuffer): GPUBuffer {
  return (buffer as WebGpuBuffer).buffer;
}

/** A range of a WebGPU buffer, in bytes. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** What submitting and timing commands need of the backend. */
export interface DeviceQueue {
  readonly device: GPUDevice;
  readonly counters: Counters;
  /** Throws if the device has failed. */
  check(): void;
  /** The bytes of `ranges`, after everything that was submitted so far. */
  readRanges(ranges: readonly BufferRange[]): Promise<ArrayBuffer[]>;
}

/** A dispatch, ready to encode. */
export interface BoundDispatch {
  readonly pipeline: WebGpuPipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

export type BoundCommand = BoundDispatch | Copy;

/** Encodes a dispatch. @param set the pipeline that is set in the pass. */
export function encodeDispatch(
  pass: GPUComputePassEncoder,
  { pipeline, group, grid }: BoundDispatch,
  set: WebGpuPipeline | null = null,
): void {
  if (pipeline !== set) pass.setPipeline(pipeline.pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
}

/** Encodes a copy, outside of a pass. */
export function encodeCopy(encoder: GPUCommandEncoder, { from, to }: Copy): void {
  const source = bufferOf(from.block.buffer), target = bufferOf(to.block.buffer);
  encoder.copyBufferToBuffer(source, from.offset, target, to.offset, from.size);
}

/** Encodes `commands`, `times` over, into one command buffer and submits it. */
export function submit(queue: DeviceQueue, commands: readonly BoundCommand[], times = 1): void {
  queue.check();
  const { device, counters } = queue, encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
  let pipeline: WebGpuPipeline | null = null;
  for (let i = 0; i < times; i++) {
    for (const command of commands) {
      if ("pipeline" in command) {
        if (!pass) {
          pass = encoder.beginComputePass();
          pipeline = null;
        }
        encodeDispatch(pass, command, pipeline);
        counters.dispatches++;
        pipeline = command.pipeline;
      } else {
        pass?.end();
        pass = null;
        encodeCopy(encoder, command);
      }
    }
  }
  pass?.end();
  device.queue.submit([encoder.finish()]);
  counters.submits++;
}
