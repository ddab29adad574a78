/**
 * `nn.init`: initial values, as `torch.nn.init` has them. Each function fills its tensor (f32) in place, without
 * recording gradients, and returns it; leaves that require gradients stay leaves. Random elements are determined by
 * `manualSeed`.
 *
 * Layers do not call these functions: their initial values are PyTorch's defaults already.
 *
 * @module
 */
import { fillNormal, fillUniform, permute, randomUint32 } from "../random.ts";
import { ShapeError } from "../errors.ts";
import { withoutGradients } from "../graph/recorder.ts";
import { constant, type Shape } from "../graph/node.ts";
import { checkOptions, describe } from "../ops/options.ts";
import { requireType, text } from "../ops/shape/shape.ts";
import { nextKey } from "../tensor/random_state.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import { erf, erfinv, orthogonalFactor } from "./init_math.ts";

// --- checks ----------------------------------------------------------------------------------------------------------

/** Checks the arguments of all functions: a tensor of f32 with `least` to `most` dimensions, and finite numbers. */
function check(
  tensor: Tensor,
  action: string,
  numbers: Readonly<Record<string, number>>,
  [least, most]: readonly [number, number] = [0, Infinity],
): void {
  requireType(valueOf(tensor, action), "f32", action);
  const rank = tensor.shape.length;
  if (rank < least || rank > most) {
    const range = least === most ? `${least}` : most === Infinity ? `${least} or more` : `${least} to ${most}`;
    throw new ShapeError(`${action}: expected ${range} dimensions, got shape ${text(tensor.shape)}`);
  }
  for (const [name, number] of Object.entries(numbers)) {
    if (!Number.isFinite(number)) throw new ShapeError(`${action}: ${name} must be a number, got ${describe(number)}`);
  }
}

function checkRange(low: number, high: number, action: string): void {
  if (low > high) throw new ShapeError(`${action}: a must be at most b, got ${low} and ${high}`);
}

function checkDeviation(std: number, action: string): void {
  if (std < 0) throw new ShapeError(`${action}: std must be 0 or more, got ${std}`);
}

function checkChoice<T extends string>(value: T, choices: readonly T[], what: string): T {
  if (choices.includes(value)) return value;
  throw new ShapeError(`${what} must be ${choices.map((one) => `"${one}"`).join(", ")}, got ${describe(value)}`);
}

// --- filling ---------------------------------------------------------------------------------------------------------

/** Sets the elements of `tensor`. */
function fill(tensor: Tensor, elements: Float32Array | Float64Array, action: string): Tensor {
  const value = constant(Float32Array.from(elements), tensor.shape);
  return withoutGradients(() => tensor.assign(value, action));
}

function fillRandom(tensor: Tensor, low: number, high: number, action: string): Tensor {
  const elements = fillUniform(nextKey(), 0, new Float64Array(tensor.numel));
  return fill(tensor, elements.map((one) => low + one * (high - low)), action);
}

function normals(count: number, mean: number, std: number): Float64Array {
  return fillNormal(nextKey(), 0, new Float64Array(count)).map((one) => mean + one * std);
}

/** Uniform in [a, b). Default: [0, 1). */
export function uniform_(tensor: Tensor, a = 0, b = 1): Tensor {
  check(tensor, "uniform_", { a, b });
  checkRange(a, b, "uniform_");
  return fillRandom(tensor, a, b, "uniform_");
}

/** Normal with this mean and deviation. Default: 0 and 1. */
export function normal_(tensor: Tensor, mean = 0, std = 1): Tensor {
  check(tensor, "normal_", { mean, std });
  checkDeviation(std, "normal_");
  return fill(tensor, normals(tensor.numel, mean, std), "normal_");
}

/** Options of `truncNormal_`. */
export interface TruncNormalOptions {
  /** The mean of the distribution before it is cut. Default 0. */
  mean?: number;
  /** Its deviation. Default 1. */
  std?: number;
  /** The least element, whatever std is. Default −2. */
  a?: number;
  /** The largest element. Default 2. */
  b?: number;
}

