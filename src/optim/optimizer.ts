/**
 * `Optimizer`: the base class of all optimizers. It has groups of parameters, each with its options, its learning rate and
 * its state. Most optimizers are a `Rule`: names of states and a formula, for one kernel that updates all parameters of a
 * group at once.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { packLeaves } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { change, countStep, ownersOf, type Update } from "../ops/optimizer.ts";
import { full, noGrad, ones, tensor, zeros } from "../tensor/create.ts";
import { f32Amount } from "../ops/options.ts";
import { loadState } from "../tensor/state.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { groupsOf, type Params, type Settings } from "./settings.ts";

/** A group's parameters, their state and the group's rate. The options are properties too, and cannot be changed. */
export abstract class Group {
  #lr: number;
  /** The rate as a tensor [1] that kernels read, so that a new rate needs no new kernel. */
  readonly rate: Tensor;

  constructor(readonly name: string, readonly params: readonly Tensor[], { lr, ...options }: { lr: number }) {
    Object.assign(this, options);
    this.#lr = lr;
    this.rate = tensor([lr]);
    packLeaves(params.map((one) => one.value));
  }

  /** The learning rate. A new one takes effect with the next step. */
  get lr(): number {
    return this.#lr;
  }

  set lr(lr: number) {
    f32Amount(lr, `${this.name}: lr`, UsageError);
    if (lr === this.#lr) return;
    this.#lr = lr;
    this.rate.fill_(lr);
  }

  /** The state by name, such as "momentum.3", where 3 is the index of the parameter. */
  abstract state(): readonly (readonly [string, Tensor])[];

  /** Updates every parameter that has a gradient. Must be called within noGrad(). */
  abstract step(): void;

  /** The indices of the parameters that have a gradient. */
  protected get active(): readonly number[] {
    return this.params.flatMap((one, i) => one.grad ? [i] : []);
  }
}

/** A state for each parameter, with `first` in every element, which one kernel can treat as one array. */
export function statesLike(params: readonly Tensor[], first: number): readonly Tensor[] {
  const states = params.map(({ shape }) => full(shape, first));
  packLeaves(states.map(({ value }) => value));
  return states;
}

/** A group with its options as properties. */
export type GroupOf<O> = Group & Readonly<Required<O>>;

/** The base class of optimizers. */
export abstract class Optimizer<O = unknown> {
  /** @param groups with the options as properties. */
  protected constructor(groups: readonly Group[]) {
    this.paramGroups = groups as readonly GroupOf<O>[];
  }

  /** The groups of parameters, each with its options and its rate, which can be set. */
  readonly paramGroups: readonly GroupOf<O>[];

  /** The learning rate of the first group; setting it sets that of all. */
  get lr(): number {
    return this.paramGroups[0]!.lr;
  }

  set lr(lr: number) {
    for (const group of this.paramGroups as readonly Group[]) group.lr = lr;
  }

  /** Updates every parameter that has a gradient. The others, such as frozen ones, do not change, nor does their state. */
  step(): void {
    noGrad(() => this.paramGroups.forEach((group) => group.step()));
  }

  /** Removes the parameters' gradients. */
  zeroGrad(): void {
    for (const { params } of this.paramGroups) for (const param of params) param.grad = null;
  }

  /**
   * The state: "GROUP.NAME.INDEX" for each state of a parameter, with PyTorch's names, and, if steps are counted,
   * "GROUP.step", u32, with an element for each of its parameters. The tensors are not copies.
   */
  stateDict(): Map<string, Tensor> {
    return new Map(
      this.paramGroups.flatMap((group, i) =>
        group.state().map(([name, one]): [string, Tensor] => [`${i}.${name}`, one])
      ),
    );
  }

