/**
 * Adagrad.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { type CommonOptions, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/adagrad.wgsl");

export interface AdagradOptions extends CommonOptions {
  /** The decay of the rate: in step t it is lr / (1 + (t − 1) lrDecay). Default 0. */
  lrDecay?: number;
  /** The first value of the sums of squares. Default 0. */
  initialAccumulatorValue?: number;
}

export const ADAGRAD: Rule<AdagradOptions> = {
  name: "Adagrad",
  defaults: { lr: 0.01, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, maximize: false },
  update: ({ lrDecay, initialAccumulatorValue, eps, ...options }) => {
    const constants = { LR_DECAY: lrDecay, EPS: eps };
    return updateOf({
      name: "adagrad",
      kernel,
      constants,
      states: { sum: initialAccumulatorValue },
      decays: [],
      ...options,
    });
  },
};

/**
 * `torch.optim.Adagrad` (Duchi et al. 2011): s += g²; p −= lr / (1 + (t − 1) lrDecay) g / (√s + eps).
 *
 * Defaults: lr 0.01, eps 1e-10, weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class Adagrad extends RuleOptimizer<AdagradOptions> {
  constructor(params: Params<AdagradOptions>, options: AdagradOptions = {}) {
    super(ADAGRAD, params, options);
  }
}
