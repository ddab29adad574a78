/**
 * The typed errors of wgrad, below every other room. An error says what failed, with which value, and what to do about
 * it, in one line; `main.ts` prints that line and exits with `exitCode`. Anything that is not a `WgradError` is a bug.
 *
 * Code that needs a part of a message reads the error's fields. It never takes a message apart.
 *
 * @module
 */

/** What an error knows besides its text. */
export interface ErrorDetails {
  /** What the user can do about it. It is the end of the message. */
  readonly remedy?: string | undefined;
  /** The step of the run that failed, from 1. */
  readonly step?: number | undefined;
}

/** The root of every error that wgrad throws on purpose. */
export class WgradError extends Error {
  /** The exit code of the process when this error ends it. */
  readonly exitCode: number = 1;
  override name = "WgradError";
  /** See `ErrorDetails`. */
  readonly remedy: string | undefined;
  readonly step: number | undefined;

  /** @param what what failed; the message is this, followed by the remedy if there is one. */
  constructor(readonly what: string, { remedy, step }: ErrorDetails = {}) {
    super(remedy === undefined ? what : `${what}: ${remedy}`);
    this.remedy = remedy;
    this.step = step;
  }
}

/** The command line, a configuration key or an option has a value that cannot be used. */
export class UsageError extends WgradError {
  override readonly exitCode = 2;
  override name = "UsageError";
}

/** A shape, dtype or argument given to a tensor operation does not fit. */
export class ShapeError extends WgradError {
  override name = "ShapeError";
}

/** A data set, archive or record file is missing, short, altered or malformed. */
export class DataError extends WgradError {
  override name = "DataError";
}

/** A weights file is malformed, or does not fit the model. */
export class WeightsError extends WgradError {
  override name = "WeightsError";
}

/** No adapter, a missing limit, a kernel that does not compile, or an uncaptured error of the device. */
export class GpuError extends WgradError {
  override name = "GpuError";
}

/** The machine has no GPU adapter. */
export class NoAdapterError extends GpuError {
  override name = "NoAdapterError";
}

/** The device was lost: a driver reset, a removed card. */
export class DeviceLostError extends GpuError {
  override name = "DeviceLostError";
}

/** The device does not have enough memory. */
export class OutOfMemoryError extends GpuError {
  override name = "OutOfMemoryError";

  /**
   * @param of what did not fit: one tensor, or all memory that is in use together.
   * @param asked bytes that were asked for.
   * @param available bytes that are available for that, as far as is known.
   */
  constructor(
    what: string,
    readonly of: "tensor" | "all",
    readonly asked: number,
    readonly available: number,
    details: ErrorDetails = {},
  ) {
    super(what, details);
  }
}

/** The run itself failed: a loss or the result of an op is not finite, or a gradient is wrong. */
export class TrainingError extends WgradError {
  override name = "TrainingError";
}

/** In anomaly mode: an op made NaN or an infinity. */
export class AnomalyError extends TrainingError {
  override name = "AnomalyError";

  /**
   * @param finding which op, and what it made.
   * @param step the step of the program in which it did, from 1, if there was one.
   * @param submitted the number of steps that were submitted together, if `step` counts from the first of them.
   */
  constructor(readonly finding: string, step?: number, submitted?: number) {
    const place = submitted === undefined ? `${step}` : `${step} of run(${submitted})`;
    super(`anomaly${step === undefined ? "" : ` in step ${place}`}: ${finding}`, { step });
  }
}

/** The remedy of a `DivergedError` in training. */
export const DIVERGED_REMEDY = "training diverged; try a smaller --lr";

/** A loss, a weight or a gradient is not finite: training has diverged. */
export class DivergedError extends TrainingError {
  override name = "DivergedError";
}
