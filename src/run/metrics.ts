/**
 * The metrics of a run. One call writes them to `metrics.jsonl` (one JSON object per line), to `metrics.csv` (the same as a
 * table) and to the event file of TensorBoard.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { readWholeFile } from "../files/read.ts";
import { writeAtomically } from "../files/write.ts";
import { DataError } from "../errors.ts";
import type { Event } from "../io/tfevents.ts";
import { EventLog, now } from "./event_log.ts";

const encoder = new TextEncoder();

/** A line about an interval of steps. */
export interface TrainingLine {
  /** Steps done in all. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Steps done in this epoch. */
  readonly stepInEpoch: number;
  /** The mean loss of the interval. */
  readonly loss: number;
  /**
   * The share of the interval's images that were classified correctly, 0 to 1: by the weights before each step, in training
   * mode. Missing in files of older versions.
   */
  readonly accuracy?: number;
  /** The learning rate of the last step. */
  readonly lr: number;
  readonly imagesPerSecond: number;
  /** Seconds that all steps took. */
  readonly seconds: number;
}

/** A test on the images that are held out of training. */
export interface ValidationLine {
  readonly step: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly valLoss: number;
  /** The share of images that were classified correctly, 0 to 1. */
  readonly valAccuracy: number;
}

/** A test on the data set's test images. */
export interface TestLine {
  readonly step: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly testLoss: number;
  /** The share of images that were classified correctly, 0 to 1. */
  readonly testAccuracy: number;
  /** "best" if the weights are those of the best validation, after the step `weightsStep`. Default: those of `step`. */
  readonly weights?: "best";
  readonly weightsStep?: number;
}

/** Something that happened to the run. */
export interface EventLine {
  readonly step: number;
  readonly event: "resume" | "lr" | "restore" | "device-lost" | "stop" | "failed";
  /** More about the event: plain JSON. */
  readonly [detail: string]: unknown;
}

/** A line of `metrics.jsonl`. Numbers that are not finite are strings there: "NaN", "Infinity", "-Infinity". */
export type MetricLine = TrainingLine | ValidationLine | TestLine | EventLine;

/** The columns of `metrics.csv`: keys of lines, and a last column with all other keys as JSON. */
export const COLUMNS = [
  "step",
  "epoch",
  "stepInEpoch",
  "seconds",
  "loss",
  "accuracy",
  "lr",
  "imagesPerSecond",
  "valLoss",
  "valAccuracy",
  "testLoss",
  "testAccuracy",
  "event",
  "details",
] as const;

/** The keys that TensorBoard shows as charts, and their names there. */
const CHARTS = {
  loss: "loss/train",
  valLoss: "loss/val",
  testLoss: "loss/test",
  accuracy: "accuracy/train",
  valAccuracy: "accuracy/val",
  testAccuracy: "accuracy/test",
  lr: "lr",
  imagesPerSecond: "images_per_second",
} as const;

/** Which lines `metrics.jsonl` held at some moment. Lines are only ever added, so these are the first `bytes` bytes. */
export interface SavedMetrics {
  readonly bytes: number;
  /** Of those bytes. */
  readonly sha256: string;
}

/** The metrics of a run after `step` steps. */
export interface MetricsAtStep {
  readonly step: number;
  /** Older checkpoints hold the text itself. */
  readonly saved: SavedMetrics | string;
}

/** Called with a line about something that is wrong. */
type Warn = (line: string) => void;

/** The metrics of a run. */
export class MetricsLog {
  readonly jsonl: string;
  readonly csv: string;
  /** The length of `metrics.jsonl`, and the checksum of its bytes so far. */
  #bytes = 0;
  #sha256 = createHash("sha256");

  private constructor(
    folder: string,
    /** TensorBoard's file, for images and histograms. */
    readonly events: EventLog,
  ) {
    this.jsonl = join(folder, "metrics.jsonl");
    this.csv = join(folder, "metrics.csv");
  }

  /** Called with the lines that were added. */
  heard: (lines: readonly MetricLine[]) => void = () => {};

  /**
   * Creates the files of a new run, or restores those of a run that goes on, as `restore()` does.
   *
   * @param folder the run's folder, which exists.
   * @param from the metrics of the checkpoint to go on from; null for a new run.
   * @throws {DataError} if a file cannot be written.
   */
  static async open(folder: string, from: MetricsAtStep | null = null, warn: Warn = () => {}): Promise<MetricsLog> {
    const log = new MetricsLog(folder, new EventLog(folder, from?.step ?? 0));
    await log.#rewrite(from, warn);
    return log;
  }

  /**
   * Adds lines. They are in all files when this returns, even if the process is killed next.
   *
   * @throws {DataError} if a file cannot be written.
   */
  add(...lines: readonly MetricLine[]): void {
    if (lines.length === 0) return;
    const bytes = encoder.encode(lines.map(jsonLine).join(""));
    append(this.jsonl, bytes);
    this.#count(bytes);
    append(this.csv, encoder.encode(lines.map(csvLine).join("")));
    this.events.add(...eventsOf(lines));
    this.heard(lines);
  }

