/**
 * A checkpoint: everything that a run needs to go on to the same bits, as one safetensors file. Its tensors are
 * `model.NAME`, `optimizer.NAME` and `ema.NAME` (the averages, by the names of their parameters); the rest is JSON in the
 * metadata. A checksum covers every byte of the file.
 *
 * @module
 */
import { printable } from "../foreign_text.ts";
import { parseJson } from "../files/json.ts";
import { areNamed } from "../data/class_names.ts";
import { UsageError, WeightsError } from "../errors.ts";
import { hasSum } from "../io/checksum.ts";
import { decodeSafetensors, encodeWithSum } from "../io/safetensors.ts";
import type { StoredTensor } from "../io/stored_tensor.ts";
import { isPlain } from "../ops/options.ts";
import { VERSION } from "../version.ts";
import type { DataIdentity } from "../train/device_data.ts";
import type { Sums } from "../train/trainer.ts";
import type { DataSource } from "./data_source.ts";
import type { PartOfInterval } from "./intervals.ts";
import type { MetricsAtStep, SavedMetrics } from "./metrics.ts";
import type { RunConfig } from "../config/settings.ts";

/** How far a run has come, and what it found so far: plain JSON. */
export interface RunState {
  /** Steps done in all; the epoch, from 1; and the steps done in it. */
  readonly step: number;
  readonly epoch: number;
  readonly stepInEpoch: number;
  /** The steps of this epoch. */
  readonly ofEpoch: Sums;
  /** The intervals that have begun: of the printed lines, and of the metrics. */
  readonly printed: PartOfInterval;
  readonly noted: PartOfInterval;
  /** Seconds that the steps took. */
  readonly seconds: number;
  /** The factor of the learning rate, and how many times it was halved after a loss that was not finite. */
  readonly rateScale: number;
  readonly restores: number;
  /** The state of the schedule; null if it has none. */
  readonly schedule: unknown;
  /** The result of `getRngState()`. */
  readonly rng: readonly number[];
  /** The best validation so far; null if there was none. */
  readonly best: BestSoFar | null;
  /** The variants of kernels that the run uses. Other variants round differently. */
  readonly kernels: Readonly<Record<string, string>>;
  /** The settings, as `config.json` has them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The images that the run is trained on. */
  readonly data: DataIdentity;
  /** What `metrics.jsonl` held. Older checkpoints have its text instead, as the tensor `metrics`. */
  readonly metrics?: SavedMetrics;
}

/** The validation with the smallest loss. */
export interface BestSoFar {
  readonly step: number;
  readonly loss: number;
  readonly accuracy: number;
}

/** A checkpoint in memory. */
export interface Checkpoint {
  readonly state: RunState;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** What it takes to use weights: the model, and how its inputs are normalized. */
export interface WeightsConfig extends Pick<RunConfig, "model" | "normalize"> {
  /** The names of the classes, by label, if they are known. */
  readonly classes?: readonly string[];
  /** The data that the weights were trained on, if it is known. */
  readonly source?: DataSource;
}

/** The metadata of a safetensors file of weights. Other programs that read such files need `format`. */
export function labelsOf({ model, normalize, classes, source }: WeightsConfig): Record<string, string> {
  return {
    format: "pt",
    model,
    normalize,
    wgrad: VERSION,
    ...(classes && areNamed(classes) && { classes: JSON.stringify(classes) }),
    ...(source && { data: JSON.stringify(source) }),
  };
}

/** The tensor that holds the metrics in older checkpoints. */
const METRICS = "metrics";

/** Encodes a checkpoint as a safetensors file. */
export function encodeCheckpoint(
  { state, tensors }: Checkpoint,
  config: WeightsConfig,
): Uint8Array<ArrayBuffer> {
  return encodeWithSum(tensors, { ...labelsOf(config), checkpoint: JSON.stringify(state) });
}

/**
 * Decodes the bytes of a checkpoint, and leaves them unchanged.
 *
 * @param where the file's name, for the errors.
 * @throws {WeightsError} if the file is no checkpoint, was cut short, or was altered.
 */
export function decodeCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const { tensors, metadata: { checkpoint } } = decodeSafetensors(bytes, where);
  if (checkpoint === undefined) throw new WeightsError(`${where} holds weights alone, and is no checkpoint`);
  if (!hasSum(bytes)) {
    throw new WeightsError(`${where} was altered: its SHA-256 is not the one that it was written with`);
  }
  const state = checkpointState(checkpoint);
  const fits = [...tensors].every(([name, { dtype }]) =>
    dtype === (name === METRICS ? "U8" : /^(F32|U32)$/.exec(dtype)?.[0])
  );
  if (!state || !fits || !(state.metrics || tensors.has(METRICS))) {
    throw new WeightsError(`${where} is no checkpoint of a run`);
  }
  return { state, tensors };
}

