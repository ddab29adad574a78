/**
 * RMSprop.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { type CommonOptions, type Rule, RuleOptimizer } from "./optimizer.ts";
import type { Params } from "./settings.ts";

const kernel = shader("optim/rmsprop.wgsl");

export interface RMSpropOptions extends CommonOptions {
  /** The share of the moving averages that is kept in a step. Default 0.99. */
  alpha?: number;
  /** The share of the last update that is kept. Default 0. */
  momentum?: number;
  /** Divides by the deviation of the gradient, instead of by the root of its mean square. Default false. */
  centered?: boolean;
}

export const RMSPROP: Rule<RMSpropOptions> = {
  name: "RMSprop",
  defaults: { lr: 0.01, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false, maximize: false },
  update: ({ alpha, eps, momentum, centered, ...options }) =>
    updateOf({
      name: "rmsprop",
      kernel,
      constants: { ALPHA: alpha, REST: 1 - alpha, EPS: eps, MOMENTUM: momentum, CENTERED: centered },
      states: {
        "square_avg": 0,
        ...(centered ? { "grad_avg": 0 } : {}),
        ...(momentum === 0 ? {} : { "momentum_buffer": 0 }),
      },
      ...options,
    }),
};

/**
 * `torch.optim.RMSprop` (Hinton 2012): with s the moving average of the gradient's square, p −= lr g / (√s + eps).
 *
 * Defaults: lr 0.01, eps 1e-8, weightDecay 0. If rounding makes the centered variance negative, which gives NaN in
 * PyTorch, it counts as 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class RMSprop extends RuleOptimizer<RMSpropOptions> {
  constructor(params: Params<RMSpropOptions>, options: RMSpropOptions = {}) {
    super(RMSPROP, params, options);
  }
}
