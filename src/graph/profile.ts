/**
 * What dispatches take, by the GPU's own clock: those of a step, one by one, or lists of them against each other.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import { Block, read, type Storage } from "../backend/webgpu/memory.ts";
import { type Command, encodeCopy, encodeRun, type Run, submit } from "./commands.ts";

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
  const { device } = gpu, runs = commands.filter((command) => "pipeline" in command);
  if (!device.features.has("timestamp-query") || runs.length === 0 || runs.length > MOST_STAMPS / 2) {
    submit(gpu, commands, steps);
    return runs.map((run) => ({ ...named(run), microseconds: null }));
  }
  const sums = new Float64Array(runs.length), clock = new Clock(gpu, 2 * runs.length);
  try {
    for (let step = 0; step < steps; step++) {
      const encoder = device.createCommandEncoder();
      let at = 0;
      for (const command of commands) {
        if ("pipeline" in command) {
          const pass = clock.pass(encoder, at++);
          encodeRun(pass, command);
          pass.end();
        } else encodeCopy(encoder, command);
      }
      (await clock.read(encoder)).forEach((ticks, i) => sums[i]! += ticks);
    }
    const tick = await clock.nanosecondsPerTick();
    return runs.map((run, i) => ({ ...named(run), microseconds: sums[i]! * tick / steps / 1000 }));
  } finally {
    clock.destroy();
  }
}

const named = ({ kernel, grid }: Run) => ({ kernel, workgroups: grid[0] * grid[1] * grid[2] });

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
  if (!gpu.device.features.has("timestamp-query")) return null;
  const clock = new Clock(gpu, 2 * jobs.length);
  try {
    const encoder = gpu.device.createCommandEncoder();
    jobs.forEach(({ commands, times }, i) => {
      const pass = clock.pass(encoder, i);
      for (let time = 0; time < times; time++) {
        for (const command of commands) if ("pipeline" in command) encodeRun(pass, command);
      }
      pass.end();
    });
    const ticks = await clock.read(encoder), tick = await clock.nanosecondsPerTick();
    return jobs.map(({ times }, i) => ticks[i]! * tick / times / 1e6);
  } finally {
    clock.destroy();
  }
}

/** Measuring a tick takes longer than most jobs. */
const tickOf = new WeakMap<Gpu, number>();

/** The most timestamps of a query set. */
const MOST_STAMPS = 4096;

/** Timestamps, two for each pass, and what a tick of them is worth. */
class Clock {
  readonly #queries: GPUQuerySet;
  readonly #resolved: Storage;

  constructor(readonly gpu: Gpu, readonly count: number) {
    this.#queries = gpu.device.createQuerySet({ type: "timestamp", count });
    const size = 8 * count, usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#resolved = { block: new Block(gpu, gpu.device.createBuffer({ size, usage }), size), offset: 0, size };
  }

  /** Begins the `i`-th timed pass. */
  pass(encoder: GPUCommandEncoder, i: number): GPUComputePassEncoder {
    const stamps = { beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    return encoder.beginComputePass({ timestampWrites: { querySet: this.#queries, ...stamps } });
  }

  /** Submits what was encoded, and gives the ticks that each pass took. */
  async read(encoder: GPUCommandEncoder): Promise<number[]> {
    const stamps = await this.#stamps(encoder);
    return Array.from({ length: this.count / 2 }, (_, i) => Number(stamps[2 * i + 1]! - stamps[2 * i]!));
  }

  async #stamps(encoder: GPUCommandEncoder): Promise<BigUint64Array> {
    encoder.resolveQuerySet(this.#queries, 0, this.count, this.#resolved.block.buffer, 0);
    this.gpu.device.queue.submit([encoder.finish()]);
    const [bytes] = await read(this.gpu, [this.#resolved]);
    return new BigUint64Array(bytes!);
  }

  /** WebGPU says that a tick is a nanosecond, but not every implementation converts: a known time between two tells. */
  async nanosecondsPerTick(): Promise<number> {
    const known = tickOf.get(this.gpu);
    if (known !== undefined) return known;
    const mark = async () => {
      const encoder = this.gpu.device.createCommandEncoder();
      this.pass(encoder, 0).end();
      const before = performance.now(), stamps = await this.#stamps(encoder);
      return { before, ticks: Number(stamps[0]!) };
    };
    const first = await mark();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await mark(), ratio = (second.before - first.before) * 1e6 / (second.ticks - first.ticks);
    // The two clocks are read some microseconds apart.
    const tick = Math.abs(ratio - 1) < 0.02 ? 1 : ratio;
    tickOf.set(this.gpu, tick);
    return tick;
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.block.buffer.destroy();
  }
}
