/**
 * Making tensors: from data, constant, or random. Random elements are drawn on the CPU from a counter-based generator:
 * the n-th random tensor after `manualSeed` has the same elements on every machine.
 *
 * @module
 */
import { fillNormal, fillUniform, Purpose, type RandomKey, seedWords } from "../data/random.ts";
import { ShapeError } from "../errors.ts";
import { constant, type Data, type DType, type Shape, sizeOf, withoutGradients } from "../graph/node.ts";
import { checkNumber } from "../ops/elementwise.ts";
import { checkShape, text } from "../ops/shape.ts";
import { Tensor } from "./tensor.ts";

export interface TensorOptions {
  /** Default: f32. */
  dtype?: DType;
  /** Default: false. */
  requiresGrad?: boolean;
}

/** Numbers, nested to any depth. */
export type Nested = number | readonly Nested[];

type Numbers = Float32Array | Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

function make(data: Data, shape: Shape, { requiresGrad = false }: TensorOptions): Tensor {
  const result = new Tensor(constant(data, shape));
  if (requiresGrad) result.requiresGrad = true;
  return result;
}

const KNOWN = ["shape", "dtype", "requiresGrad"];

function checkOptions(options: object, action: string): void {
  for (const key of Object.keys(options)) {
    if (!KNOWN.includes(key)) throw new ShapeError(`${action}: unknown option "${key}"`);
  }
  const { dtype } = options as TensorOptions;
  if (dtype !== undefined && dtype !== "f32" && dtype !== "u32") {
    throw new ShapeError(`${action}: dtype "${dtype}" is neither f32 nor u32`);
  }
}

/**
 * A tensor with the given elements: a number, nested lists of numbers, or a typed array.
 *
 * @param options `shape`: default that of the nesting, or [length]. `dtype`: default u32 for a `Uint32Array`, else f32.
 * @throws {ShapeError} where lists are ragged, the shape does not fit, or an element is no number (or, for u32, no whole
 * number from 0 to 2^32 − 1).
 */
export function tensor(data: Nested | Numbers, options: TensorOptions & { shape?: Shape } = {}): Tensor {
  checkOptions(options, "tensor");
  const flat: number[] = [];
  const own = ArrayBuffer.isView(data) ? [data.length] : nesting(data, flat, 0);
  const shape = options.shape ?? own;
  checkShape(shape, "tensor");
  const elements = ArrayBuffer.isView(data) ? data : flat;
  if (sizeOf(shape) !== elements.length) {
    throw new ShapeError(`tensor: ${elements.length} elements do not fit shape ${text(shape)}`);
  }
  const dtype = options.dtype ?? (data instanceof Uint32Array ? "u32" : "f32");
  if (dtype === "u32") {
    const wrong = Array.from(elements).find((one) => !Number.isInteger(one) || one < 0 || one > 0xffffffff);
    if (wrong !== undefined) throw new ShapeError(`tensor: ${wrong} is no u32`);
  }
  return make(dtype === "u32" ? Uint32Array.from(elements) : Float32Array.from(elements), shape, options);
}

/** Appends the numbers in `data` to `flat` and returns its shape. */
function nesting(data: Nested, flat: number[], depth: number): number[] {
  if (typeof data === "number") {
    flat.push(data);
    return [];
  }
  if (!Array.isArray(data)) throw new ShapeError(`tensor: ${typeof data} is neither a number nor a list of numbers`);
  let inner: number[] | null = null;
  for (const item of data) {
    const shape = nesting(item, flat, depth + 1);
    if (inner && text(inner) !== text(shape)) throw new ShapeError("tensor: the lists are ragged");
    inner = shape;
  }
  return [data.length, ...(inner ?? [])];
}

/** A tensor of one value everywhere. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  checkOptions(options, "full");
  checkShape(shape, "full");
  checkNumber(value, options.dtype ?? "f32");
  const size = sizeOf(shape);
  return make(
    options.dtype === "u32" ? new Uint32Array(size).fill(value) : new Float32Array(size).fill(value),
    shape,
    options,
  );
}

export const zeros = (shape: Shape, options: TensorOptions = {}): Tensor => full(shape, 0, options);
export const ones = (shape: Shape, options: TensorOptions = {}): Tensor => full(shape, 1, options);

/** 0, 1, …, count − 1. */
export function arange(count: number, options: TensorOptions = {}): Tensor {
  checkOptions(options, "arange");
  checkShape([count], "arange");
  const data = options.dtype === "u32" ? new Uint32Array(count) : new Float32Array(count);
  return make(data.map((_, i) => i), [count], options);
}

// --- random ----------------------------------------------------------------------------------------------------------

let seed = 0, drawn = 0;

/** Starts the sequence of random tensors anew. Without a call, the seed is 0. */
export function manualSeed(value: number): void {
  try {
    seedWords(value);
  } catch (error) {
    throw new ShapeError(`manualSeed: ${(error as Error).message}`);
  }
  seed = value;
  drawn = 0;
}

/** The stream of the next random tensor. */
function nextKey(): RandomKey {
  return { seed, purpose: Purpose.user, epoch: drawn++ };
}

/** Uniform in [low, high). */
export function uniform(shape: Shape, low: number, high: number, options: TensorOptions = {}): Tensor {
  checkOptions(options, "rand");
  checkShape(shape, "rand");
  const data = fillUniform(nextKey(), 0, new Float32Array(sizeOf(shape)));
  return make(data.map((one) => low + one * (high - low)), shape, options);
}

/** Uniform in [0, 1). */
export const rand = (shape: Shape, options: TensorOptions = {}): Tensor => uniform(shape, 0, 1, options);

/** Standard normal. */
export function randn(shape: Shape, options: TensorOptions = {}): Tensor {
  checkOptions(options, "randn");
  checkShape(shape, "randn");
  return make(fillNormal(nextKey(), 0, new Float32Array(sizeOf(shape))), shape, options);
}

/** Whole numbers in [low, high), u32. */
export function randint(low: number, high: number, shape: Shape): Tensor {
  checkShape(shape, "randint");
  if (!Number.isInteger(low) || !Number.isInteger(high) || low < 0 || high <= low || high > 2 ** 32) {
    throw new ShapeError(`randint: expected whole numbers 0 <= low < high <= 2^32, got ${low} and ${high}`);
  }
  const data = fillUniform(nextKey(), 0, new Float64Array(sizeOf(shape)));
  return make(Uint32Array.from(data, (one) => low + Math.floor(one * (high - low))), shape, {});
}

/** Runs `fn` without recording what gradients would need. */
export function noGrad<T>(fn: () => T): T {
  return withoutGradients(fn);
}
