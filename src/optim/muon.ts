/**
 * Muon.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { UsageError } from "../errors.ts";
import { constant, type Value } from "../graph/node.ts";
import { apply, combine, scalar } from "../ops/elementwise/elementwise.ts";
import { product } from "../ops/matmul/matmul.ts";
import { change, updateOf } from "../ops/optimizer.ts";
import { checkOptions } from "../ops/options.ts";
import { reduce } from "../ops/reduce/reduce.ts";
import { view } from "../ops/shape/view.ts";
import { tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AdamOptions, ADAMW } from "./adam.ts";
import { Group, Optimizer, type RateOptions, RuleGroup, statesLike } from "./optimizer.ts";
import { count, groupsOf, type Params, type Settings, threeNumbers } from "./settings.ts";

export interface MuonOptions extends RateOptions {
  /** The share of the moving average of the gradient that is kept. Default 0.95. */
  momentum?: number;
  /** Looks ahead along the momentum. Default true. */
  nesterov?: boolean;
  /**
   * The coefficients of x, x³ and x⁵ in the polynomial of the Newton–Schulz iteration. Default [3.4445, -4.775, 2.0315].
   */
  nsCoefficients?: readonly [number, number, number];
  /** The smallest norm by which a matrix is divided. Default 1e-7. */
  eps?: number;
  /** Iterations. Default 5. */
  nsSteps?: number;
  /**
   * The factor of the rate, for a matrix [m, n]: √max(1, m / n) by "original", the default; 0.2 √max(m, n) by
   * "matchRmsAdamw", which makes updates as large as those of AdamW.
   */
  adjustLrFn?: "original" | "matchRmsAdamw";
}

export const MUON: Settings<MuonOptions> = {
  name: "Muon",
  defaults: {
    lr: 1e-3,
    weightDecay: 0.1,
    momentum: 0.95,
    nesterov: true,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    eps: 1e-7,
    nsSteps: 5,
    adjustLrFn: "original",
  },
  readers: { nsCoefficients: threeNumbers, nsSteps: count },
  choices: { adjustLrFn: ["original", "matchRmsAdamw"] },
};

const { change: average } = updateOf({
  name: "muon",
  kernel: shader("optim/ema.wgsl"),
  constants: {},
  states: {},
});
const descent = shader("optim/sgd.wgsl");

class MuonGroup extends Group {
  readonly #options: Required<MuonOptions>;
  readonly #buffers: readonly Tensor[];
  readonly #rest: Tensor;

  constructor(params: readonly Tensor[], options: Required<MuonOptions>) {
    super(MUON.name, params, options);
    this.#options = options;
    this.#buffers = statesLike(params, 0);
    this.#rest = tensor([1 - options.momentum]);
  }

  state(): readonly (readonly [string, Tensor])[] {
    return this.#buffers.map((one, i) => [`momentum_buffer.${i}`, one] as const);
  }

