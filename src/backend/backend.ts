/**
 * The seam between the graph and whatever computes. Above this room nobody knows whether that is a GPU: graphs become
 * commands over blocks of memory, and a backend runs them. This room knows kernels and memory; it knows no tensors.
 *
 * @module
 */
import { type GpuError, OutOfMemoryError } from "../errors.ts";
import type { AdapterDetails, AdapterInfo } from "./adapter.ts";
import { align, type Block, type BufferSource, type DeviceBuffer, Pool, type Storage } from "./memory.ts";
import type { Profile } from "./profile.ts";
import type { Shader } from "./shader.ts";
import { Variants } from "./variants.ts";

/** What the choice of kernels and the size of tensors depend on. */
export interface Limits {
  /** The most bytes of a buffer that a kernel binds. */
  readonly bufferBytes: number;
  /** What the offset of a binding must be a multiple of, in bytes: 256 or a divisor of it. */
  readonly alignment: number;
  /** The most that a workgroup may have: invocations, and bytes of shared memory. */
  readonly workgroup: { readonly invocations: number; readonly bytes: number };
}

/** A run of a kernel over storages, which are in the order of the shader's bindings. */
export interface Dispatch {
  readonly shader: Shader;
  readonly storages: readonly Storage[];
  /** Workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
}

/** A copy between storages of two blocks. */
export interface Copy {
  readonly from: Storage;
  readonly to: Storage;
}

/** What a program consists of. */
export type Command = Dispatch | Copy;

/** A compiled kernel. */
export interface Pipeline {
  readonly shader: Shader;
  /** Resolves when the kernel has compiled. Rejects with a `GpuError` that names file, line and column if it did not. */
  readonly ready: Promise<void>;
}

/** The time that one dispatch of a step takes. */
export interface DispatchTime {
  /** The kernel's file. */
  readonly kernel: string;
  readonly workgroups: number;
  /** The mean over the steps, each dispatch measured alone; null if the device has no clock that can be read. */
  readonly microseconds: number | null;
}

/** Commands, bound once and run often. */
export interface Replay {
  /**
   * Submits the commands `steps` times (default 1) and returns without waiting for their results. In long runs the event
   * loop gets its turn now and then.
   *
   * @throws {GpuError} each time, if one of the kernels does not compile; nothing has run then.
   */
  run(steps?: number): Promise<void>;
  /** Runs the commands `steps` times, slowly, and resolves with the time that each dispatch takes. */
  profile(steps: number): Promise<DispatchTime[]>;
}

/** A replay to time, and how many times it runs in a row. Copies among its commands are left out. */
export interface Job {
  readonly replay: Replay;
  readonly times: number;
}

/** Counts of what was created on a device. Tests use them to prove that a training step creates nothing. */
export interface Counters {
  buffersCreated: number;
  buffersLive: number;
  bytesLive: number;
  pipelinesCreated: number;
  bindGroupsCreated: number;
  submits: number;
  dispatches: number;
}

/** Something that computes. */
export abstract class Backend {
  readonly counters: Counters = {
    buffersCreated: 0,
    buffersLive: 0,
    bytesLive: 0,
    pipelinesCreated: 0,
    bindGroupsCreated: 0,
    submits: 0,
    dispatches: 0,
  };
  /** The kernels selected among variants that compute the same. */
  readonly variants = new Variants();
  /** Shaders made so far, by kernel and constants. */
  readonly shaders = new Map<string, Shader>();
  /** Whether programs merge small dispatches; null: as the profile says. For tests, and to find the cause of an error. */
  mergeSmall: boolean | null = null;
  /** Resolves with the first failure of the device, such as a `DeviceLostError`. */
  readonly lost: Promise<GpuError>;

  #failure: GpuError | null = null;
  #resolveLost!: (failure: GpuError) => void;
  /** The functions that reject the promises of pending work when the device fails. */
  readonly #waiting = new Set<(failure: GpuError) => void>();
  readonly #pool: Pool;

  protected constructor(readonly adapter: AdapterInfo, readonly limits: Limits, readonly profile: Profile) {
    this.lost = new Promise((resolve) => this.#resolveLost = resolve);
    const source: BufferSource = {
      createBuffer: (bytes) => {
        const buffer = this.createBuffer(bytes);
        this.counters.buffersCreated++;
        this.counters.buffersLive++;
        this.counters.bytesLive += bytes;
        return buffer;
      },
      destroyBuffer: (buffer) => {
        this.destroyBuffer(buffer);
        this.counters.buffersLive--;
        this.counters.bytesLive -= buffer.size;
      },
    };
    this.#pool = new Pool(source);
  }

  /** Whether programs merge small dispatches that do not depend on each other. */
  get merges(): boolean {
    return this.mergeSmall ?? this.profile.merges;
  }

  /** Makes every later use of the device throw `error`, unless it has failed before. */
  fail(error: GpuError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#resolveLost(error);
    for (const tell of [...this.#waiting]) tell(error);
  }

  /** Throws the device's failure, if it has failed. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** `work`, or a rejection with the device's failure if that comes first. Leaves nothing behind once it has settled. */
  protected async untilLost<T>(work: Promise<T>): Promise<T> {
    this.check();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.add(reject);
    work.then(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /**
   * A block of at least `bytes`, which the caller releases.
   *
   * @throws {OutOfMemoryError} if no buffer of this device can be that large.
   */
  allocate(bytes: number): Block {
    const size = align(bytes), most = this.limits.bufferBytes;
    if (size > most) {
      throw new OutOfMemoryError(
        `a tensor of ${bytes} bytes does not fit a GPU buffer of ${this.adapter.name} (at most ${most})`,
        "tensor",
        bytes,
        most,
        { remedy: "use a smaller batch" },
      );
    }
    return this.#pool.take(size);
  }

  /** A new block for `bytes`, as a storage. The caller releases the block. */
  allocateStorage(bytes: number): Storage {
    return { block: this.allocate(bytes), offset: 0, size: bytes };
  }

  protected abstract createBuffer(bytes: number): DeviceBuffer;
  protected abstract destroyBuffer(buffer: DeviceBuffer): void;

  /** Writes `data` from `byteOffset` of `storage` on, before any program that is run later. */
  abstract write(storage: Storage, data: Float32Array | Uint32Array | Uint8Array, byteOffset?: number): void;

  /**
   * The bytes of each of `storages`, after everything that was submitted so far. On Deno's WebGPU each wait costs about
   * 10 ms, whatever the size: read several things at once, and seldom.
   */
  abstract read(storages: readonly Storage[]): Promise<ArrayBuffer[]>;

  /** Compiles `shader`, once for each text. */
  abstract compile(shader: Shader): Pipeline;

  /** Compiles the kernels of `commands` and binds their storages. */
  abstract program(commands: readonly Command[]): Replay;

  /** Runs the jobs in turn: the milliseconds of one run of each, by the device's clock; null if that cannot be read. */
  abstract time(jobs: readonly Job[]): Promise<number[] | null>;

  /** The adapter's limits and features, and its neighbors. */
  abstract describe(): Promise<AdapterDetails>;

  /** Gives the device up, with all of its memory. */
  abstract close(): void;
}
