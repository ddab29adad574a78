/**
 * NAdam.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { type BetaOptions, betasOf, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/nadam.wgsl");

export interface NAdamOptions extends BetaOptions {
  /** How fast the momentum rises to the first beta. Default 0.004. */
  momentumDecay?: number;
  /** Weight decay as in AdamW. Default false. */
  decoupledWeightDecay?: boolean;
}

export const NADAM: Rule<NAdamOptions> = {
  name: "NAdam",
  defaults: {
    lr: 2e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    momentumDecay: 4e-3,
    decoupledWeightDecay: false,
    maximize: false,
  },
  update: ({ betas, eps, momentumDecay, decoupledWeightDecay, weightDecay, maximize }) => {
    const factor = 0.96 ** momentumDecay;
    return updateOf({
      name: "nadam",
      kernel,
      constants: { ...betasOf(betas), EPS: eps, FACTOR: factor },
      states: { "exp_avg": 0, "exp_avg_sq": 0 },
      decays: [...betas, factor],
      product: true,
      weightDecay,
      decoupled: decoupledWeightDecay,
      maximize,
    });
  },
};

/**
 * `torch.optim.NAdam` (Dozat 2016): `Adam` with Nesterov's momentum, μ_t = β₁ (1 − 0.96^(t momentumDecay) / 2). As in
 * PyTorch 2: version 1.13 has one factor μ_t too many in a product.
 *
 * Defaults: lr 0.002, betas [0.9, 0.999], eps 1e-8, weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class NAdam extends RuleOptimizer<NAdamOptions> {
  constructor(params: Params<NAdamOptions>, options: NAdamOptions = {}) {
    super(NADAM, params, options);
  }
}
