/**
 * The images per second of a run.
 *
 * @module
 */

/** The least time to measure over, in seconds: the end of a chunk of steps is known less precisely than that. */
const MIN_SECONDS = 2;

/** Where a run is: the images that all steps took so far, and the seconds. */
export interface Done {
  readonly images: number;
  readonly seconds: number;
}

/** Measures images per second over at least two seconds. */
export class Throughput {
  /** The measurement begins here. */
  #from: Done = { images: 0, seconds: 0 };
  /** What was measured last. */
  #rate: number | null = null;

  /** Measures from here on: the run starts, or goes on from another step. */
  restart(from: Done): void {
    this.#from = from;
    this.#rate = null;
  }

  /** Images per second now. Before the first two seconds are over, those since the start. */
  at({ images, seconds }: Done): number {
    const elapsed = seconds - this.#from.seconds, rate = (images - this.#from.images) / elapsed;
    if (elapsed < MIN_SECONDS) return this.#rate ?? rate;
    this.#from = { images, seconds };
    this.#rate = rate;
    return rate;
  }
}
