/**
 * What a run ran on and with, for its `run.json`: with `config.json` this is all that it takes to run it again. But for the
 * driver's version, which WebGPU does not tell: a name of an adapter may have it.
 *
 * @module
 */
import type { AdapterDescription } from "../backend/webgpu/device.ts";
import { makerOf, vulkanDrivers } from "../backend/webgpu/makers.ts";
import { VERSION } from "../version.ts";

/** The pieces. */
export interface EnvironmentParts {
  readonly adapter: AdapterDescription;
  /** What was trained on. */
  readonly data: {
    readonly name: string;
    readonly images: number;
    /** The checksum that checkpoints have too. */
    readonly sha256: string;
  };
  readonly seed: number;
  /** The command as it was typed, word by word: `["wgrad", "train", "--lr", "0.1"]`. */
  readonly command: readonly string[];
  /** When the process started. */
  readonly started: Date;
}

/** What `run.json` holds. */
export interface Environment extends Omit<EnvironmentParts, "adapter" | "command" | "started"> {
  /** `vendor` is the maker's name, where it is known. */
  readonly adapter: AdapterDescription & {
    /** As it was asked for; null: the system's own. */
    readonly backend: string | null;
    /** See `vulkanDrivers()`; not there where none is found. */
    readonly vulkanDrivers?: readonly string[];
  };
  /** The version of wgrad. */
  readonly wgrad: string;
  /** The versions of what it runs on. */
  readonly deno: string;
  readonly v8: string;
  /** The system, as `linux`, and the processor, as `x86_64`. */
  readonly os: string;
  readonly arch: string;
  /** The command, to be pasted into a POSIX shell. */
  readonly command: string;
  /** ISO 8601, in UTC. */
  readonly started: string;
}

/** Describes a run. */
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
      ...adapter,
      vendor: makerOf(adapter.vendor),
      // The flag --backend is there too, once there is a device.
      backend: Deno.env.get("DENO_WEBGPU_BACKEND") || null,
      ...(drivers.length > 0 && { vulkanDrivers: drivers }),
    },
    os: build.os,
    arch: build.arch,
    deno: version.deno,
    v8: version.v8,
  };
}

/** A word as a POSIX shell reads it. */
function shellWord(word: string): string {
  return /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
