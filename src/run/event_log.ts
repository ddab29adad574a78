/**
 * The event files of a run, which TensorBoard shows: `tensorboard --logdir runs`.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { DIVERGED_REMEDY, DivergedError } from "../errors.ts";
import { histogramOf } from "../io/histogram.ts";
import { encodeEvent, type Event, type SummaryValue } from "../io/tfevents.ts";
import { encodeRecord } from "../io/tfrecord.ts";

const PREFIX = "events.out.tfevents.";

/** The event file of a process. When a call returns, the events are in the file, even if the process is killed next. */
export class EventLog {
  /** The file. */
  readonly path: string;

  /**
   * Creates a new file. The files of earlier processes stay; TensorBoard reads all of them in the order of their names.
   *
   * @param folder the run's folder, which exists.
   * @param step the steps that the run has done: see `restart()`.
   * @throws {DataError} if the file cannot be made.
   */
  constructor(folder: string, step: number) {
    this.path = newFile(folder);
    this.add({ kind: "version", wallTime: now(), step: 0 });
    this.restart(step);
  }

  /** The run goes on after `step` steps: TensorBoard drops all events of later steps that came before this. */
  restart(step: number): void {
    this.add({ kind: "start", wallTime: now(), step: step + 1 });
  }

  /** Adds an image. @param png a PNG file. */
  image(step: number, tag: string, png: Uint8Array): void {
    this.#addValues(step, [{ tag, png }]);
  }

  /** Adds a text in Markdown. */
  text(step: number, tag: string, text: string): void {
    this.#addValues(step, [{ tag, text }]);
  }

  /**
   * Adds histograms of `weights/NAME` and `gradients/NAME`.
   *
   * @param weights by their names, such as `conv1.weight`. None of them is empty.
   * @throws {DivergedError} if a value is not finite.
   */
  histograms(
    step: number,
    weights: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array> = new Map(),
  ): void {
    const of = (group: string, arrays: ReadonlyMap<string, Float32Array>) =>
      Array.from(arrays, ([name, values]) => {
        if (!values.every(Number.isFinite)) {
          throw new DivergedError(`${group}/${name} is not finite after step ${step}`, {
            remedy: DIVERGED_REMEDY,
            step,
          });
        }
        return { tag: `${group}/${name}`, histogram: histogramOf(values) };
      });
    this.#addValues(step, [...of("weights", weights), ...of("gradients", gradients)]);
  }

  /**
   * Adds events in one write.
   *
   * @throws {DataError} if the file cannot be written.
   */
  add(...events: readonly Event[]): void {
    const records = events.map((event) => encodeRecord(encodeEvent(event)));
    const bytes = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const record of records) {
      bytes.set(record, at);
      at += record.length;
    }
    try {
      Deno.writeFileSync(this.path, bytes, { append: true });
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }

  #addValues(step: number, values: readonly SummaryValue[]): void {
    this.add({ kind: "values", wallTime: now(), step, values });
  }
}

/** Seconds since 1970. */
export function now(): number {
  return Date.now() / 1000;
}

/** Creates a file whose name sorts after all others, even within the same second or after the clock was set back. */
function newFile(folder: string): string {
  let path = join(folder, PREFIX);
  try {
    let time = Math.floor(now());
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.startsWith(PREFIX)) time = Math.max(time, parseInt(name.slice(PREFIX.length)) + 1 || 0);
    }
    path += `${time}.wgrad`;
    Deno.writeFileSync(path, new Uint8Array(), { createNew: true });
    return path;
  } catch (error) {
    throw fileError("write", path, error);
  }
}
