/**
 * Moving averages of weights.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { UsageError } from "../errors.ts";
import { packLeaves } from "../graph/leaves.ts";
import { constant } from "../graph/node.ts";
import { change, updateOf } from "../ops/optimizer.ts";
import { describe, option, readOptions } from "../ops/options.ts";
import { noGrad, tensor } from "../tensor/create.ts";
import { loadState } from "../tensor/state.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkParameter, share } from "./settings.ts";

const { change: average } = updateOf({
  name: "ema",
  kernel: shader("optim/ema.wgsl"),
  constants: {},
  states: {},
});

/** Copies of tensors, which one kernel can treat as one array if nothing was computed from them yet. */
export function copiesOf(tensors: readonly Tensor[]): readonly Tensor[] {
  const copies = tensors.map((one) => {
    const { host, shape } = one.value;
    return host ? new Tensor(constant(host.slice(), shape)) : noGrad(() => one.clone());
  });
  packLeaves(copies.map(({ value }) => value));
  return copies;
}

/**
 * The exponential moving average of parameters, to evaluate a model with: torch's `AveragedModel` with
 * `get_ema_multi_avg_fn(decay)`. Unlike PyTorch's, it starts from the parameters at the time when it is made, so that
 * the first `update()` averages already, and it has no modules.
 *
 * ```ts
 * const ema = new optim.EMA(net.parameters(), { decay: 0.99 });
 * const step = compile(() => {
 *   // forward, backward, optimizer.step()
 *   ema.update();
 * });
 * await step.run(1000);
 * ema.swap(); // Now the net has the averages.
 * // evaluate
 * ema.swap(); // Now it has its parameters again.
 * ```
 *
 * @throws {UsageError} if the decay is not from 0 to 1, or a parameter is no leaf of f32, or given twice.
 */
export class EMA {
  readonly #params: readonly Tensor[];
  /** The averages, in the order of the parameters. */
  readonly averages: readonly Tensor[];
  readonly decay: number;
  readonly #rate: Tensor;

  /** @param options `decay`: the share of an average that is kept in an update. Default 0.999. */
  constructor(params: readonly Tensor[], options: { decay?: number } = {}) {
    if (!Array.isArray(params)) throw new UsageError(`EMA: expected an array of tensors, got ${describe(params)}`);
    if (params.length === 0) throw new UsageError("EMA: there are no parameters");
    params.forEach((one) => checkParameter(one, "EMA"));
    if (new Set(params).size < params.length) throw new UsageError("EMA: a parameter is given twice");
    const { decay } = readOptions(options, { decay: option(share, 0.999) }, "EMA", UsageError);
    this.#params = [...params];
    this.decay = decay;
    this.#rate = tensor([1 - decay]);
    packLeaves(params.map(({ value }) => value));
    this.averages = copiesOf(params);
  }

  /** average = decay average + (1 − decay) parameter, for each. */
  update(): void {
    const values = (all: readonly Tensor[]) => all.map(({ value }) => value);
    const updated = noGrad(() =>
      change(
        average,
        [{ values: values(this.averages), writes: true }, { values: values(this.#params), writes: false }],
        [this.#rate.value],
      )
    );
    this.averages.forEach((one, i) => one.assign(updated[i]!, "update"));
  }

  /** Exchanges the parameters and their averages. A second call undoes it. */
  swap(): void {
    noGrad(() =>
      this.#params.forEach((param, i) => {
        const before = param.detach();
        param.copy_(this.averages[i]!);
        this.averages[i]!.copy_(before);
      })
    );
  }

  /** The averages by their number: "average.0". The tensors are not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.averages.map((one, i) => [`average.${i}`, one]));
  }

  /**
   * Copies the values of a state that `stateDict()` returned.
   *
   * @throws {UsageError} if it does not fit. Nothing is changed then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    loadState(this.stateDict(), state, (why) => new UsageError(`EMA: the state does not fit: ${why}`));
  }
}
