/**
 * Making tensors: from data, constant, or random. Random elements are drawn on the CPU from a counter-based generator:
 * the n-th random tensor after `manualSeed` has the same elements on every machine.
 *
 * @module
 */
import { fillNormal, fillUniform } from "../random.ts";
import { ShapeError } from "../errors.ts";
import { constant, type Data, type DType, type Shape, sizeOf } from "../graph/node.ts";
import { withoutGradients } from "../graph/recorder.ts";
import { checkNumber } from "../ops/elementwise/elementwise.ts";
import { checkFlag, checkOptions, describe } from "../ops/options.ts";
import { checkShape, text } from "../ops/shape/shape.ts";
import { nextKey } from "./random_state.ts";
import { Tensor } from "./tensor.ts";

/** How tensors are made. */
export interface TensorOptions {
  /** Default: f32. */
  dtype?: DType;
  /** Default: false. */
  requiresGrad?: boolean;
}

/** Numbers, nested to any depth. */
export type Nested = number | readonly Nested[];

type Numbers = Float32Array | Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

function make(data: Data, shape: Shape, { requiresGrad = false }: TensorOptions, action: string): Tensor {
  const result = new Tensor(constant(data, shape));
  if (checkFlag(requiresGrad, `${action}: requiresGrad`)) result.requiresGrad = true;
  return result;
}

const OPTIONS = { dtype: "u32", requiresGrad: true };

function checkDType({ dtype }: TensorOptions, action: string): void {
  if (dtype !== undefined && dtype !== "f32" && dtype !== "u32") {
    throw new ShapeError(`${action}: dtype ${describe(dtype)} is neither f32 nor u32`);
  }
}

/** A copy of a shape that a caller gave, who may change it later. */
function shapeOf(shape: Shape, action: string): Shape {
  if (!Array.isArray(shape)) {
    throw new ShapeError(`${action}: expected a shape such as [2, 3], got ${describe(shape)}`);
  }
  const own: Shape = Array.from(shape);
  checkShape(own, action);
  return own;
}

/**
 * The largest tensor that can be made from the host, in bytes: 4 GiB. No device has larger buffers, and memory that a process
 * asks for but does not have ends it.
 */
const MAX_BYTES = 2 ** 32;

/** The classes of arrays that elements are made in. */
type ElementArray = typeof Float32Array | typeof Float64Array | typeof Uint32Array;

/**
 * A new array for the elements of a shape.
 *
 * @throws {ShapeError} if it is too large for the memory.
 */
function allocate<T extends ElementArray>(ArrayType: T, shape: Shape, action: string): InstanceType<T> {
  const bytes = sizeOf(shape) * ArrayType.BYTES_PER_ELEMENT;
  const fail = (limit: string) =>
    new ShapeError(`${action}: shape ${text(shape)} needs ${bytes} bytes, ${limit}: use a smaller shape`);
  if (!(bytes <= MAX_BYTES)) throw fail(`and the limit is ${MAX_BYTES}`);
  try {
    return new ArrayType(sizeOf(shape)) as InstanceType<T>;
  } catch (error) {
    throw error instanceof RangeError ? fail("which are not available") : error;
  }
}

/**
 * A tensor with the given elements: a number, nested lists of numbers, or a typed array.
 *
 * @param options `shape`: default that of the nesting, or [length]. `dtype`: default u32 for a `Uint32Array`, else f32.
 * @throws {ShapeError} where lists are ragged or nested more than 64 deep, the shape does not fit, or an element is no number (or, for u32, no whole
 * number from 0 to 2^32 − 1).
 */
export function tensor(data: Nested | Numbers, options: TensorOptions & { shape?: Shape } = {}): Tensor {
  checkOptions(options, { shape: [2, 3], ...OPTIONS }, "tensor");
  checkDType(options, "tensor");
  const flat: number[] = [], typed = isTyped(data);
  const own = typed ? [data.length] : nesting(data, flat, 0);
  const shape = shapeOf(options.shape ?? own, "tensor");
  const elements = typed ? data : flat;
  if (sizeOf(shape) !== elements.length) {
    throw new ShapeError(`tensor: ${elements.length} elements do not fit shape ${text(shape)}`);
  }
  const dtype = options.dtype ?? (data instanceof Uint32Array ? "u32" : "f32");
  if (dtype === "u32" && !(data instanceof Uint32Array)) {
    for (const one of elements) {
      if (!Number.isInteger(one) || one < 0 || one > 0xffffffff) throw new ShapeError(`tensor: ${one} is no u32`);
    }
  }
  return make(dtype === "u32" ? new Uint32Array(elements) : new Float32Array(elements), shape, options, "tensor");
}

/** Whether `data` is a typed array of numbers: no array of bigints, and no view of bytes. */
function isTyped(data: unknown): data is Numbers {
  const others = [BigInt64Array, BigUint64Array, DataView];
  return ArrayBuffer.isView(data) && !others.some((other) => data instanceof other);
}

