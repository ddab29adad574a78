/**
 * Adam and AdamW.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { type Update, updateOf } from "../ops/optimizer.ts";
import { type BetaOptions, betasOf, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/adam.wgsl");

export interface AdamOptions extends BetaOptions {
  /** Divides by the largest mean of squares so far, instead of the present one: AMSGrad. Default false. */
  amsgrad?: boolean;
}

const DEFAULTS = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
} as const;

function update(name: string, options: Required<AdamOptions>, decoupled: boolean): Update {
  const { betas, eps, weightDecay, amsgrad, maximize } = options;
  return updateOf({
    name,
    kernel,
    constants: { ...betasOf(betas), EPS: eps, AMSGRAD: amsgrad },
    states: { "exp_avg": 0, "exp_avg_sq": 0, ...(amsgrad ? { "max_exp_avg_sq": 0 } : {}) },
    decays: betas,
    weightDecay,
    decoupled,
    maximize,
  });
}

export const ADAM: Rule<AdamOptions> = {
  name: "Adam",
  defaults: DEFAULTS,
  update: (options) => update("adam", options, false),
};

export const ADAMW: Rule<AdamOptions> = {
  name: "AdamW",
  defaults: { ...DEFAULTS, weightDecay: 0.01 },
  update: (options) => update("adamw", options, true),
};

/**
 * `torch.optim.Adam` (Kingma & Ba 2015): m and v are the moving averages of the gradient and its square, and
 * p −= lr m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + eps) in step t of the parameter.
 *
 * Defaults: lr 0.001, betas [0.9, 0.999], eps 1e-8, weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class Adam extends RuleOptimizer<AdamOptions> {
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super(ADAM, params, options);
  }
}

/**
 * `torch.optim.AdamW` (Loshchilov & Hutter 2019): `Adam`, but that the weight decay is decoupled: p −= lr weightDecay p
 * comes first, and the gradient is left alone.
 *
 * Defaults: lr 0.001, betas [0.9, 0.999], eps 1e-8, weightDecay 0.01.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class AdamW extends RuleOptimizer<AdamOptions> {
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super(ADAMW, params, options);
  }
}
