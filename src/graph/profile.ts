/**
 * What dispatches take, by the GPU's own clock: those of a step, one by one, or lists of them against each other.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { Command } from "./commands.ts";

/** What one dispatch of a step takes. */
export interface DispatchTime {
  /** The kernel's file. */
  readonly kernel: string;
  readonly workgroups: number;
  /** The mean over the steps, in a pass of its own; null where the device has no timestamps. */
  readonly microseconds: number | null;
}

/** Runs `commands`, once for each of `steps`, with every dispatch in a pass of its own between two timestamps. */
export async function profile(gpu: Gpu, commands: readonly Command[], steps: number): Promise<DispatchTime[]> {
  const { device } = gpu, count = commands.filter((command) => "pipeline" in command).length;
  const timed = device.features.has("timestamp-query") && count > 0 && count <= 2048;
  const sums = new Float64Array(count);
  const clock = timed ? new Clock(device, 2 * count) : null;
  try {
    for (let step = 0; step < (timed ? steps : 0); step++) {
      const encoder = device.createCommandEncoder();
      let at = 0;
      for (const command of commands) {
        if ("pipeline" in command) {
          const pass = encoder.beginComputePass({
            timestampWrites: {
              querySet: clock!.queries,
              beginningOfPassWriteIndex: 2 * at,
              endOfPassWriteIndex: 2 * at + 1,
            },
          });
          pass.setPipeline(command.pipeline);
          pass.setBindGroup(0, command.group);
          pass.dispatchWorkgroups(...command.grid);
          pass.end();
          at++;
        } else {
          const { from, to } = command;
          encoder.copyBufferToBuffer(from.block.buffer, from.offset, to.block.buffer, to.offset, from.size);
        }
      }
      const ticks = await clock!.read(encoder);
      for (let i = 0; i < count; i++) sums[i]! += Number(ticks[2 * i + 1]! - ticks[2 * i]!);
    }
    const nanoseconds = clock ? await clock.nanosecondsPerTick() : 0;
    return commands.filter((command) => "pipeline" in command).map(({ kernel, grid }, i) => ({
      kernel,
      workgroups: grid[0] * grid[1] * grid[2],
      microseconds: timed ? sums[i]! * nanoseconds / steps / 1000 : null,
    }));
  } finally {
    clock?.destroy();
  }
}

/** Dispatches to time, and how often they run, one time after the other. Copies among the commands do not count. */
export interface Job {
  readonly commands: readonly Command[];
  readonly times: number;
}

/**
 * Runs the jobs one behind the other, each in a pass of its own, with one wait for all: the milliseconds that one time of
 * each takes. Null where the device has no timestamps.
 */
export async function timeJobs(gpu: Gpu, jobs: readonly Job[]): Promise<number[] | null> {
  const { device } = gpu;
  if (!device.features.has("timestamp-query")) return null;
  const clock = new Clock(device, 2 * jobs.length);
  try {
    const encoder = device.createCommandEncoder();
    jobs.forEach(({ commands, times }, i) => {
      const stamps = { beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      const pass = encoder.beginComputePass({ timestampWrites: { querySet: clock.queries, ...stamps } });
      for (let time = 0; time < times; time++) {
        for (const command of commands) {
          if (!("pipeline" in command)) continue;
          pass.setPipeline(command.pipeline);
          pass.setBindGroup(0, command.group);
          pass.dispatchWorkgroups(...command.grid);
        }
      }
      pass.end();
    });
    const ticks = await clock.read(encoder);
    let tick = tickOf.get(gpu);
    if (tick === undefined) tickOf.set(gpu, tick = await clock.nanosecondsPerTick());
    return jobs.map(({ times }, i) => Number(ticks[2 * i + 1]! - ticks[2 * i]!) * tick / times / 1e6);
  } finally {
    clock.destroy();
  }
}

/** Measuring a tick takes longer than most jobs. */
const tickOf = new WeakMap<Gpu, number>();

/** Timestamps, and what a tick of them is worth. */
class Clock {
  readonly queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  constructor(readonly device: GPUDevice, readonly count: number) {
    this.queries = device.createQuerySet({ type: "timestamp", count });
    const size = 8 * count;
    this.#resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.#staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Submits what was encoded, and gives the timestamps that it wrote. */
  async read(encoder: GPUCommandEncoder): Promise<BigUint64Array> {
    encoder.resolveQuerySet(this.queries, 0, this.count, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 8 * this.count);
    this.device.queue.submit([encoder.finish()]);
    await this.#staging.mapAsync(GPUMapMode.READ);
    const ticks = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    this.#staging.unmap();
    return ticks;
  }

  /** WebGPU says that a tick is a nanosecond, but not every implementation converts: a known time between two tells. */
  async nanosecondsPerTick(): Promise<number> {
    const mark = async () => {
      const encoder = this.device.createCommandEncoder();
      const timestampWrites = { querySet: this.queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      encoder.beginComputePass({ timestampWrites }).end();
      const before = performance.now();
      const ticks = await this.read(encoder);
      return { before, ticks: Number(ticks[0]!) };
    };
    const first = await mark();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await mark(), ratio = (second.before - first.before) * 1e6 / (second.ticks - first.ticks);
    // The two clocks are read some microseconds apart.
    return Math.abs(ratio - 1) < 0.02 ? 1 : ratio;
  }

  destroy(): void {
    this.queries.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}
