/**
 * Times of dispatches by the GPU's clock: of each dispatch of a step, or of lists of them, to compare the lists.
 *
 * @module
 */
import type { DispatchTime } from "../backend.ts";
import {
  type BoundCommand,
  type BoundDispatch,
  type BufferRange,
  type DeviceQueue,
  encodeCopy,
  encodeDispatch,
  submit,
} from "./encode.ts";

/** Runs `commands`, once for each of `steps`, with every dispatch in a pass of its own between two timestamps. */
export async function profile(
  queue: DeviceQueue,
  commands: readonly BoundCommand[],
  steps: number,
): Promise<DispatchTime[]> {
  const { device, counters } = queue, runs = commands.filter((command) => "pipeline" in command);
  if (!device.features.has("timestamp-query") || runs.length === 0 || runs.length > MOST_STAMPS / 2) {
    submit(queue, commands, steps);
    return runs.map((run) => ({ ...named(run), microseconds: null }));
  }
  const sums = new Float64Array(runs.length), clock = new Clock(queue, 2 * runs.length);
  try {
    for (let step = 0; step < steps; step++) {
      const encoder = device.createCommandEncoder();
      let index = 0;
      for (const command of commands) {
        if ("pipeline" in command) {
          const pass = clock.pass(encoder, index++);
          encodeDispatch(pass, command);
          counters.dispatches++;
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

const named = ({ pipeline: { shader }, grid }: BoundDispatch) => (
  { kernel: shader.file, workgroups: grid[0] * grid[1] * grid[2] }
);

/** Commands to time, and how many times they run in a row. */
export interface BoundJob {
  readonly commands: readonly BoundCommand[];
  readonly times: number;
}

/**
 * Runs the jobs in turn, each in a pass of its own, with one wait for all: the milliseconds that one run of each takes,
 * without its copies. Null if the device has no timestamps.
 */
export async function timeJobs(queue: DeviceQueue, jobs: readonly BoundJob[]): Promise<number[] | null> {
  const { device, counters } = queue;
  if (!device.features.has("timestamp-query")) return null;
  const clock = new Clock(queue, 2 * jobs.length);
  try {
    const encoder = device.createCommandEncoder();
    jobs.forEach(({ commands, times }, i) => {
      const pass = clock.pass(encoder, i), runs = commands.filter((command) => "pipeline" in command);
      for (let time = 0; time < times; time++) {
        for (const command of runs) encodeDispatch(pass, command);
      }
      counters.dispatches += times * runs.length;
      pass.end();
    });
    const ticks = await clock.read(encoder), tick = await clock.nanosecondsPerTick();
    return jobs.map(({ times }, i) => ticks[i]! * tick / times / 1e6);
  } finally {
    clock.destroy();
  }
}

/** Nanoseconds of a tick, by the device: measuring that takes longer than most jobs. */
const tickOf = new WeakMap<GPUDevice, number>();

/** The most timestamps of a query set. */
const MOST_STAMPS = 4096;

/** Timestamps, two for each pass, and the length of a tick of them. */
class Clock {
  readonly #queries: GPUQuerySet;
  readonly #resolved: BufferRange;

  constructor(readonly queue: DeviceQueue, readonly count: number) {
    const { device } = queue;
    this.#queries = device.createQuerySet({ type: "timestamp", count });
    const size = 8 * count, usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#resolved = { buffer: device.createBuffer({ size, usage }), offset: 0, size };
  }

  /** Begins the `i`-th timed pass. */
  pass(encoder: GPUCommandEncoder, i: number): GPUComputePassEncoder {
    const stamps = { beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    return encoder.beginComputePass({ timestampWrites: { querySet: this.#queries, ...stamps } });
  }

  /** Submits what was encoded, and resolves with the ticks that each pass took. */
  async read(encoder: GPUCommandEncoder): Promise<number[]> {
    const stamps = await this.#stamps(encoder);
    return Array.from({ length: this.count / 2 }, (_, i) => Number(stamps[2 * i + 1]! - stamps[2 * i]!));
  }

  async #stamps(encoder: GPUCommandEncoder): Promise<BigUint64Array> {
    encoder.resolveQuerySet(this.#queries, 0, this.count, this.#resolved.buffer, 0);
    this.queue.device.queue.submit([encoder.finish()]);
    const [bytes] = await this.queue.readRanges([this.#resolved]);
    return new BigUint64Array(bytes!);
  }

  /** WebGPU says that a tick is a nanosecond, but not every implementation converts to nanoseconds. A known time between two ticks shows the unit. */
  async nanosecondsPerTick(): Promise<number> {
    const { device } = this.queue, known = tickOf.get(device);
    if (known !== undefined) return known;
    const mark = async () => {
      const encoder = device.createCommandEncoder();
      this.pass(encoder, 0).end();
      const before = performance.now(), stamps = await this.#stamps(encoder);
      return { before, ticks: Number(stamps[0]!) };
    };
    const first = await mark();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await mark(), ratio = (second.before - first.before) * 1e6 / (second.ticks - first.ticks);
    // The two clocks are read some microseconds apart.
    const tick = Math.abs(ratio - 1) < 0.02 ? 1 : ratio;
    tickOf.set(device, tick);
    return tick;
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.buffer.destroy();
  }
}
