/**
 * Adadelta.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { updateOf } from "../ops/optimizer.ts";
import { type CommonOptions, type Rule, RuleOptimizer } from "./optimizer.ts";
import { type Params, share } from "./settings.ts";

const kernel = shader("optim/adadelta.wgsl");

export interface AdadeltaOptions extends CommonOptions {
  /** The share of the moving averages that is kept in a step, 0 to 1. Default 0.9. */
  rho?: number;
}

export const ADADELTA: Rule<AdadeltaOptions> = {
  name: "Adadelta",
  defaults: { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false },
  readers: { rho: share },
  update: ({ rho, eps, ...options }) => {
    const constants = { RHO: rho, REST: 1 - rho, EPS: eps };
    return updateOf({ name: "adadelta", kernel, constants, states: { "square_avg": 0, "acc_delta": 0 }, ...options });
  },
};

/**
 * `torch.optim.Adadelta` (Zeiler 2012): with s and u the moving averages of the squares of the gradient and of the
 * update d = √(u + eps) / √(s + eps) g: p −= lr d.
 *
 * Defaults: lr 1, eps 1e-6, weightDecay 0.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class Adadelta extends RuleOptimizer<AdadeltaOptions> {
  constructor(params: Params<AdadeltaOptions>, options: AdadeltaOptions = {}) {
    super(ADADELTA, params, options);
  }
}
