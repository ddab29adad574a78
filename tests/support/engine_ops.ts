/**
 * Every op of the library by name, as `reference_ops.ts` spells it.
 *
 * @module
 */

import { F, type Tensor } from "../../src/mod.ts";
import type { Options } from "./reference_ops.ts";

/** An op of the engine. */
export type EngineOp = (inputs: Tensor[], options: Options) => Tensor;

// Options that are absent stay absent, so that the engine's own defaults are what is tested.
const given = (options: Options) => Object.keys(options).length > 0 ? [options] : [];
const dimensions = ({ dim, keepdim }: Options) =>
  dim === undefined ? [] : keepdim === undefined ? [dim] : [dim, keepdim];
const shared = (names: readonly (keyof Tensor)[]): Record<string, EngineOp> =>
  Object.fromEntries(names.map((name) => [name, (t, options) => method(t[0]!, name, ...arg(t, options))]));
const arg = (t: Tensor[], { other }: Options) => t.length > 1 ? [t[1]] : other !== undefined ? [other] : [];

function method(x: Tensor, name: keyof Tensor, ...args: unknown[]): Tensor {
  return (x[name] as (...args: unknown[]) => Tensor).apply(x, args);
}

/** The ops of the engine, by name. */
export const engineOps: Record<string, EngineOp> = {
  ...shared(["neg", "exp", "log", "sqrt", "abs", "relu", "t", "clone", "matmul"]),
  ...shared(["add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"]),
  "matmul, large": ([a, b]) => a!.matmul(b!),
  sum: ([x], options) => x!.sum(...dimensions(options) as [number]),
  mean: ([x], options) => x!.mean(...dimensions(options) as [number]),
  max: ([x], options) => x!.max(...dimensions(options) as [number]),
  min: ([x], options) => x!.min(...dimensions(options) as [number]),
  amax: ([x], options) => x!.amax(...dimensions(options) as [number]),
  amin: ([x], options) => x!.amin(...dimensions(options) as [number]),
  argmax: ([x], options) => x!.argmax(...dimensions(options) as [number]),
  linear: ([x, w, b]) => b ? F.linear(x!, w!, b) : F.linear(x!, w!),
  softmax: ([x], { dim }) => dim === undefined ? x!.softmax() : x!.softmax(dim),
  logSoftmax: ([x], { dim }) => dim === undefined ? x!.logSoftmax() : x!.logSoftmax(dim),
  crossEntropy: ([x, labels], options) => F.crossEntropy(x!, labels!, ...given(options)),
  mseLoss: ([x, y], options) => F.mseLoss(x!, y!, ...given(options)),
  conv2d: ([x, w, b], options) => F.conv2d(x!, w!, b, ...given(options)),
  maxPool2d: ([x], { kernel, ...options }) => F.maxPool2d(x!, kernel, ...given(options)),
  transpose: ([x], { dims }) => x!.transpose(dims[0], dims[1]),
  permute: ([x], { dims }) => x!.permute(dims),
  expand: ([x], { shape }) => x!.expand(shape),
  reshape: ([x], { shape }) => x!.reshape(shape),
  flatten: ([x], { startDim, endDim }) => x!.flatten(...[startDim, endDim].filter((d) => d !== undefined)),
  squeeze: ([x], { dim }) => dim === undefined ? x!.squeeze() : x!.squeeze(dim),
  unsqueeze: ([x], { dim }) => x!.unsqueeze(dim),
};

/** Which inputs of an op are whole numbers (u32, with no gradient). */
export const integerInputs: Record<string, number> = { crossEntropy: 1 };
