/**
 * What a run ran on and with, for its `run.json`: with `config.json` this is all that it takes to run it again.
 *
 * @module
 */
import type { AdapterDescription } from "../gpu/device.ts";
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
export interface Environment extends Omit<EnvironmentParts, "command" | "started"> {
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
export function environment({ adapter, data, seed, command, started }: EnvironmentParts): Environment {
  const { version, build } = Deno;
  return {
    wgrad: VERSION,
    command: command.map(shellWord).join(" "),
    started: started.toISOString(),
    seed,
    data: { ...data },
    adapter: { ...adapter },
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