/** Parses the state of a checkpoint. @returns undefined if the text is something else. */
function checkpointState(text: string): RunState | undefined {
  let state: RunState;
  try {
    state = parseJson(text) as RunState;
  } catch {
    return undefined;
  }
  const isCount = (value: unknown) => Number.isSafeInteger(value) && value as number >= 0;
  if (!isPlain(state) || !isPlain(state.config) || !isPlain(state.data) || !isPlain(state.kernels)) {
    return undefined;
  }
  state = completed(state);
  const { step, epoch, stepInEpoch, ofEpoch, restores, rng, best, data, kernels, metrics } = state;
  const counts = ({ steps, images, correct }: Omit<Sums, "loss">) => [steps, images, correct].every(isCount);
  const isPart = (part: PartOfInterval) => isPlain(part) && counts(part) && Number.isFinite(part.sum);
  const numbers = [ofEpoch.loss, state.seconds, state.rateScale];
  const fits = [step, epoch, stepInEpoch, restores, data.images].every(isCount) && epoch >= 1 && step >= stepInEpoch &&
    numbers.every(Number.isFinite) && counts(ofEpoch) && [state.printed, state.noted].every(isPart) &&
    state.seconds >= 0 &&
    state.rateScale >= 0 &&
    Array.isArray(rng) && rng.length === 3 && rng.every(isCount) && typeof data.sha256 === "string" &&
    Object.values(kernels).every((name) => typeof name === "string") &&
    (metrics === undefined || (isPlain(metrics) && isCount(metrics.bytes) && typeof metrics.sha256 === "string")) &&
    (best === null || (isPlain(best) && isCount(best.step) && [best.loss, best.accuracy].every(Number.isFinite)));
  return fits ? state : undefined;
}

/** A state with what older checkpoints lack: they did not count predictions. */
function completed(state: RunState & { readonly lossOfEpoch?: number }): RunState {
  const { lossOfEpoch, printed, noted, ofEpoch, ...rest } = state, none = { images: 0, correct: 0 };
  return {
    ...rest,
    ofEpoch: ofEpoch ?? { ...none, steps: state.stepInEpoch, loss: lossOfEpoch! },
    printed: { ...none, ...printed },
    noted: { ...none, ...noted },
  };
}

/** The tensors whose names start with `prefix`, by the rest of their names. */
export function part(tensors: ReadonlyMap<string, StoredTensor>, prefix: string): Map<string, StoredTensor> {
  return new Map(
    [...tensors].flatMap(([name, one]) => name.startsWith(prefix) ? [[name.slice(prefix.length), one] as const] : []),
  );
}

/** The weights of a checkpoint, named as in a file of weights: the averages if there are any, else the parameters. */
export function weightsIn(tensors: ReadonlyMap<string, StoredTensor>): Map<string, StoredTensor> {
  return new Map([...part(tensors, "model."), ...part(tensors, "ema.")]);
}

/**
 * Compares the images that a run was trained on with those of the data set now.
 *
 * @throws {UsageError} if they differ.
 */
export function checkSameData(before: DataIdentity, now: DataIdentity, name: string): void {
  if (before.images === now.images && before.sha256 === now.sha256) return;
  throw new UsageError(
    `--resume: ${printable(name)} has other images than the run was trained on (${now.images} of SHA-256 ${
      now.sha256.slice(0, 12)
    }…, ` +
      `before ${before.images} of ${
        printable(before.sha256.slice(0, 12))
      }…): bring those back, or go on all the same with --force`,
  );
}

/** The metrics of the run when a checkpoint was made. */
export function metricsIn({ state: { step, metrics }, tensors }: Checkpoint): MetricsAtStep {
  if (metrics) return { step, saved: metrics };
  return { step, saved: new TextDecoder().decode(tensors.get(METRICS)?.data as Uint8Array) };
}