/** The most levels of lists. PyTorch has at most 64 dimensions too. */
const MAX_NESTING = 64;

/** Appends the numbers in `data` to `flat` and returns its shape. */
function nesting(data: Nested, flat: number[], depth: number): number[] {
  if (typeof data === "number") {
    flat.push(data);
    return [];
  }
  if (!Array.isArray(data)) throw new ShapeError(`tensor: expected numbers or lists of them, got ${describe(data)}`);
  if (depth === MAX_NESTING) {
    throw new ShapeError(`tensor: the lists are nested more than ${MAX_NESTING} deep, or one contains itself`);
  }
  let inner: number[] | null = null;
  for (const item of data) {
    const shape = nesting(item, flat, depth + 1);
    if (inner && text(inner) !== text(shape)) throw new ShapeError("tensor: the lists are ragged");
    inner = shape;
  }
  return [data.length, ...(inner ?? [])];
}

function filled(shape: Shape, value: number, options: TensorOptions, action: string): Tensor {
  const own = shapeOf(shape, action);
  checkOptions(options, OPTIONS, action);
  checkDType(options, action);
  checkNumber(value, options.dtype ?? "f32");
  const data = options.dtype === "u32" ? allocate(Uint32Array, own, action) : allocate(Float32Array, own, action);
  return make(data.fill(value), own, options, action);
}

/** A tensor of one value everywhere. */
export const full = (shape: Shape, value: number, options: TensorOptions = {}): Tensor =>
  filled(shape, value, options, "full");
/** A tensor of zeros. */
export const zeros = (shape: Shape, options: TensorOptions = {}): Tensor => filled(shape, 0, options, "zeros");
/** A tensor of ones. */
export const ones = (shape: Shape, options: TensorOptions = {}): Tensor => filled(shape, 1, options, "ones");

/** 0, 1, …, count − 1. */
export function arange(count: number, options: TensorOptions = {}): Tensor {
  checkOptions(options, OPTIONS, "arange");
  checkDType(options, "arange");
  checkShape([count], "arange");
  const data = options.dtype === "u32"
    ? allocate(Uint32Array, [count], "arange")
    : allocate(Float32Array, [count], "arange");
  return make(data.map((_, i) => i), [count], options, "arange");
}

// --- random ----------------------------------------------------------------------------------------------------------

/** Random numbers are f32, whatever else is asked for; `randint()` draws u32. */
function checkRandom(options: TensorOptions, action: string): void {
  checkOptions(options, { requiresGrad: true, dtype: "f32" }, action);
  if (options.dtype !== undefined && options.dtype !== "f32") {
    throw new ShapeError(`${action}: dtype ${describe(options.dtype)} is not f32; randint() makes random u32`);
  }
}

/** Uniform in [low, high), f32. */
export function uniform(shape: Shape, low: number, high: number, options: TensorOptions = {}): Tensor {
  const own = shapeOf(shape, "rand");
  checkRandom(options, "rand");
  const data = allocate(Float32Array, own, "rand");
  fillUniform(nextKey(), 0, data);
  return make(data.map((one) => low + one * (high - low)), own, options, "rand");
}

/** Uniform in [0, 1), f32. */
export const rand = (shape: Shape, options: TensorOptions = {}): Tensor => uniform(shape, 0, 1, options);

/** Standard normal, f32. */
export function randn(shape: Shape, options: TensorOptions = {}): Tensor {
  const own = shapeOf(shape, "randn");
  checkRandom(options, "randn");
  const data = allocate(Float32Array, own, "randn");
  return make(fillNormal(nextKey(), 0, data), own, options, "randn");
}

/** Whole numbers in [low, high), u32. */
export function randint(low: number, high: number, shape: Shape): Tensor {
  const own = shapeOf(shape, "randint");
  if (!Number.isInteger(low) || !Number.isInteger(high) || low < 0 || high <= low || high > 2 ** 32) {
    throw new ShapeError(`randint: expected whole numbers 0 <= low < high <= 2^32, got ${low} and ${high}`);
  }
  const data = fillUniform(nextKey(), 0, allocate(Float64Array, own, "randint"));
  return make(Uint32Array.from(data, (one) => low + Math.floor(one * (high - low))), own, {}, "randint");
}

/**
 * Runs `fn` without recording what gradients would need.
 *
 * @throws {ShapeError} where `fn` is asynchronous: what it records after its first `await` would not be covered.
 */
export function noGrad<T>(fn: () => T): T {
  const result = withoutGradients(fn);
  if (result instanceof Promise) {
    result.catch(() => {}); // Nobody else gets to see it.
    throw new ShapeError("noGrad: the function is asynchronous; await what it computes outside of noGrad()");
  }
  return result;
}
