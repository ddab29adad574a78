/**
 * `gradcheck()`: gradients against central differences.
 *
 * @module
 */
import { fillNormal, fillUniform, Purpose } from "../random.ts";
import { ShapeError, TrainingError } from "../errors.ts";
import { checkFlag, checkOptions, describe } from "../ops/options.ts";
import { strides, text } from "../ops/shape/shape.ts";
import { noGrad, tensor } from "./create.ts";
import { grad } from "./grad.ts";
import { readAll } from "./realize.ts";
import { Tensor } from "./tensor.ts";

/** How `gradcheck()` compares. */
export interface GradcheckOptions {
  /** How far inputs are moved, to both sides. Default 1e-2. */
  eps?: number;
  /** The difference that is allowed. Default 1e-3. */
  atol?: number;
  /** The difference that is allowed besides, as a share of the numerical gradient. Default 1e-2. */
  rtol?: number;
  /** Default true: a wrong gradient is thrown. If false, the result is false. */
  raiseException?: boolean;
  /** Default false: each element is moved. If true, each input is moved once, in a random direction. */
  fastMode?: boolean;
  /** Of the random directions and of the gradients of the outputs. Default 0. */
  seed?: number;
}

const DEFAULTS = { eps: 1e-2, atol: 1e-3, rtol: 1e-2, raiseException: true, fastMode: false, seed: 0 };

/** An input, moved to both sides. */
interface Step {
  readonly input: number;
  /** The element, or null where all were moved. */
  readonly at: number | null;
  readonly ends: readonly [Float32Array, Float32Array];
}

/**
 * Compares the gradients of `fn` with central differences, as `torch.autograd.gradcheck`: for each element of each
 * input that requires a gradient, (f(x + eps) − f(x − eps)) / 2 eps, where f is the sum of all outputs, randomly
 * weighted. `fn` must give the same result each time, and have no kink (as relu has at 0) within eps of the inputs.
 *
 * PyTorch's defaults are for float64. In float32 a difference of outputs near 1 is wrong by 1e-7, which eps divides:
 * with PyTorch's 1e-6 nothing of it would be left. With 1e-2 that error is some 1e-5, as is that of leaving out higher
 * terms.
 *
 * All is computed at one go and read with one wait. An input of n elements takes 2 n evaluations, or 2 in `fastMode`.
 *
 * @param fn gets copies of `inputs` and returns a tensor, or several.
 * @returns whether the gradients agree.
 * @throws {TrainingError} where they do not, unless `raiseException` is false: the input, the index and both values.
 * @throws {ShapeError} where no input requires a gradient, or no output depends on one that does.
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<boolean> {
  checkOptions(options, DEFAULTS, "gradcheck");
  const { eps, atol, rtol, raiseException, fastMode, seed } = { ...DEFAULTS, ...options };
  for (const [name, value] of Object.entries({ eps, atol, rtol })) {
    if (!(value >= 0) || (name === "eps" && value === 0)) {
      throw new ShapeError(`gradcheck: ${name} must be a number above 0, got ${describe(value)}`);
    }
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ShapeError(`gradcheck: seed must be a whole number from 0, got ${describe(seed)}`);
  }
  checkFlag(raiseException, "gradcheck: raiseException");
  checkFlag(fastMode, "gradcheck: fastMode");
  const given = [inputs].flat();
  if (!given.some((input) => input instanceof Tensor && input.requiresGrad)) {
    throw new ShapeError("gradcheck: none of the inputs is a tensor that requires a gradient");
  }
  const data = await readAll(given), key = { seed, purpose: Purpose.user };
  const evaluate = (moved: ReadonlyMap<number, Float32Array> = new Map()) => {
    const copies = given.map(({ shape, requiresGrad }, i) => tensor(moved.get(i) ?? data[i]!, { shape, requiresGrad }));
    const outputs = [fn(...copies)].flat();
    const wrong = outputs.find((output) => !(output instanceof Tensor));
    if (wrong !== undefined) throw new ShapeError(`gradcheck: expected a function of tensors, got ${describe(wrong)}`);
    return { copies, outputs };
  };

  const { copies, outputs } = evaluate(), used = outputs.map((output) => output.requiresGrad);
  if (!used.includes(true)) throw new ShapeError("gradcheck: no output depends on an input that requires a gradient");
  const chosen = (all: readonly Tensor[]) => all.filter((_, i) => used[i]);
  const weights = chosen(outputs).map(({ numel }, epoch) =>
    fillUniform({ ...key, epoch }, 0, new Float32Array(numel)).map((one) => 2 * one - 1)
  );
  const gradOutputs = chosen(outputs).map(({ shape }, i) => tensor(weights[i]!, { shape }));
  const checked = copies.flatMap(({ requiresGrad }, i) => requiresGrad ? [i] : []);
  const grads = grad(chosen(outputs), checked.map((i) => copies[i]!), { gradOutputs, allowUnused: true });
  const steps = checked.flatMap((input) => stepsOf(input, data[input] as Float32Array, eps, fastMode && key));
  const moved = steps.flatMap(({ input, ends }) =>
    ends.map((end) => chosen(noGrad(() => evaluate(new Map([[input, end]])).outputs)))
  );

  const gradTensors = grads.map((one, k) => one ?? tensor(new Float32Array(copies[checked[k]!]!.numel)));
  const read = await readAll([...gradTensors, ...moved.flat()]);
  const analytic = new Map(checked.map((input, k) => [input, read[k]!]));
  let next = checked.length;
  for (const { input, at, ends } of steps) {
    const [plus, minus] = [0, 1].map(() => weights.map(() => read[next++]!));
    const change = weights.reduce((sum, weight, o) => sum + dot(weight, plus![o]!, minus![o]!), 0);
    const numerical = change / (2 * eps), found = dot(analytic.get(input)!, ...ends) / (2 * eps);
    if (Math.abs(found - numerical) <= atol + rtol * Math.abs(numerical)) continue;
    if (!raiseException) return false;
    const { shape } = given[input]!;
    const place = at === null ? "along a random direction" : `at [${indexOf(at, shape).join(", ")}]`;
    throw new TrainingError(
      `gradcheck: input ${input} of shape ${text(shape)}: the gradient ${place} is ${found}, ` +
        `but central differences give ${numerical} (eps ${eps}, atol ${atol}, rtol ${rtol})`,
    );
  }
  return true;
}

/** Σ weight (plus − minus), in float64. */
function dot(weight: ArrayLike<number>, plus: ArrayLike<number>, minus: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < weight.length; i++) sum += weight[i]! * (plus[i]! - minus[i]!);
  return sum;
}

/** How an input is moved: each element, or all in a direction of length 1. */
function stepsOf(
  input: number,
  x: Float32Array,
  eps: number,
  random: { seed: number; purpose: number } | false,
): Step[] {
  const end = (by: (i: number) => number) => x.map((value, i) => value + by(i));
  if (random) {
    const direction = fillNormal({ ...random, epoch: 2 ** 31 + input }, 0, new Float64Array(x.length));
    const length = Math.hypot(...direction), ends = [eps, -eps].map((by) => end((i) => by * direction[i]! / length));
    return [{ input, at: null, ends: ends as [Float32Array, Float32Array] }];
  }
  return Array.from(x.keys(), (at) => {
    const ends = [eps, -eps].map((by) => end((i) => i === at ? by : 0));
    return { input, at, ends: ends as [Float32Array, Float32Array] };
  });
}

const indexOf = (at: number, shape: readonly number[]) =>
  strides(shape).map((stride, i) => Math.floor(at / stride) % shape[i]!);
