/**
 * A trainer's state out of the GPU, and back: what a checkpoint holds of it.
 *
 * @module
 */
import { DivergedError, UsageError, WeightsError } from "../errors.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { variantsOf } from "../graph/variants.ts";
import type { StoredTensor } from "../io/stored_tensor.ts";
import { tensor } from "../tensor/create.ts";
import { getRngState, setRngState } from "../tensor/random_state.ts";
import { readAll } from "../tensor/realize.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Checkpoint, part, type RunState } from "./checkpoint.ts";
import type { RunConfig } from "../config/settings.ts";
import type { Position, Trainer } from "../train/trainer.ts";

/** What of a run's state the trainer knows. */
export type TrainerState = Pick<
  RunState,
  "step" | "epoch" | "stepInEpoch" | "lossOfEpoch" | "seconds" | "rateScale" | "schedule" | "rng"
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
 * The state between two steps. Waits for the GPU.
 *
 * @throws {DivergedError} where a weight or a state is not finite: such a state is no good to go back to.
 */
export async function capture(trainer: Trainer): Promise<{ state: TrainerState; tensors: Map<string, StoredTensor> }> {
  const named = [...tensorsOf(trainer)], { position, rateScale, schedule } = trainer;
  const data = await readAll(named.map(([, one]) => one)), rng = await getRngState();
  const tensors = new Map<string, StoredTensor>();
  named.forEach(([name, { shape }], i) => {
    const own = data[i]!;
    if (own instanceof Float32Array && !own.every(Number.isFinite)) {
      throw new DivergedError(
        `${name} is not finite after step ${position.step}: training diverged; try a smaller --lr`,
      );
    }
    tensors.set(name, { dtype: own instanceof Float32Array ? "F32" : "U32", shape, data: own as StoredTensor["data"] });
  });
  return { state: { ...position, rateScale, schedule: schedule?.state() ?? null, rng }, tensors };
}

/**
 * Gives a trainer the state of a checkpoint.
 *
 * @param where the checkpoint's name, for the errors.
 * @throws {WeightsError} where it does not fit: it is of another model, or of another optimizer.
 */
export async function restore(trainer: Trainer, { state, tensors }: Checkpoint, where: string): Promise<void> {
  // Planned before: what is loaded then moves to the places that the step has for it.
  await trainer.plan();
  const { model, optimizer, ema, schedule } = trainer, wanted = tensorsOf(trainer);
  const missing = [...wanted.keys()].find((name) => !tensors.has(name));
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

/** The position of a checkpoint, also where the run goes on with steps of another size (`--force`). */
function positionIn({ config, stepsPerEpoch }: Trainer, state: RunState): Position {
  const imagesOf = ({ batchSize, accumulate }: Partial<RunConfig>) => (batchSize ?? 1) * (accumulate ?? 1);
  const before = imagesOf(state.config), now = imagesOf(config);
  const done = Math.floor(state.stepInEpoch * before / now), stepInEpoch = Math.min(done, stepsPerEpoch - 1);
  const step = (state.epoch - 1) * stepsPerEpoch + stepInEpoch;
  return step === state.step ? state : { ...state, step, stepInEpoch, lossOfEpoch: 0 };
}

/** The variants of kernels that were tuned for a device. */
export function kernelsOf(gpu: Gpu): Record<string, string> {
  return Object.fromEntries(variantsOf(gpu).chosen);
}

/** Has a device use the kernels that a run began with, and no others: variants round differently. */
export function useKernels(gpu: Gpu, kernels: Readonly<Record<string, string>>): void {
  const { chosen } = variantsOf(gpu);
  chosen.clear();
  for (const [key, name] of Object.entries(kernels)) chosen.set(key, name);
}
