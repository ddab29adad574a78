/**
 * Kernels chosen for another kind of device than the one that runs them, so that a test has its point on every device.
 *
 * @module
 */
import type { Profile } from "../../src/backend/profile.ts";
import { requestBackend } from "../../src/backend/request.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";

/** Runs `fn`, during which kernels and programs are chosen as if the device had this profile. */
export async function withProfile<T>(profile: Profile, fn: () => T | Promise<T>): Promise<T> {
  const gpu = await requestBackend(), before = gpu.profile;
  Object.assign(gpu, { profile });
  try {
    return await fn();
  } finally {
    Object.assign(gpu, { profile: before });
  }
}

/** Runs `fn`. @returns the types of the buffers in each layout that was made meanwhile. */
export async function layoutsOf(fn: () => Promise<unknown>): Promise<GPUBufferBindingType[][]> {
  const { device } = await requestBackend() as WebGpuBackend,
    make = device.createBindGroupLayout,
    layouts: GPUBufferBindingType[][] = [];
  device.createBindGroupLayout = (descriptor: GPUBindGroupLayoutDescriptor) => {
    layouts.push([...descriptor.entries].map(({ buffer }) => buffer!.type!));
    return make.call(device, descriptor);
  };
  try {
    await fn();
  } finally {
    device.createBindGroupLayout = make;
  }
  return layouts;
}
