/**
 * `run.json` of a run: what it ran on, each time that it went on, and when it finished.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
import { join } from "node:path";
import type { Environment } from "./environment.ts";
import { readOwnText } from "./own_file.ts";

/** The content of `run.json`. */
export interface RunFile extends Environment {
  /** Each time that the run went on: from which step, and on what. */
  readonly resumed: readonly (Environment & { readonly step: number })[];
  /** When the run came to its end: ISO 8601, in UTC. */
  readonly finished?: string;
}

/** What the `run.json` in a folder says; undefined if there is none that can be read. */
export async function readRunFile(folder: string): Promise<Partial<RunFile> | undefined> {
  try {
    const value = parseJson(await readOwnText(join(folder, "run.json")) ?? "") as Partial<RunFile> | null;
    return typeof value === "object" && value && Array.isArray(value.resumed) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The file of a new run in `environment`. */
export function newRunFile(environment: Environment): RunFile {
  return { ...environment, resumed: [] };
}

/**
 * The file of a run that goes on in `environment`.
 *
 * @param before what the file says so far.
 * @param step the step that the run goes on from.
 */
export function resumedRunFile(before: Partial<RunFile> | undefined, environment: Environment, step: number): RunFile {
  const { finished: _, ...begun } = before ?? {};
  return { ...environment, ...begun, resumed: [...begun.resumed ?? [], { ...environment, step }] };
}
