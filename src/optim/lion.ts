/**
 * Lion.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { betasOf, type RateOptions, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/lion.wgsl");

export interface LionOptions extends RateOptions {
  /** The share of the moving average that is kept: for this step, and for the next. */
  betas?: readonly [number, number];
}

export const LION: Rule<LionOptions> = {
  name: "Lion",
  defaults: { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0 },
  update: ({ betas, weightDecay }) =>
    updateOf({
      name: "lion",
      kernel,
      constants: betasOf(betas),
      states: { "exp_avg": 0 },
      weightDecay,
      decoupled: true,
    }),
};

/**
 * Lion (Chen et al. 2023), which PyTorch does not have: with m the moving average of the gradient, p −= lr weightDecay p,
 * then p −= lr sign(β₁ m + (1 − β₁) g), then m = β₂ m + (1 − β₂) g.
 *
 * Defaults: lr 0.0001, betas [0.9, 0.99], weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class Lion extends RuleOptimizer<LionOptions> {
  constructor(params: Params<LionOptions>, options: LionOptions = {}) {
    super(LION, params, options);
  }
}
