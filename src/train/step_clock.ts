/**
 * The time that the steps of a run take, and how many of them to submit at once.
 *
 * @module
 */

/** How long a chunk of steps should take: reading its losses costs some 10 ms, and a chunk cannot be interrupted. */
const CHUNK_SECONDS = 0.5;

/** The time of some steps. */
export interface StepTime {
  /** Seconds of all steps: before these, and with them. */
  readonly since: number;
  readonly seconds: number;
  /** The mean of a step, in seconds. The first chunk, for which kernels are compiled, counts only while there is no other. */
  readonly secondsPerStep: number;
}

/** A clock that runs while steps do. Made when a run starts or goes on. */
export class StepClock {
  /** When the run would have started if it had trained without a break, in milliseconds. */
  #start: number;
  #seconds: number;
  /** Where `secondsPerStep` is measured from. */
  #from: { readonly step: number; readonly seconds: number };
  #hasFirst = false;
  #chunk = 1;

  /**
   * @param step the steps that are done.
   * @param seconds how long they took.
   * @param mostSteps the most steps in a chunk.
   */
  constructor(step: number, seconds: number, readonly mostSteps: number) {
    this.#start = performance.now() - seconds * 1000;
    this.#seconds = seconds;
    this.#from = { step, seconds };
  }

  /** The steps to submit next. It grows from 1 until a chunk takes about half a second. */
  get chunk(): number {
    return this.#chunk;
  }

  /** Steps have ended now. @param step all steps that are done. */
  done(step: number): StepTime {
    const since = this.#seconds, seconds = (performance.now() - this.#start) / 1000;
    const secondsPerStep = (seconds - this.#from.seconds) / (step - this.#from.step);
    this.#seconds = seconds;
    return { since, seconds, secondsPerStep };
  }

  /** Sets the size of the next chunk by the time of the last one. */
  adapt(step: number, { seconds, secondsPerStep }: StepTime): void {
    this.#chunk = Math.max(1, Math.min(this.mostSteps, Math.round(CHUNK_SECONDS / secondsPerStep), this.#chunk * 4));
    if (!this.#hasFirst) this.#from = { step, seconds };
    this.#hasFirst = true;
  }

  /** Stops the clock. @returns starts it again. */
  stop(): () => void {
    const stopped = performance.now();
    return () => void (this.#start += performance.now() - stopped);
  }
}
