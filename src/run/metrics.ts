/**
 * What a run measures. One call writes it to `metrics.jsonl` (one JSON object a line), to `metrics.csv` (the same as a
 * table) and to the event file of TensorBoard.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { writeAtomically } from "../files/write.ts";
import { DataError } from "../errors.ts";
import type { Event } from "../io/tfevents.ts";
import { EventLog, now } from "./event_log.ts";

/** Every so many steps. */
export interface TrainingLine {
  /** Steps done in all. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Steps done in this epoch. */
  readonly stepInEpoch: number;
  /** The mean loss since the line before. */
  readonly loss: number;
  /** The learning rate of the last step. */
  readonly lr: number;
  readonly imagesPerSecond: number;
  /** Seconds that all steps took. */
  readonly seconds: number;
}

/** A test on images that are held out of training. */
export interface ValidationLine {
  readonly step: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly valLoss: number;
  /** The share of images that were classified rightly, 0 to 1. */
  readonly valAccuracy: number;
}

/** A test on the data set's test images. */
export interface TestLine {
  readonly step: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly testLoss: number;
  /** The share of images that were classified rightly, 0 to 1. */
  readonly testAccuracy: number;
}

/** Something that happened to the run. */
export interface EventLine {
  readonly step: number;
  readonly event: "resume" | "lr" | "restore" | "device-lost" | "failed";
  /** What else there is to know: plain JSON. */
  readonly [detail: string]: unknown;
}

/** A line of `metrics.jsonl`. A number that is not finite is a string there: "NaN", "Infinity", "-Infinity". */
export type MetricLine = TrainingLine | ValidationLine | TestLine | EventLine;

/** The columns of `metrics.csv`: keys of lines, and a last one for all other keys, as JSON. */
export const COLUMNS = [
  "step",
  "epoch",
  "stepInEpoch",
  "seconds",
  "loss",
  "lr",
  "imagesPerSecond",
  "valLoss",
  "valAccuracy",
  "testLoss",
  "testAccuracy",
  "event",
  "details",
] as const;

/** The keys that TensorBoard has charts of, and their names there. */
const CHARTS = {
  loss: "loss/train",
  valLoss: "loss/val",
  testLoss: "loss/test",
  valAccuracy: "accuracy/val",
  testAccuracy: "accuracy/test",
  lr: "lr",
  imagesPerSecond: "images_per_second",
} as const;

/** The metrics of a run. */
export class MetricsLog {
  private constructor(
    readonly jsonl: string,
    readonly csv: string,
    /** TensorBoard's file, for images and histograms. */
    readonly events: EventLog,
  ) {}

  /** Is told of lines that were added. */
  heard: (lines: readonly MetricLine[]) => void = () => {};

  /**
   * Begins the files of a run, or goes on with them as `restore()` does.
   *
   * @param folder the run's folder, which exists.
   * @param text what `lines()` gave at the checkpoint with which the run goes on.
   * @param step steps done at that checkpoint.
   * @throws {DataError} if a file cannot be written.
   */
  static async open(folder: string, text = "", step = 0): Promise<MetricsLog> {
    const jsonl = join(folder, "metrics.jsonl"), csv = join(folder, "metrics.csv");
    await rewrite(jsonl, csv, text);
    return new MetricsLog(jsonl, csv, new EventLog(folder, step));
  }

  /**
   * Adds lines. They are in all files when this returns, however the run may end.
   *
   * @throws {DataError} if a file cannot be written.
   */
  add(...lines: readonly MetricLine[]): void {
    if (lines.length === 0) return;
    append(this.jsonl, lines.map(jsonLine).join(""));
    append(this.csv, lines.map(csvLine).join(""));
    this.events.add(...eventsOf(lines));
    this.heard(lines);
  }

  /**
   * The text of `metrics.jsonl` so far.
   *
   * @throws {DataError} if it cannot be read.
   */
  lines(): string {
    try {
      return wholeLines(Deno.readTextFileSync(this.jsonl));
    } catch (error) {
      throw fileError("read", this.jsonl, error);
    }
  }

  /**
   * Goes back to what a checkpoint has: later lines are cut from the files, and TensorBoard drops later steps.
   *
   * @param text what `lines()` gave then.
   * @param step steps done then.
   * @throws {DataError} if a file cannot be written.
   */
  async restore(text: string, step: number): Promise<void> {
    await rewrite(this.jsonl, this.csv, text);
    this.events.restart(step);
  }
}

/**
 * The lines of a `metrics.jsonl`, with its numbers as numbers. A last line without an end, which a killed process
 * leaves, is dropped.
 *
 * @param where the file's name, for the errors.
 * @throws {DataError} where another line is no JSON object.
 */
export function parseMetrics(text: string, where: string): MetricLine[] {
  return text.split("\n").slice(0, -1).map((line, i) => {
    try {
      const object = JSON.parse(line);
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

/** JSON has no numbers that are not finite, and `null` would not say which it was. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function jsonLine(line: MetricLine): string {
  return `${JSON.stringify(line, plain)}\n`;
}

/** A line as RFC 4180 has it. */
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

/** The numbers of lines for TensorBoard. The last was measured now, and those before it earlier. */
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

function append(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(path, text, { append: true });
  } catch (error) {
    throw fileError("write", path, error);
  }
}

async function rewrite(jsonl: string, csv: string, text: string): Promise<void> {
  const lines = parseMetrics(text, jsonl), encoder = new TextEncoder();
  await writeAtomically(jsonl, encoder.encode(wholeLines(text)));
  await writeAtomically(csv, encoder.encode(`${COLUMNS.join(",")}\r\n${lines.map(csvLine).join("")}`));
}
