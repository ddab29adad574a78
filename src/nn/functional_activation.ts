/**
 * The activations of `F`, beside relu: functions of each element.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { activate, type Activation } from "../ops/elementwise/activation.ts";
import { f32, must, option, readOptions } from "../ops/options.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";

function run(name: Activation, x: Tensor, ...parameters: [number?, number?]): Tensor {
  return new Tensor(activate(name, valueOf(x, name), ...parameters));
}

/** 1 / (1 + exp(−x)). */
export const sigmoid = (x: Tensor): Tensor => run("sigmoid", x);
/** The hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => run("tanh", x);
/** x sigmoid(x), also called swish. */
export const silu = (x: Tensor): Tensor => run("silu", x);
/** log(sigmoid(x)), without overflow. */
export const logSigmoid = (x: Tensor): Tensor => run("logSigmoid", x);
/** x clamped to 0 to 6. The gradient is 0 at both ends, as PyTorch's. */
export const relu6 = (x: Tensor): Tensor => run("relu6", x, 0, 6);
/** x relu6(x + 3) / 6. */
export const hardswish = (x: Tensor): Tensor => run("hardswish", x);

/** x, and `negativeSlope` x (default 0.01) where it is negative. */
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
  return run("leakyRelu", x, f32(negativeSlope, "leakyRelu: negativeSlope"));
}

/** x, and `alpha` (exp(x) − 1) where it is negative; `alpha` is 1 by default. */
export function elu(x: Tensor, alpha = 1): Tensor {
  return run("elu", x, f32(alpha, "elu: alpha"));
}

/**
 * x clamped to `minVal` to `maxVal`, −1 to 1 by default. The gradient is 0 at both ends, as PyTorch's.
 *
 * @throws {ShapeError} if the least is more than the largest.
 */
export function hardtanh(x: Tensor, minVal = -1, maxVal = 1): Tensor {
  checkRange(minVal, maxVal);
  return run("hardtanh", x, minVal, maxVal);
}

/** Throws unless the range of `hardtanh` is one. */
export function checkRange(minVal: number, maxVal: number): void {
  f32(minVal, "hardtanh: minVal");
  f32(maxVal, "hardtanh: maxVal");
  if (minVal > maxVal) throw new ShapeError(`hardtanh: minVal ${minVal} is more than maxVal ${maxVal}`);
}

/** How `gelu` computes: "none", the default, is exact; "tanh" is the approximation of Hendrycks & Gimpel 2016. */
export interface GeluOptions {
  approximate?: "none" | "tanh";
}

/**
 * x Φ(x), where Φ is the cumulative probability of the normal distribution.
 *
 * @throws {ShapeError} if `approximate` is neither "none" nor "tanh".
 */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  return run(geluOf(options), x);
}

const GELU = {
  approximate: option(
    must<"none" | "tanh">((value) => value === "none" || value === "tanh", 'be "none" or "tanh"'),
    "none",
    "tanh",
  ),
} as const;

/** The activation that the options of `gelu` mean. */
export function geluOf(options: GeluOptions): "gelu" | "geluTanh" {
  return readOptions(options, GELU, "gelu").approximate === "tanh" ? "geluTanh" : "gelu";
}

/** How steep `softplus` is, and from which beta x on it is x itself. */
export interface SoftplusOptions {
  /** More than 0. Default 1. */
  beta?: number;
  /** Default 20. */
  threshold?: number;
}

/** log(1 + exp(beta x)) / beta, and x where beta x is more than `threshold`. */
export function softplus(x: Tensor, options: SoftplusOptions = {}): Tensor {
  return run("softplus", x, ...softplusOf(options));
}

const SOFTPLUS = { beta: option(f32, 1), threshold: option(f32, 20) } as const;

/** beta and threshold. @throws {ShapeError} if they are no such numbers. */
export function softplusOf(options: SoftplusOptions): [beta: number, threshold: number] {
  const { beta, threshold } = readOptions(options, SOFTPLUS, "softplus");
  if (beta <= 0) throw new ShapeError(`softplus: beta must be more than 0, got ${beta}`);
  return [beta, threshold];
}
