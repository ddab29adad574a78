/**
 * A backend on paper: it plans and counts, and computes nothing. With it one learns what a step takes on a device that is
 * not here, or more than any device has.
 *
 * @module
 */
import { GpuError } from "../../errors.ts";
import type { AdapterDetails } from "../adapter.ts";
import { Backend, type Command, type Limits, type Pipeline, type Replay } from "../backend.ts";
import type { DeviceBuffer } from "../memory.ts";
import { GPU, type Profile } from "../profile.ts";
import type { Shader } from "../shader.ts";

/** What a backend on paper pretends to be. */
export interface PaperOptions {
  /** What kernels are chosen by. Default: a GPU's. */
  readonly profile?: Profile;
  /** Default: the least that WebGPU promises. Memory has no limit, whatever is given. */
  readonly limits?: Limits;
}

/** The least limits that WebGPU promises. */
const LEAST: Limits = { bufferBytes: Infinity, alignment: 256, workgroup: { invocations: 256, bytes: 16384 } };

export class PaperBackend extends Backend {
  constructor({ profile = GPU, limits = LEAST }: PaperOptions = {}) {
    super(
      { name: "paper", vendor: "", architecture: "", kind: "paper" },
      { ...limits, bufferBytes: Infinity },
      profile,
    );
  }

  protected createBuffer(size: number): DeviceBuffer {
    return { size };
  }

  protected destroyBuffer(): void {}

  write(): void {}

  read(): Promise<never> {
    return Promise.reject(new GpuError("a backend on paper computes nothing: there is nothing to read"));
  }

  compile(shader: Shader): Pipeline {
    this.counters.pipelinesCreated++;
    return { shader, ready: Promise.resolve() };
  }

  /** Counts what running `commands` would submit. */
  program(commands: readonly Command[]): Replay {
    const { counters } = this, dispatches = commands.filter((command) => "shader" in command);
    counters.bindGroupsCreated += dispatches.length;
    return {
      run(steps = 1) {
        counters.dispatches += steps * dispatches.length;
        return Promise.resolve();
      },
      profile: () =>
        Promise.resolve(dispatches.map(({ shader, grid }) => (
          { kernel: shader.file, workgroups: grid[0] * grid[1] * grid[2], microseconds: null }
        ))),
    };
  }

  time(): Promise<null> {
    return Promise.resolve(null);
  }

  describe(): Promise<AdapterDetails> {
    return Promise.resolve({ limits: {}, features: [], timestamps: false, others: [] });
  }

  close(): void {}
}