/** Normal within [a, b] and cut off outside, by the inverse of the distribution. */
export function truncNormal_(tensor: Tensor, options: TruncNormalOptions = {}): Tensor {
  checkOptions(options, { mean: 0, std: 0.02, a: -2, b: 2 }, "truncNormal_");
  const { mean = 0, std = 1, a = -2, b = 2 } = options;
  check(tensor, "truncNormal_", { mean, std, a, b });
  checkRange(a, b, "truncNormal_");
  if (std <= 0) throw new ShapeError(`truncNormal_: std must be more than 0, got ${std}`);
  const scale = std * Math.SQRT2, low = erf((a - mean) / scale), high = erf((b - mean) / scale);
  const elements = fillUniform(nextKey(), 0, new Float64Array(tensor.numel));
  const cut = (one: number) => Math.min(b, Math.max(a, mean + scale * erfinv(low + one * (high - low))));
  return fill(tensor, elements.map(cut), "truncNormal_");
}

/** `value` everywhere. */
export function constant_(tensor: Tensor, value: number): Tensor {
  check(tensor, "constant_", { value });
  return fill(tensor, new Float32Array(tensor.numel).fill(value), "constant_");
}

/** 1 everywhere. */
export const ones_ = (tensor: Tensor): Tensor => constant_(tensor, 1);
/** 0 everywhere. */
export const zeros_ = (tensor: Tensor): Tensor => constant_(tensor, 0);

/** The identity: 1 on the diagonal of a matrix, which need not be square, and 0 elsewhere. */
export function eye_(tensor: Tensor): Tensor {
  check(tensor, "eye_", {}, [2, 2]);
  const columns = tensor.shape[1]!;
  const elements = new Float32Array(tensor.numel).map((_, i) => Number(Math.floor(i / columns) === i % columns));
  return fill(tensor, elements, "eye_");
}

/**
 * The convolution whose outputs are its inputs, channel by channel, in each of `groups` (default 1): weights [O,
 * C/groups, …] of one to three spatial dimensions are 1 in the middle of the kernel if both channels are the same.
 *
 * @throws {ShapeError} if the output channels do not divide into the groups.
 */
export function dirac_(tensor: Tensor, groups = 1): Tensor {
  check(tensor, "dirac_", { groups }, [3, 5]);
  const [out, channels, ...kernel] = tensor.shape as [number, number, ...number[]];
  if (!Number.isInteger(groups) || groups < 1 || out % groups !== 0) {
    throw new ShapeError(`dirac_: ${out} output channels do not divide into ${groups} groups`);
  }
  const taps = kernel.reduce((product, extent) => product * extent, 1);
  const middle = kernel.reduce((index, extent) => index * extent + Math.floor(extent / 2), 0);
  const elements = new Float32Array(tensor.numel), each = out / groups;
  for (let o = 0; o < out; o++) {
    const channel = o % each;
    if (channel < channels) elements[(o * channels + channel) * taps + middle] = 1;
  }
  return fill(tensor, elements, "dirac_");
}

/**
 * A matrix of normal numbers with this deviation (default 0.01), with a share of `sparsity` in each column, rounded up
 * to whole elements, set to 0.
 *
 * @throws {ShapeError} if `sparsity` is not from 0 to 1.
 */
export function sparse_(tensor: Tensor, sparsity: number, std = 0.01): Tensor {
  check(tensor, "sparse_", { sparsity, std }, [2, 2]);
  checkDeviation(std, "sparse_");
  if (sparsity < 0 || sparsity > 1) throw new ShapeError(`sparse_: sparsity must be from 0 to 1, got ${sparsity}`);
  const [rows, columns] = tensor.shape as [number, number], zeros = Math.ceil(sparsity * rows);
  const elements = normals(tensor.numel, 0, std), key = nextKey();
  for (let column = 0; column < columns; column++) {
    const order = randomUint32(key, column);
    for (let i = 0; i < zeros; i++) elements[permute(i, rows, order) * columns + column] = 0;
  }
  return fill(tensor, elements, "sparse_");
}

/**
 * A (semi-)orthogonal matrix, times `gain` (default 1): the tensor as [first dimension, all others] has orthogonal
 * columns, or rows if there are fewer of them (Saxe et al. 2013). It is Q of a matrix of normal numbers, with R's
 * diagonal positive, as in PyTorch, computed on the CPU in a time that grows as elements × the smaller dimension.
 */
export function orthogonal_(tensor: Tensor, gain = 1): Tensor {
  check(tensor, "orthogonal_", { gain }, [2, Infinity]);
  const rows = tensor.shape[0]!, columns = tensor.numel / rows;
  const factor = orthogonalFactor(normals(tensor.numel, 0, 1), rows, columns);
  return fill(tensor, factor.map((one) => gain * one), "orthogonal_");
}

