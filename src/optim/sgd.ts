/**
 * Stochastic gradient descent.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { packLeaves } from "../graph/plan.ts";
import { sgd } from "../ops/optimizer.ts";
import { full, noGrad, tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface SgdOptions {
  /** The learning rate, 0 or more. Default 0.001. */
  lr?: number;
  /** How much of the last update is kept, 0 or more. Default 0. */
  momentum?: number;
  /** How much less than 1 the gradient counts in the momentum. Default 0. */
  dampening?: number;
  /** The weight of the L2 penalty. Default 0. */
  weightDecay?: number;
  /** Looks ahead along the momentum. Needs a momentum and no dampening. Default false. */
  nesterov?: boolean;
}

/** A group of parameters with options of its own; those that it lacks are the optimizer's. */
export interface SgdGroup extends SgdOptions {
  params: readonly Tensor[];
}

const DEFAULTS = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false };

type Settings = Required<SgdOptions>;

/** A group's settings, its parameters, and their state. */
class Group {
  readonly params: readonly Tensor[];
  readonly momentum: number;
  readonly dampening: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  #lr: number;
  /** The rate where kernels read it, so that a new one needs no new kernel. */
  readonly rate: Tensor;
  /** A buffer for each parameter; none without momentum. */
  readonly buffers: readonly Tensor[];

  constructor(params: readonly Tensor[], { lr, momentum, dampening, weightDecay, nesterov }: Settings) {
    this.params = params;
    this.momentum = momentum;
    this.dampening = dampening;
    this.weightDecay = weightDecay;
    this.nesterov = nesterov;
    this.#lr = lr;
    this.rate = tensor([lr]);
    // NaN stands for no momentum yet. Without dampening, zero gives the same first step.
    this.buffers = momentum === 0 ? [] : params.map((one) => full(one.shape, dampening === 0 ? 0 : NaN));
    packLeaves(this.params.map((one) => one.value));
    packLeaves(this.buffers.map((one) => one.value));
  }

  /** The learning rate. A new one takes effect with the next step. */
  get lr(): number {
    return this.#lr;
  }

  set lr(lr: number) {
    check({ ...DEFAULTS, lr });
    if (lr === this.#lr) return;
    this.#lr = lr;
    this.rate.fill_(lr);
  }
}

/**
 * Gradient descent with momentum: `torch.optim.SGD` (Sutskever et al. 2013, in PyTorch's form).
 * With d = gradient + weightDecay p: b = d at first, later momentum b + (1 − dampening) d; p −= lr b, or, with Nesterov,
 * p −= lr (d + momentum b).
 *
 * @throws {UsageError} where an option is out of range or unknown.
 */
export class SGD {
  readonly paramGroups: readonly Group[];

  /** @param params tensors that require gradients, or groups of them. Those without a gradient are left alone. */
  constructor(params: readonly Tensor[] | readonly SgdGroup[], options: SgdOptions = {}) {
    if (params.length === 0) throw new UsageError("SGD: there are no parameters");
    const grouped = "params" in params[0]! ? params as readonly SgdGroup[] : [{ params: params as readonly Tensor[] }];
    const seen = new Set<Tensor>();
    this.paramGroups = grouped.map(({ params, ...own }) => {
      for (const param of params) {
        if (!param.isLeaf || !param.requiresGrad) {
          throw new UsageError("SGD: a parameter is no leaf that requires gradients");
        }
        if (seen.has(param)) throw new UsageError("SGD: a parameter is given twice");
        seen.add(param);
      }
      return new Group(params, check({ ...DEFAULTS, ...options, ...own }));
    });
  }

  /** The learning rate of the first group; setting it sets that of all. */
  get lr(): number {
    return this.paramGroups[0]!.lr;
  }

  set lr(lr: number) {
    for (const group of this.paramGroups) group.lr = lr;
  }

  /** Updates every parameter that has a gradient. */
  step(): void {
    noGrad(() => {
      for (const { params, rate, buffers, momentum, dampening, weightDecay, nesterov } of this.paramGroups) {
        const active = params.flatMap((one, i) => one.grad ? [i] : []);
        if (active.length === 0) continue;
        const changed = [...active.map((i) => params[i]!), ...active.flatMap((i) => buffers[i] ?? [])];
        const updated = sgd(
          active.map((i) => params[i]!.value),
          active.map((i) => params[i]!.grad!.value),
          rate.value,
          active.flatMap((i) => buffers[i]?.value ?? []),
          { momentum, dampening, weightDecay, nesterov },
        );
        changed.forEach((one, i) => one.assign(updated[i]!, "step"));
      }
    });
  }

  /** Forgets the parameters' gradients. */
  zeroGrad(): void {
    for (const { params } of this.paramGroups) for (const param of params) param.grad = null;
  }

  /** The state: "GROUP.momentum.INDEX" for each parameter, with momentum. The tensors are the optimizer's own. */
  stateDict(): Map<string, Tensor> {
    return new Map(
      this.paramGroups.flatMap(({ buffers }, group) =>
        buffers.map((buffer, i): [string, Tensor] => [`${group}.momentum.${i}`, buffer])
      ),
    );
  }

  /** Takes the elements of a state that `stateDict()` of the same optimizer gave. Throws `UsageError` where it differs. */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const own = this.stateDict();
    const odd = [...own.keys()].filter((name) => String(state.get(name)?.shape) !== String(own.get(name)!.shape));
    const extra = [...state.keys()].filter((name) => !own.has(name));
    if (odd.length + extra.length > 0) {
      throw new UsageError(`SGD: the state does not fit: ${[...odd, ...extra].join(", ")}`);
    }
    for (const [name, mine] of own) mine.copy_(state.get(name)!);
  }
}

function check(settings: Settings): Settings {
  for (const name of Object.keys(settings)) {
    if (!(name in DEFAULTS)) throw new UsageError(`SGD: unknown option "${name}"`);
  }
  for (const name of ["lr", "momentum", "weightDecay"] as const) {
    if (!(settings[name] >= 0 && settings[name] < Infinity)) {
      throw new UsageError(`SGD: ${name} must be 0 or more, got ${settings[name]}`);
    }
  }
  if (!Number.isFinite(settings.dampening)) {
    throw new UsageError(`SGD: dampening must be a number, got ${settings.dampening}`);
  }
  if (settings.nesterov && (settings.momentum === 0 || settings.dampening !== 0)) {
    throw new UsageError("SGD: nesterov needs a momentum and no dampening");
  }
  return settings;
}