  /**
   * Identifies the lines of `metrics.jsonl` so far, for a checkpoint. They are on the disk when this returns, even if the
   * machine stops next.
   *
   * @throws {DataError} if they cannot be written to the disk.
   */
  saved(): SavedMetrics {
    sync(this.jsonl);
    return { bytes: this.#bytes, sha256: this.#sha256.copy().digest("hex") };
  }

  /**
   * Goes back to the metrics of a checkpoint: later lines are cut from the files, and TensorBoard drops later steps.
   *
   * @param from the metrics of the checkpoint; null to start with no lines.
   * @param warn called if `metrics.jsonl` no longer holds those lines. The run then keeps the lines that are left.
   * @throws {DataError} if a file cannot be read or written.
   */
  async restore(from: MetricsAtStep | null, warn: Warn): Promise<void> {
    await this.#rewrite(from, warn);
    this.events.restart(from?.step ?? 0);
  }

  async #rewrite(from: MetricsAtStep | null, warn: Warn): Promise<void> {
    const text = from ? await linesOf(this.jsonl, from, warn) : "", bytes = encoder.encode(text);
    const rows = parseMetrics(text, this.jsonl).map(csvLine);
    await writeAtomically(this.jsonl, bytes);
    await writeAtomically(this.csv, encoder.encode(`${COLUMNS.join(",")}\r\n${rows.join("")}`));
    this.#bytes = 0;
    this.#sha256 = createHash("sha256");
    this.#count(bytes);
  }

  #count(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#sha256.update(bytes);
  }
}

/** The lines that a checkpoint refers to. If the file no longer holds them, the lines up to the checkpoint's step. */
async function linesOf(path: string, { step, saved }: MetricsAtStep, warn: Warn): Promise<string> {
  if (typeof saved === "string") return wholeLines(saved);
  const file = await readWholeFile(path), bytes = file ?? new Uint8Array(0), head = bytes.subarray(0, saved.bytes);
  const whole = head.length === saved.bytes, decoder = new TextDecoder();
  if (whole && createHash("sha256").update(head).digest("hex") === saved.sha256) return decoder.decode(head);
  const what = !file ? "is missing" : whole ? "was altered" : "was cut short";
  warn(
    `WARNING: ${path} ${what}: it no longer holds the lines of the checkpoint of step ${step}, ` +
      "and the run goes on with the lines that are left",
  );
  const lines = wholeLines(decoder.decode(bytes)).split(/(?<=\n)/);
  return lines.filter((line) => stepOf(line) <= step).join("");
}

/** The step of a line of metrics; NaN if the line is something else. */
function stepOf(line: string): number {
  try {
    return parseMetrics(line, "")[0]?.step ?? NaN;
  } catch {
    return NaN;
  }
}

/**
 * Parses the lines of a `metrics.jsonl`. A last line without a line break, which a killed process leaves, is dropped.
 *
 * @param where the file's name, for the errors.
 * @throws {DataError} if any other line is not a JSON object with a step.
 */
export function parseMetrics(text: string, where: string): MetricLine[] {
  return text.split("\n").slice(0, -1).map((line, i) => {
    try {
      const object = parseJson(line) as MetricLine & Record<string, unknown>;
      if (typeof object?.step !== "number") throw new SyntaxError("not an object with a step");
      for (const key of Object.keys(CHARTS)) if (typeof object[key] === "string") object[key] = Number(object[key]);
      return object;
    } catch (error) {
      throw new DataError(`${where}: line ${i + 1} is no line of metrics: ${(error as Error).message}`);
    }
  });
}

function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

/** Numbers that are not finite become strings: JSON has no such numbers, and `null` would not say which it was. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function jsonLine(line: MetricLine): string {
  return `${JSON.stringify(line, plain)}\n`;
}

/** A line of the CSV file, by RFC 4180. */
function csvLine(line: MetricLine): string {
  const rest: Record<string, unknown> = { ...line }, cells: unknown[] = [];
  for (const column of COLUMNS.slice(0, -1)) {
    cells.push(rest[column] ?? "");
    delete rest[column];
  }
  cells.push(Object.keys(rest).length === 0 ? "" : JSON.stringify(rest, plain));
  return `${cells.map((cell) => quoted(String(cell))).join(",")}\r\n`;
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** The events of lines for TensorBoard. The last line was measured now, and the others earlier by their `seconds`. */
function eventsOf(lines: readonly MetricLine[]): Event[] {
  const measured = lines.filter((line): line is Exclude<MetricLine, EventLine> => !("event" in line));
  const end = now(), last = measured.at(-1)?.seconds ?? 0;
  return measured.map((line) => ({
    kind: "values",
    wallTime: end - (last - line.seconds),
    step: line.step,
    values: Object.entries(line).flatMap(([key, scalar]) =>
      key in CHARTS ? [{ tag: CHARTS[key as keyof typeof CHARTS], scalar }] : []
    ),
  }));
}

function append(path: string, bytes: Uint8Array): void {
  try {
    Deno.writeFileSync(path, bytes, { append: true });
  } catch (error) {
    throw fileError("write", path, error);
  }
}

function sync(path: string): void {
  try {
    using file = Deno.openSync(path, { append: true });
    file.syncSync();
  } catch (error) {
    throw fileError("write", path, error);
  }
}
