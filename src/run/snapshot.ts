/**
 * Reads the state of a trainer from its device for a checkpoint, and writes it back.
 *
 * @module
 */
import { DIVERGED_REMEDY, DivergedError, UsageError, WeightsError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import { variantsOf } from "../graph/device.ts";
import type { StoredTensor } from "../io/stored_tensor.ts";
import { tensor } from "../tensor/create.ts";
import { getRngState, setRngState } from "../tensor/random_state.ts";
import { readAll } from "../tensor/realize.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Checkpoint, part, type RunState } from "./checkpoint.ts";
import type { RunConfig } from "../config/settings.ts";
import { NO_SUMS, type Position, type Trainer } from "../train/trainer.ts";

/** The part of a run's state that the trainer knows. */
export type TrainerState = Pick<
  RunState,
  "step" | "epoch" | "stepInEpoch" | "ofEpoch" | "seconds" | "rateScale" | "schedule" | "rng"
>;

/** All tensors that steps change, by their names in a checkpoint. */
function tensorsOf({ model, optimizer, ema }: Trainer): Map<string, Tensor> {
  const named = (prefix: string, all: Iterable<readonly [string, Tensor]>) =>
    Array.from(all, ([name, one]) => [`${prefix}.${name}`, one] as const);
  const averages = ema ? model.namedParameters().map(([name], i) => [name, ema.averages[i]!] as const) : [];
  return new Map([
    ...named("model", model.stateDict()),
    ...named("optimizer", optimizer.stateDict()),
    ...named("ema", averages),
  ]);
}

/**
 * Reads the state between two steps. Waits for the device.
 *
 * @throws {DivergedError} if a value is not finite: a run could not go back to such a state.
 */
export async function capture(trainer: Trainer): Promise<{ state: TrainerState; tensors: Map<string, StoredTensor> }> {
  const named = [...tensorsOf(trainer)], { position, rateScale, schedule } = trainer;
  const data = await readAll(named.map(([, one]) => one)), rng = await getRngState();
  const tensors = new Map<string, StoredTensor>();
  named.forEach(([name, { shape }], i) => {
    const values = data[i]!;
    if (values instanceof Float32Array && !values.every(Number.isFinite)) {
      const { step } = position;
      throw new DivergedError(`${name} is not finite after step ${step}`, { remedy: DIVERGED_REMEDY, step });
    }
    tensors.set(name, {
      dtype: values instanceof Float32Array ? "F32" : "U32",
      shape,
      data: values as StoredTensor["data"],
    });
  });
  return { state: { ...position, rateScale, schedule: schedule?.state() ?? null, rng }, tensors };
}

/**
 * Loads the state of a checkpoint into a trainer.
 *
 * @param where the checkpoint's name, for the errors.
 * @throws {WeightsError} if it does not fit: it is of another model or of another optimizer.
 */
export async function restore(trainer: Trainer, { state, tensors }: Checkpoint, where: string): Promise<void> {
  // Planned first, so that the loaded values move into the buffers of the step.
  await trainer.plan();
  const { model, optimizer, ema, schedule } = trainer, needed = tensorsOf(trainer);
  const missing = [...needed.keys()].find((name) => !tensors.has(name));
  if (missing !== undefined) throw new WeightsError(`${where}: the checkpoint has no ${missing}`);
  const loaded = (prefix: string) =>
    Array.from(part(tensors, `${prefix}.`), ([name, { shape, data }]): [string, Tensor] => [
      name,
      tensor(data as Float32Array | Uint32Array, { shape }),
    ]);
  try {
    model.loadStateDict(new Map(loaded("model")));
    optimizer.loadStateDict(new Map(loaded("optimizer")));
    if (ema) {
      const averages = new Map(loaded("ema"));
      ema.loadStateDict(new Map(model.namedParameters().map(([name], i) => [`average.${i}`, averages.get(name)!])));
    }
    if (schedule) schedule.loadState(state.schedule as Parameters<typeof schedule.loadState>[0]);
  } catch (error) {
    if (!(error instanceof WeightsError || error instanceof UsageError)) throw error;
    throw new WeightsError(`${where}: ${error.message}`);
  }
  setRngState(state.rng);
  trainer.rateScale = state.rateScale;
  trainer.position = positionIn(trainer, state);
}

/**
 * The position of a checkpoint. If the run goes on with another batch size (`--force`), the steps done in the epoch are those
 * that its images take now. The count of steps stays: a step that was taken is a step.
 */
export function positionIn(
  { config, stepsPerEpoch }: Pick<Trainer, "config" | "stepsPerEpoch">,
  state: RunState,
): Position {
  const imagesOf = ({ batchSize, accumulate }: Partial<RunConfig>) => (batchSize ?? 1) * (accumulate ?? 1);
  const before = imagesOf(state.config), now = imagesOf(config);
  const done = Math.floor(state.stepInEpoch * before / now), stepInEpoch = Math.min(done, stepsPerEpoch - 1);
  // What was summed so far is of other steps.
  return stepInEpoch === state.stepInEpoch ? state : { ...state, stepInEpoch, ofEpoch: NO_SUMS };
}

/** The steps that a run took until a checkpoint, less those that the images of its position take with `config`. */
export function shiftOf(config: RunConfig, images: number, state: RunState): number {
  const stepsPerEpoch = Math.ceil(images / (config.batchSize * config.accumulate));
  const { step, epoch, stepInEpoch } = positionIn({ config, stepsPerEpoch }, state);
  return step - (epoch - 1) * stepsPerEpoch - stepInEpoch;
}

/** The variants of kernels that a device uses instead of those that are estimated to be fastest. */
export function kernelsOf(gpu: Backend): Record<string, string> {
  return Object.fromEntries(variantsOf(gpu).chosen);
}

/** Makes a device use the variants that a run started with, and no others: variants round differently. */
export function useKernels(gpu: Backend, kernels: Readonly<Record<string, string>>): void {
  const { chosen } = variantsOf(gpu);
  chosen.clear();
  for (const [key, name] of Object.entries(kernels)) chosen.set(key, name);
}