  /**
   * Copies the values of a state that `stateDict()` of the same optimizer returned.
   *
   * @throws {UsageError} naming each tensor that is missing, unexpected, or of another shape or type. Nothing is
   * changed then.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const { name } = this.constructor;
    loadState(this.stateDict(), state, (why) => new UsageError(`${name}: the state does not fit: ${why}`));
  }
}

/** An optimizer in short: its options, and its update for given options. */
export interface Rule<O> extends Settings<O> {
  update(options: Required<O>): Update;
}

/** The options that all optimizers have. The defaults are those of each optimizer. */
export interface RateOptions {
  /** The learning rate, 0 or more. */
  lr?: number;
  /**
   * The weight of the L2 penalty, which is added to the gradient. If decoupled, the parameter is reduced by lr times this
   * share of itself.
   */
  weightDecay?: number;
}

/** The options that nearly all have. */
export interface CommonOptions extends RateOptions {
  /** Added to the divisor, so that it is not 0. */
  eps?: number;
  /** Maximizes: moves along the gradient instead of against it. Default false. */
  maximize?: boolean;
}

/** The options of optimizers with two moving averages. */
export interface BetaOptions extends CommonOptions {
  /** The share of each average that is kept in a step: of the gradient, and of its square or magnitude. */
  betas?: readonly [number, number];
}

/** The constants that kernels have for `betas`. */
export function betasOf(
  [beta1, beta2]: readonly [number, number],
): Record<"BETA1" | "BETA2" | "REST1" | "REST2", number> {
  return { BETA1: beta1, BETA2: beta2, REST1: 1 - beta1, REST2: 1 - beta2 };
}

/** A group that a rule updates. */
export class RuleGroup<O extends RateOptions> extends Group {
  readonly #update: Update;
  readonly #states: Readonly<Record<string, readonly Tensor[]>>;
  /**
   * The steps of each parameter, if the rule counts them, and the product that it accumulates over them: [params].
   */
  readonly #steps: Tensor | null;
  readonly #products: Tensor | null;

  constructor(rule: Rule<O>, params: readonly Tensor[], options: Required<O>) {
    super(rule.name, params, options as { lr: number });
    const { states, counting } = this.#update = rule.update(options), count = [params.length];
    this.#states = Object.fromEntries(
      Object.entries(states).map(([name, first]) => [name, statesLike(params, first)]),
    );
    this.#steps = counting && zeros(count, { dtype: "u32" });
    this.#products = counting?.product ? ones(count) : null;
  }

  state(): readonly (readonly [string, Tensor])[] {
    return [
      ...(this.#steps ? [["step", this.#steps] as const] : []),
      ...(this.#products ? [["mu_product", this.#products] as const] : []),
      ...Object.entries(this.#states).flatMap(([name, all]) => all.map((one, i) => [`${name}.${i}`, one] as const)),
    ];
  }

  step(): void {
    const { active } = this, selected = (all: readonly Tensor[]) => active.map((i) => all[i]!.value);
    if (active.length === 0) return;
    const states = Object.values(this.#states), params = selected(this.params), scalars = this.#count(active);
    const updated = change(
      this.#update.change,
      [
        { values: params, writes: true },
        { values: active.map((i) => this.params[i]!.grad!.value), writes: false },
        ...states.map((all) => ({ values: selected(all), writes: true })),
      ],
      [scalars ?? this.rate.value],
      scalars ? [ownersOf(params, active)] : [],
    );
    const changed = [this.params, ...states].flatMap((all) => active.map((i) => all[i]!));
    changed.forEach((one, i) => one.assign(updated[i]!, "step"));
  }

  /** Counts the step, and returns the scalars that depend on the count. */
  #count(active: readonly number[]): Value | null {
    const { counting } = this.#update, steps = this.#steps, products = this.#products;
    if (!counting || !steps) return null;
    const counted = countStep(counting, active, this.rate.value, steps.value, products?.value ?? null);
    steps.assign(counted[0]!, "step");
    products?.assign(counted[1]!, "step");
    return counted.at(-1)!;
  }
}

/** The base class of the optimizers that are a rule. */
export abstract class RuleOptimizer<O extends RateOptions> extends Optimizer<O> {
  /**
   * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32, or given twice.
   */
  constructor(rule: Rule<O>, params: Params<O>, options: O) {
    super(groupsOf(params, options, rule).map(([group, settings]) => new RuleGroup(rule, group, settings)));
  }
}