  step(): void {
    const { active } = this, { weightDecay } = this.#options;
    if (active.length === 0) return;
    const values = (all: readonly Tensor[]) => active.map((i) => all[i]!.value);
    const gradients = active.map((i) => this.params[i]!.grad!.value);
    const kept = change(
      average,
      [{ values: values(this.#buffers), writes: true }, { values: gradients, writes: false }],
      [this.#rest.value],
    );
    const directions = kept.map((buffer, i) => this.#direction(gradients[i]!, buffer));
    // p −= rate (direction + weightDecay p): gradient descent without momentum.
    const updated = change(
      { name: "muon", kernel: descent, constants: { WEIGHT_DECAY: weightDecay } },
      [{ values: values(this.params), writes: true }, { values: directions, writes: false }],
      [this.rate.value],
    );
    active.forEach((index, i) => {
      this.#buffers[index]!.assign(kept[i]!, "step");
      this.params[index]!.assign(updated[i]!, "step");
    });
  }

  /** The momentum of a parameter, made nearly orthogonal and scaled to the size of its update. */
  #direction(gradient: Value, buffer: Value): Value {
    const { momentum, nesterov, adjustLrFn } = this.#options, m = buffer.shape[0]!, n = buffer.size / m;
    const scale = adjustLrFn === "original" ? Math.sqrt(Math.max(1, m / n)) : 0.2 * Math.sqrt(Math.max(m, n));
    const ahead = nesterov ? add(times(gradient, 1 - momentum), times(buffer, momentum)) : buffer;
    return view(orthogonal(view(ahead, [m, n]), scale, this.#options), buffer.shape);
  }
}

const times = (x: Value, factor: number) => combine("mul", x, scalar(factor));
const add = (a: Value, b: Value) => combine("add", a, b);

/**
 * `scale` times a matrix near U Vᵀ, where x = U S Vᵀ (Bernstein & Newhouse 2024; Jordan 2024): each step of the
 * Newton–Schulz iteration turns every singular value s, at most 1 at first, into a s + b s³ + c s⁵. With A = x xᵀ, or
 * xᵀ x if that is smaller, the step is (a + (b + c A) A) x.
 */
function orthogonal(x: Value, scale: number, { nsCoefficients, nsSteps, eps }: Required<MuonOptions>): Value {
  const [m, n] = x.shape as [number, number], wide = m <= n, size = Math.min(m, n);
  const one = new Float32Array(size * size).map((_, i) => i % (size + 1) === 0 ? 1 : 0);
  const diagonal = (value: number) => constant(one.map((v) => v * value), [size, size]);
  const norm = apply("sqrt", reduce("sum", combine("mul", x, x), undefined, false));
  x = combine("div", x, combine("maximum", norm, scalar(eps)));
  for (let step = 1; step <= nsSteps; step++) {
    const [a, b, c] = nsCoefficients.map((one) => step === nsSteps ? one * scale : one) as [number, number, number];
    const square = wide ? product(x, x, false, true) : product(x, x, true, false);
    const inner = add(times(square, c), diagonal(b));
    const factor = add(product(inner, square, false, false), diagonal(a));
    x = wide ? product(factor, x, false, false) : product(x, factor, false, false);
  }
  return x;
}

/**
 * `torch.optim.Muon` (Jordan 2024), for whole models: weights of two dimensions or more, as matrices [out, rest], take
 * steps along their momentum, made orthogonal; AdamW updates all other parameters, such as biases.
 *
 * Defaults: lr 0.001, weightDecay 0.1 (decoupled). Unlike PyTorch's, it takes convolutions, and computes in f32,
 * while PyTorch iterates in bfloat16. `paramGroups` has the groups of matrices, then those of AdamW.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32.
 */
export class Muon extends Optimizer<MuonOptions> {
  /** @param options `rest`: the options of AdamW. Its rate is this one's by default. */
  constructor(params: Params<MuonOptions>, options: MuonOptions & { rest?: AdamOptions } = {}) {
    checkOptions(options, { ...MUON.defaults, rest: {} }, MUON.name, UsageError);
    const { rest = {}, ...given } = options;
    checkOptions(rest, { ...ADAMW.defaults }, "Muon: rest", UsageError);
    const groups = groupsOf(params, given, MUON), isMatrix = ({ shape }: Tensor) => shape.length >= 2;
    const others = groups.flatMap(([params, { lr }]) => {
      const vectors = params.filter((one) => !isMatrix(one));
      return vectors.length === 0 ? [] : [{ params: vectors, lr: rest.lr ?? lr }];
    });
    const matrices = groups.flatMap(([params, settings]) => {
      const selected = params.filter(isMatrix);
      return selected.length === 0 ? [] : [new MuonGroup(selected, settings)];
    });
    const checked = others.length === 0 ? [] : groupsOf(others, rest, ADAMW);
    super([...matrices, ...checked.map(([group, settings]) => new RuleGroup(ADAMW, group, settings))]);
  }
}
