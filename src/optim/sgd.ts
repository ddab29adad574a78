/**
 * Stochastic gradient descent.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { packLeaves } from "../graph/leaves.ts";
import { sgd } from "../ops/optimizer.ts";
import { checkFlag, checkOptions, describe, isPlain } from "../ops/options.ts";
import { full, noGrad, tensor } from "../tensor/create.ts";
import { loadState } from "../tensor/state.ts";
import { Tensor } from "../tensor/tensor.ts";

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
 * @throws {UsageError} where an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class SGD {
  readonly paramGroups: readonly Group[];

  /** @param params leaves, or groups of them. Those without a gradient, such as frozen ones, are left alone. */
  constructor(params: readonly Tensor[] | readonly SgdGroup[], options: SgdOptions = {}) {
    checkOptions(options, DEFAULTS, "SGD", UsageError);
    const seen = new Set<Tensor>();
    // All are checked before the first group is made.
    const groups = groupsOf(params).map(({ params, ...own }): [readonly Tensor[], Settings] => {
      for (const param of params) {
        checkParameter(param);
        if (seen.has(param)) throw new UsageError("SGD: a parameter is given twice");
        seen.add(param);
      }
      return [[...params], check({ ...DEFAULTS, ...options, ...own })];
    });
    this.paramGroups = groups.map(([params, settings]) => new Group(params, settings));
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

  /**
   * Takes the elements of a state that `stateDict()` of the same optimizer gave.
   *
   * @throws {UsageError} naming each tensor that is missing, unexpected, or of another shape or type. Nothing is changed
   * then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    loadState(this.stateDict(), state, (why) => new UsageError(`SGD: the state does not fit: ${why}`));
  }
}

/** What the optimizer is given, as groups. */
function groupsOf(params: readonly Tensor[] | readonly SgdGroup[]): readonly SgdGroup[] {
  const expected = "expected an array of tensors, such as model.parameters(), or of groups { params: [...] }";
  if (!Array.isArray(params)) throw new UsageError(`SGD: ${expected}, got ${describe(params)}`);
  if (params.length === 0) throw new UsageError("SGD: there are no parameters");
  if (!params.some(isPlain)) return [{ params }];
  for (const group of params) {
    if (!isPlain(group)) throw new UsageError(`SGD: ${expected}, got ${describe(group)} among groups`);
    if (!Array.isArray(group.params)) {
      throw new UsageError(`SGD: params of a group must be an array of tensors, got ${describe(group.params)}`);
    }
  }
  return params as readonly SgdGroup[];
}

function checkParameter(param: unknown): void {
  if (!(param instanceof Tensor)) throw new UsageError(`SGD: expected a Tensor as parameter, got ${describe(param)}`);
  if (!param.isLeaf) throw new UsageError("SGD: a parameter is no leaf: it was computed from other tensors");
  if (param.dtype !== "f32") throw new UsageError(`SGD: parameters must be f32, got one of ${param.dtype}`);
}

/** Whether `value` is a number that f32, in which kernels compute, can hold. */
const fits = (value: unknown) => typeof value === "number" && Number.isFinite(Math.fround(value));

function check(settings: Settings): Settings {
  checkOptions(settings, DEFAULTS, "SGD", UsageError);
  for (const name of ["lr", "momentum", "weightDecay"] as const) {
    if (!fits(settings[name]) || settings[name] < 0) {
      throw new UsageError(
        `SGD: ${name} must be a number of 0 or more that f32 holds, got ${describe(settings[name])}`,
      );
    }
  }
  if (!fits(settings.dampening)) {
    throw new UsageError(`SGD: dampening must be a number that f32 holds, got ${describe(settings.dampening)}`);
  }
  checkFlag(settings.nesterov, "SGD: nesterov", UsageError);
  if (settings.nesterov && (settings.momentum === 0 || settings.dampening !== 0)) {
    throw new UsageError("SGD: nesterov needs a momentum and no dampening");
  }
  return settings;
}
