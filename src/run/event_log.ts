/**
 * A run's event files, which TensorBoard shows: `tensorboard --logdir runs`.
 *
 * @module
 */
import { join } from "node:path";
import { fileError } from "../files/file_error.ts";
import { DivergedError } from "../errors.ts";
import { histogramOf } from "../io/histogram.ts";
import { encodeEvent, type Event, type SummaryValue } from "../io/tfevents.ts";
import { encodeRecord } from "../io/tfrecord.ts";

const PREFIX = "events.out.tfevents.";

/** The event file of a process. What is added is in the file when the call returns, however the run may end. */
export class EventLog {
  /** The file. */
  readonly path: string;

  /**
   * Begins a new file. Those of earlier processes stay as they are; TensorBoard reads all, in the order of their names.
   *
   * @param folder the run's folder, which exists.
   * @param step steps that the run has done: see `restart()`.
   * @throws {DataError} if the file cannot be made.
   */
  constructor(folder: string, step: number) {
    this.path = newFile(folder);
    this.add({ kind: "version", wallTime: now(), step: 0 });
    this.restart(step);
  }

  /** The run goes on after `step` steps: what the files say about later ones no longer counts. */
  restart(step: number): void {
    this.add({ kind: "start", wallTime: now(), step: step + 1 });
  }

  /** Adds an image, a PNG file. */
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
   * @param weights by their names, as `conv1.weight`. None is empty.
   * @throws {DivergedError} where a value is not finite.
   */
  histograms(
    step: number,
    weights: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array> = new Map(),
  ): void {
    const of = (group: string, arrays: ReadonlyMap<string, Float32Array>) =>
      Array.from(arrays, ([name, values]) => {
        if (!values.every(Number.isFinite)) {
          throw new DivergedError(
            `${group}/${name} is not finite after step ${step}: training diverged; try a smaller --lr`,
          );
        }
        return { tag: `${group}/${name}`, histogram: histogramOf(values) };
      });
    this.#addValues(step, [...of("weights", weights), ...of("gradients", gradients)]);
  }

  /**
   * Adds events, by one write.
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

/** Makes the file, whose name comes after all others, also within the same second or after the clock was set back. */
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
