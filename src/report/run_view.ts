/**
 * Reads the folder of a run for the report. The run may be old, still training, or interrupted, so any file may be missing.
 * Only a folder without any of the files is not a run.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import { makeConfig } from "../config/config.ts";
import type { GivenConfig } from "../config/settings.ts";
import { fileChunks, fileSize, readWholeFile } from "../files/read.ts";
import { fileError } from "../files/file_error.ts";
import { DataError, WgradError } from "../errors.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import { parseJson } from "../files/json.ts";
import { type EvaluationFile, evaluationFromJson } from "../run/evaluation_file.ts";
import { LOCK } from "../run/lock.ts";
import { type Filters, filtersOf } from "./filters.ts";
import { addLine, failureOf, noSeries, type Series } from "./page/series.js";

/** The largest JSON file, and the longest line of metrics, in bytes. Parsing takes up to 30 times as much memory. */
const MAX_TEXT = 1 << 22, MAX_LINE = 1 << 20;

/**
 * The state of a run. "stopped": it was interrupted before its test. "ended-early": it was ended before its last step, and
 * tested then. "diverged": it failed since a loss was not finite.
 */
export type RunState =
  | "running"
  | "paused"
  | "stopping"
  | "testing"
  | "finished"
  | "ended-early"
  | "failed"
  | "diverged"
  | "stopped";

/** Everything that a page shows of a run. It can be sent as JSON. */
export interface RunView {
  /** The name of the folder. */
  readonly name: string;
  /** The path of the folder, as the caller gave it. */
  readonly path: string;
  readonly state: RunState;
  /** The settings. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The default of each setting; of those that an optimizer or a schedule has, the default for that of the run. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Versions, the adapter and other facts about the machine. */
  readonly environment: Readonly<Record<string, unknown>>;
  /** The curves, with at most a few thousand points each, and the events. */
  readonly series: Series;
  /** How many lines of `metrics.jsonl` could not be read, not counting a last line that is cut off. */
  readonly badLines: number;
  readonly evaluation?: EvaluationFile;
  readonly filters?: Filters;
}

/**
 * Reads a run.
 *
 * @param ended true if the caller holds the lock of the run and the run is over. Default false.
 * @param weights whether to read the weights too, for the filters. Default true.
 * @throws {DataError} if the folder does not exist or is not a run, or one of its files is damaged
 */
export async function readRun(path: string, { ended = false, weights = true } = {}): Promise<RunView> {
  const has = async (name: string) => await fileSize(join(path, name)) !== undefined;
  const info = await Deno.stat(path).catch((error) => {
    throw fileError("read the run", path, error);
  });
  if (!info.isDirectory) throw new DataError(`${path} is not the folder of a run`);
  if (!await has("config.json") && !await has("metrics.jsonl")) {
    throw new DataError(`${path} is not a run: it has neither config.json nor metrics.jsonl`);
  }
  const { series, badLines } = await readMetrics(join(path, "metrics.jsonl"));
  const testFile = join(path, "evaluation.json"), test = isTested(series) ? await readText(testFile) : undefined;
  const evaluation = test === undefined ? undefined : evaluationFromJson(test, testFile);
  const filters = weights ? await readFilters(join(path, "model.safetensors")) : undefined;
  const config = await readRecord(join(path, "config.json"));
  return {
    name: basename(resolve(path)),
    path,
    state: !ended && await isLocked(path) ? "running" : stateOfEnded(series, evaluation !== undefined),
    config,
    defaults: defaultsFor(config),
    environment: await readRecord(join(path, "run.json")),
    series,
    badLines,
    ...(evaluation && { evaluation }),
    ...(filters && { filters }),
  };
}

/**
 * Whether the last test was of the weights that the run has now. A run that went on after its test has a line of training after
 * it; or, since it goes back to its checkpoint, no line of the test and an event.
 */
function isTested({ curves, events, testedAt }: Series): boolean {
  const trained = curves.loss!.x.at(-1) ?? 0;
  return testedAt === 0 ? !events.some(({ event }) => event === "resume") : testedAt >= trained;
}

/** The state of a run that no process has. */
function stateOfEnded(series: Series, hasEvaluation: boolean): RunState {
  const failure = failureOf(series);
  if (failure) return failure.state;
  if (!hasEvaluation && series.curves.testAccuracy!.x.length === 0) return "stopped";
  return series.events.at(-1)?.event === "stop" ? "ended-early" : "finished";
}

/** Reads the lines of metrics, if the file exists. A last line without a line break is still being written, or cut off. */
async function readMetrics(path: string): Promise<Pick<RunView, "series" | "badLines">> {
  const series = noSeries();
  let badLines = 0, rest = "";
  const add = (text: string): boolean => {
    try {
      const line = parseJson(text);
      if (typeof line !== "object" || line === null) return false;
      addLine(series, line as Record<string, unknown>);
      return true;
    } catch {
      return false;
    }
  };
  if (await fileSize(path) === undefined) return { series, badLines };
  const decoder = new TextDecoder();
  for await (const chunk of fileChunks(path)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line !== "" && !add(line)) badLines++;
    if (rest.length > MAX_LINE) {
      throw new DataError(`${path} does not contain metrics: a line is longer than ${MAX_LINE} bytes`);
    }
  }
  add(rest);
  return { series, badLines };
}

/** The defaults of a run with these settings. Another version may know its optimizer or schedule; then the tutorial's. */
function defaultsFor({ optimizer, schedule }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const tutorial = makeConfig();
  try {
    const config = makeConfig({ optimizer, schedule } as GivenConfig);
    return { ...config, optimizer: tutorial.optimizer, schedule: tutorial.schedule };
  } catch (error) {
    if (!(error instanceof WgradError)) throw error;
    return { ...tutorial };
  }
}

/** The content of a text file; undefined if it does not exist. */
async function readText(path: string): Promise<string | undefined> {
  const size = await fileSize(path);
  if (size === undefined) return undefined;
  if (size > MAX_TEXT) throw new DataError(`${path} has ${size} bytes, which is too large for this file of a run`);
  return await Deno.readTextFile(path).catch((error) => {
    throw fileError("read", path, error);
  });
}

async function readRecord(path: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseJson(await readText(path) ?? "{}");
  } catch (error) {
    if (error instanceof WgradError) throw error;
    throw new DataError(`${path} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DataError(`${path} must contain one JSON object`);
}

/** The filters of the first layer; undefined if the weights cannot be read, since a report works without them. */
async function readFilters(path: string): Promise<Filters | undefined> {
  try {
    const bytes = await readWholeFile(path);
    return bytes && filtersOf(decodeSafetensors(bytes, path));
  } catch (error) {
    if (error instanceof WgradError) return undefined;
    throw error;
  }
}

/** Whether a process holds the lock of a run. */
export async function isLocked(folder: string): Promise<boolean> {
  try {
    using file = await Deno.open(join(folder, LOCK), { read: true });
    return !await file.tryLock(false);
  } catch {
    return false; // No lock, or no permission to ask.
  }
}
