/**
 * The weights that a run saves at its end: with a validation split those of the best validation, else those of the last
 * step.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import type { RunConfig } from "../config/settings.ts";
import { MODELS } from "../models/registry.ts";
import type { Module } from "../nn/module.ts";
import { type BestSoFar, weightsIn } from "./checkpoint.ts";
import { readCheckpoint } from "./checkpoints.ts";
import type { RunWeights } from "./evaluation_file.ts";
import type { Session } from "./session.ts";
import { applyWeights } from "./weights.ts";

/** Weights in a model that can be tested and saved. */
export interface FinalWeights extends RunWeights {
  readonly module: Module;
}

/** Which weights a run saves. */
export function whichIsFinal({ final, valSplit }: Pick<RunConfig, "final" | "valSplit">): "best" | "last" {
  return final ?? (valSplit > 0 ? "best" : "last");
}

/**
 * The weights that a run saves, and the others that it has: the last of a run that saves the best, and the best of one that
 * saves the last. To be called after its last step.
 *
 * @returns `other`: null if the run has no others, or the last are the best.
 * @throws {DataError} if the best weights cannot be read.
 */
export async function finalWeights(
  session: Session,
  classes: number,
  warn: (line: string) => void,
): Promise<{ readonly saved: FinalWeights; readonly other: FinalWeights | null }> {
  const { trainer, config, best, validated } = session, { step } = trainer.position, { model, ema } = trainer;
  ema?.swap();
  const describe = (weights: "best" | "last", step: number, result: BestSoFar | null): RunWeights => ({
    weights,
    epoch: trainer.epochAt(step),
    step,
    averaged: ema !== null,
    validation: result && { images: session.validationImages, loss: result.loss, accuracy: result.accuracy },
  });
  const wanted = whichIsFinal(config), lastResult = [validated, best].find((one) => one?.step === step) ?? null;
  // The last weights may be the best.
  const isBest = wanted === "best" && best?.step === step;
  const last = { ...describe(isBest ? "best" : "last", step, lastResult), module: model };
  if (!best || best.step === step) return { saved: last, other: null };
  const module = await bestModule(session, best.step, classes, warn);
  if (!module) return { saved: last, other: null };
  const kept = { ...describe("best", best.step, best), module };
  return wanted === "best" ? { saved: kept, other: last } : { saved: last, other: kept };
}

/** A model with the best weights; null if their file is missing or damaged. */
async function bestModule(
  { config, folder: { checkpoints: { best: path } } }: Session,
  step: number,
  classes: number,
  warn: (line: string) => void,
): Promise<Module | null> {
  const checkpoint = await readCheckpoint(path).catch((error) => {
    if (!(error instanceof WeightsError)) throw error;
    return undefined;
  });
  if (checkpoint?.state.step !== step) {
    warn(`WARNING: ${path} no longer has the best weights, of step ${step}: the last weights are saved and tested`);
    return null;
  }
  const module = MODELS[config.model].make({ classes });
  applyWeights(module, weightsIn(checkpoint.tensors), path);
  return module;
}
