/**
 * RAdam.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { type BetaOptions, betasOf, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/radam.wgsl");

export interface RAdamOptions extends BetaOptions {
  /** Weight decay as in AdamW. Default false. */
  decoupledWeightDecay?: boolean;
}

export const RADAM: Rule<RAdamOptions> = {
  name: "RAdam",
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, decoupledWeightDecay: false, maximize: false },
  update: ({ betas, eps, decoupledWeightDecay, weightDecay, maximize }) => {
    // The logarithm of 0 is not finite, and not needed: the length is never more than 1 then.
    const rho = 2 / (1 - betas[1]) - 1, log = betas[1] === 0 ? 100 : -Math.log(betas[1]);
    return updateOf({
      name: "radam",
      kernel,
      constants: { ...betasOf(betas), EPS: eps, LOG: log, RHO: rho, OVER: rho - 2 / log },
      states: { "exp_avg": 0, "exp_avg_sq": 0 },
      decays: betas,
      weightDecay,
      decoupled: decoupledWeightDecay,
      maximize,
    });
  },
};

/**
 * `torch.optim.RAdam` (Liu et al. 2020): `Adam`, whose step is rectified by the variance of its divisor, and has none
 * in the first steps.
 *
 * Defaults: lr 0.001, betas [0.9, 0.999], eps 1e-8, weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class RAdam extends RuleOptimizer<RAdamOptions> {
  constructor(params: Params<RAdamOptions>, options: RAdamOptions = {}) {
    super(RADAM, params, options);
  }
}
