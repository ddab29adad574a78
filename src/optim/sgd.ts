/**
 * Stochastic gradient descent.
 *
 * @module
 */
import type { Update } from "../ops/optimizer.ts";
import { f32 } from "../ops/options.ts";
import { shader } from "../../shaders/mod.ts";
import { type Rule, RuleOptimizer } from "./optimizer.ts";
import type { GroupOptions, Params } from "./settings.ts";

const plain = shader("optim/sgd.wgsl");
const withMomentum = shader("optim/sgd_momentum.wgsl");

export interface SgdOptions {
  /** The learning rate, 0 or more. Default 0.001. */
  lr?: number;
  /** The share of the last update that is kept, 0 or more. Default 0. */
  momentum?: number;
  /** The gradient counts 1 − dampening in the momentum. Default 0. */
  dampening?: number;
  /** The weight of the L2 penalty. Default 0. */
  weightDecay?: number;
  /** Looks ahead along the momentum. Needs a momentum and no dampening. Default false. */
  nesterov?: boolean;
  /** Maximizes: moves along the gradient instead of against it. Default false. */
  maximize?: boolean;
}

/** A group of parameters with its options; for those that are missing, the optimizer's options hold. */
export type SgdGroup = GroupOptions<SgdOptions>;

export const SGD_RULE: Rule<SgdOptions> = {
  name: "SGD",
  defaults: { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false },
  readers: { dampening: f32 },
  complaint: ({ nesterov, momentum, dampening }) =>
    nesterov && (momentum === 0 || dampening !== 0) ? "nesterov needs a momentum and no dampening" : null,
  update({ momentum, dampening, weightDecay, nesterov, maximize }): Update {
    const shared = { WEIGHT_DECAY: weightDecay, MAXIMIZE: maximize };
    if (momentum === 0) {
      return { states: {}, change: { name: "sgd", kernel: plain, constants: shared }, counting: null };
    }
    const constants = { ...shared, MOMENTUM: momentum, DAMPENING: dampening, NESTEROV: nesterov };
    return {
      // NaN stands for no momentum yet. Without dampening, zero gives the same first step.
      states: { momentum: dampening === 0 ? 0 : NaN },
      change: { name: "sgd", kernel: withMomentum, constants, readsCopies: true },
      counting: null,
    };
  },
};

/**
 * Gradient descent with momentum: `torch.optim.SGD` (Sutskever et al. 2013, in PyTorch's form). With d = gradient +
 * weightDecay p: b = d at first, later momentum b + (1 − dampening) d; p −= lr b, or, with Nesterov, p −= lr (d +
 * momentum b). The state is called "momentum"; PyTorch calls it "momentum_buffer".
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class SGD extends RuleOptimizer<SgdOptions> {
  /** @param params leaves, or groups of them. Those without a gradient, such as frozen ones, are left alone. */
  constructor(params: Params<SgdOptions>, options: SgdOptions = {}) {
    super(SGD_RULE, params, options);
  }
}
