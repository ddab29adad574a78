/**
 * Lookahead, around any optimizer.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { UsageError } from "../errors.ts";
import { change } from "../ops/optimizer.ts";
import { describe, option, readOptions } from "../ops/options.ts";
import { noGrad, zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { copiesOf } from "./ema.ts";
import { type Group, Optimizer } from "./optimizer.ts";
import { count, share } from "./settings.ts";

const kernel = shader("optim/lookahead.wgsl");

export interface LookaheadOptions {
  /** The steps of the inner optimizer for each step of the slow weights. Default 5. */
  k?: number;
  /** How far the slow weights move towards the parameters, 0 to 1. Default 0.5. */
  alpha?: number;
}

/**
 * Lookahead (Zhang et al. 2019), which PyTorch does not have: the inner optimizer takes k steps; then the slow weights,
 * which start as the parameters, move by the share `alpha` towards the parameters, which start again from there.
 *
 * Its groups and rates are the inner optimizer's. Its state is the inner optimizer's, with the slow weights
 * "GROUP.slow.INDEX" and the count of steps "lookahead.step".
 *
 * @throws {UsageError} if an option is out of range or unknown.
 */
export class Lookahead extends Optimizer {
  readonly #slow: readonly (readonly Tensor[])[];
  readonly #steps = zeros([1], { dtype: "u32" });
  readonly k: number;
  readonly alpha: number;

  constructor(readonly optimizer: Optimizer, options: LookaheadOptions = {}) {
    if (!(optimizer instanceof Optimizer)) {
      throw new UsageError(`Lookahead: expected an optimizer, got ${describe(optimizer)}`);
    }
    const table = { k: option(count, 5), alpha: option(share, 0.5) };
    const { k, alpha } = readOptions(options, table, "Lookahead", UsageError);
    super(optimizer.paramGroups as readonly Group[]);
    this.k = k;
    this.alpha = alpha;
    this.#slow = optimizer.paramGroups.map(({ params }) => copiesOf(params));
  }

  override step(): void {
    this.optimizer.step();
    const rule = { name: "lookahead", kernel, constants: { K: this.k, ALPHA: this.alpha } };
    noGrad(() => {
      this.#steps.add_(1);
      this.paramGroups.forEach(({ params }, i) => {
        const kinds = [params, this.#slow[i]!];
        const all = kinds.map((kind) => ({ values: kind.map(({ value }) => value), writes: true }));
        const updated = change(rule, all, [this.#steps.value]);
        kinds.flat().forEach((one, j) => one.assign(updated[j]!, "step"));
      });
    });
  }

  override stateDict(): Map<string, Tensor> {
    const slow = this.#slow.flatMap((all, i) => all.map((one, j) => [`${i}.slow.${j}`, one] as const));
    return new Map([...this.optimizer.stateDict(), ...slow, ["lookahead.step", this.#steps]]);
  }
}