// --- by the size of the layer ----------------------------------------------------------------------------------------

/** The nonlinearities that `calculateGain` knows. */
export type Nonlinearity = typeof NONLINEARITIES[number];

const NONLINEARITIES = [
  "linear",
  "conv1d",
  "conv2d",
  "conv3d",
  "conv_transpose1d",
  "conv_transpose2d",
  "conv_transpose3d",
  "sigmoid",
  "tanh",
  "relu",
  "leaky_relu",
  "selu",
] as const;

/**
 * The recommended gain for a nonlinearity, by PyTorch's names: 1 for "linear", "sigmoid" and convolutions, 5/3 for
 * "tanh", √2 for "relu", √(2/(1 + param²)) for "leaky_relu", 3/4 for "selu".
 *
 * @param param of "leaky_relu": its slope below 0. Default 0.01.
 */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  checkChoice(nonlinearity, NONLINEARITIES, "calculateGain: the nonlinearity");
  if (!Number.isFinite(param)) throw new ShapeError(`calculateGain: param must be a number, got ${describe(param)}`);
  if (nonlinearity === "tanh") return 5 / 3;
  if (nonlinearity === "relu") return Math.SQRT2;
  if (nonlinearity === "leaky_relu") return Math.sqrt(2 / (1 + param ** 2));
  return nonlinearity === "selu" ? 3 / 4 : 1;
}

/** The number of inputs of an output, and of outputs of an input, for weights [O, I, …]. */
function fans(shape: Shape): { fan_in: number; fan_out: number } {
  const [out, channels, ...kernel] = shape, taps = kernel.reduce((product, extent) => product * extent, 1);
  return { fan_in: channels! * taps, fan_out: out! * taps };
}

function xavierDeviation(tensor: Tensor, gain: number, action: string): number {
  check(tensor, action, { gain }, [2, Infinity]);
  const { fan_in, fan_out } = fans(tensor.shape);
  return gain * Math.sqrt(2 / (fan_in + fan_out));
}

/** Uniform in ±gain √(6/(fan in + fan out)); gain is 1 by default (Glorot and Bengio 2010). */
export function xavierUniform_(tensor: Tensor, gain = 1): Tensor {
  const bound = Math.sqrt(3) * xavierDeviation(tensor, gain, "xavierUniform_");
  return fillRandom(tensor, -bound, bound, "xavierUniform_");
}

/** Normal with deviation gain √(2/(fan in + fan out)); gain is 1 by default (Glorot and Bengio 2010). */
export function xavierNormal_(tensor: Tensor, gain = 1): Tensor {
  return fill(tensor, normals(tensor.numel, 0, xavierDeviation(tensor, gain, "xavierNormal_")), "xavierNormal_");
}

/** Options of `kaimingUniform_` and `kaimingNormal_`. */
export interface KaimingOptions {
  /** The slope below 0 of the "leaky_relu" that follows. Default 0. */
  a?: number;
  /** Keep the size of the forward's values, or of the backward's gradients. Default "fan_in". */
  mode?: "fan_in" | "fan_out";
  /** The nonlinearity that follows, for `calculateGain`. Default "leaky_relu". */
  nonlinearity?: Nonlinearity;
}

function kaimingDeviation(tensor: Tensor, options: KaimingOptions, action: string): number {
  checkOptions(options, { a: 0.1, mode: "fan_out", nonlinearity: "relu" }, action);
  const { a = 0, mode = "fan_in", nonlinearity = "leaky_relu" } = options;
  check(tensor, action, { a }, [2, Infinity]);
  checkChoice(mode, ["fan_in", "fan_out"], `${action}: mode`);
  checkChoice(nonlinearity, NONLINEARITIES, `${action}: nonlinearity`);
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(tensor.shape)[mode]);
}

/** Uniform in ±gain √(3/fan); by default √(6/fan in) (He et al. 2015). */
export function kaimingUniform_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingDeviation(tensor, options, "kaimingUniform_");
  return fillRandom(tensor, -bound, bound, "kaimingUniform_");
}

/** Normal with deviation gain/√fan; by default √(2/fan in) (He et al. 2015). */
export function kaimingNormal_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  return fill(tensor, normals(tensor.numel, 0, kaimingDeviation(tensor, options, "kaimingNormal_")), "kaimingNormal_");
}
