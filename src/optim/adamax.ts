/**
 * Adamax.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { type BetaOptions, betasOf, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/adamax.wgsl");

export const ADAMAX: Rule<BetaOptions> = {
  name: "Adamax",
  defaults: { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false },
  update: ({ betas, eps, ...options }) => {
    const { BETA1, BETA2, REST1 } = betasOf(betas);
    const constants = { BETA1, BETA2, REST1, EPS: eps }, states = { "exp_avg": 0, "exp_inf": 0 };
    return updateOf({ name: "adamax", kernel, constants, states, decays: betas.slice(0, 1), ...options });
  },
};

/**
 * `torch.optim.Adamax` (Kingma & Ba 2015): `Adam` with the largest magnitude u of the gradient, which decays, instead
 * of the mean of its square: u = max(β₂ u, |g| + eps); p −= lr m / (1 − β₁ᵗ) / u.
 *
 * Defaults: lr 0.002, betas [0.9, 0.999], eps 1e-8, weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class Adamax extends RuleOptimizer<BetaOptions> {
  constructor(params: Params<BetaOptions>, options: BetaOptions = {}) {
    super(ADAMAX, params, options);
  }
}
