/**
 * What a run ran on, for its `run.json`. With `config.json` this is everything that is needed to repeat the run, except the
 * version of the GPU's driver: WebGPU does not give it, though the name of an adapter may contain it.
 *
 * @module
 */
import { type AdapterInfo, type AdapterRecord, adapterRecord } from "../backend/adapter.ts";
import { makerOf, vulkanDrivers } from "../backend/makers.ts";
import { VERSION } from "../version.ts";

/** What `environment()` cannot find out by itself. */
export interface EnvironmentParts {
  readonly adapter: AdapterInfo;
  /** The images that the run is trained on. */
  readonly data: {
    readonly name: string;
    readonly images: number;
    /** The checksum of the images; checkpoints have it too. */
    readonly sha256: string;
  };
  readonly seed: number;
  /** The command line, word by word: `["wgrad", "train", "--lr", "0.1"]`. */
  readonly command: readonly string[];
  /** When the process started. */
  readonly started: Date;
}

/** What `run.json` says about a process of the run. */
export interface Environment extends Omit<EnvironmentParts, "adapter" | "command" | "started"> {
  /** `vendor` is the maker's name, if it is known. */
  readonly adapter: AdapterRecord & {
    /** The backend that was asked for; null for the system's default. */
    readonly backend: string | null;
    /** See `vulkanDrivers()`; absent if there are none. */
    readonly vulkanDrivers?: readonly string[];
  };
  /** The version of wgrad. */
  readonly wgrad: string;
  /** The versions of Deno and of its JavaScript engine. */
  readonly deno: string;
  readonly v8: string;
  /** The system, as `linux`, and the processor, as `x86_64`. */
  readonly os: string;
  readonly arch: string;
  /** The command, quoted for a POSIX shell. */
  readonly command: string;
  /** ISO 8601, in UTC. */
  readonly started: string;
}

/** Describes this process and its device. */
export async function environment(
  { adapter, data, seed, command, started }: EnvironmentParts,
): Promise<Environment> {
  const { version, build } = Deno, drivers = await vulkanDrivers();
  return {
    wgrad: VERSION,
    command: command.map(shellWord).join(" "),
    started: started.toISOString(),
    seed,
    data: { ...data },
    adapter: {
      ...adapterRecord(adapter),
      vendor: makerOf(adapter.vendor),
      // The flag --backend sets this variable when the device is opened.
      backend: Deno.env.get("DENO_WEBGPU_BACKEND") || null,
      ...(drivers.length > 0 && { vulkanDrivers: drivers }),
    },
    os: build.os,
    arch: build.arch,
    deno: version.deno,
    v8: version.v8,
  };
}

/** Quotes a word for a POSIX shell. */
function shellWord(word: string): string {
  return /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
