/**
 * The typed errors of wgrad, below every other room. An error states the action, the value, and what to do about it,
 * in one line; `main.ts` prints that line and exits with `exitCode`. Anything that is not a `WgradError` is a bug.
 *
 * @module
 */

/** The root of every error that wgrad throws on purpose. */
export class WgradError extends Error {
  /** The exit code of the process when this error ends it. */
  readonly exitCode: number = 1;
  override name = "WgradError";
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

/** The device was lost: a driver reset, a removed card. */
export class DeviceLostError extends GpuError {
  override name = "DeviceLostError";
}

/** The device has not the memory for what was asked of it. */
export class OutOfMemoryError extends GpuError {
  override name = "OutOfMemoryError";

  /**
   * @param asked bytes that were asked for: by one tensor, or by all together.
   * @param available bytes that there are for that, as far as is known.
   */
  constructor(message: string, readonly of: "tensor" | "all", readonly asked: number, readonly available: number) {
    super(message);
  }
}

/** The run itself failed: the loss, or what an op made, is not finite; a gradient is not what it should be. */
export class TrainingError extends WgradError {
  override name = "TrainingError";
}

/** The loss is not finite: training has diverged. */
export class DivergedError extends TrainingError {
  override name = "DivergedError";
}
