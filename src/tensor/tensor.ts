/**
 * `Tensor`: a lazy handle on a value of the graph. Operations check shapes at once and record a node; nothing is computed
 * until `data()`, `item()` or a program asks for it. Names, defaults and semantics are PyTorch's.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import {
  constant,
  type Data,
  type DType,
  recordsGradients,
  type Shape,
  type Value,
  withoutGradients,
} from "../graph/node.ts";
import * as elementwise from "../ops/elementwise.ts";
import { logSoftmax, softmax } from "../ops/loss.ts";
import { matmul } from "../ops/matmul.ts";
import { argmax, reduce } from "../ops/reduce.ts";
import * as shapes from "../ops/shape.ts";
import { type GradFn, gradFn, gradients, type Leaf, leaves, trainable } from "./autograd.ts";
import { readAll, settle, unsettle } from "./realize.ts";
import { valueOf } from "./value_of.ts";
import { holders, watcher } from "./watch.ts";

/** A lazy handle on an array of numbers that may lie on the GPU, computed or not. Made by `tensor()` and its like. */
export class Tensor implements Leaf {
  #value: Value;
  #disposed = false;
  #grad: Tensor | null = null;

  /** For the rooms of this program. Two tensors never share a value: what happens to one would happen to the other. */
  constructor(value: Value) {
    this.#value = holders.has(value) ? shapes.alias(value) : value;
    holders.set(this.#value, this);
  }

  /** The graph's value behind this handle. */
  get value(): Value {
    if (this.#disposed) throw new ShapeError("this tensor was disposed of");
    return this.#value;
  }

  /** Whether `value` is what this tensor stands for. */
  holds(value: Value): boolean {
    return this.#value === value && !this.#disposed;
  }

  /** The extent of each dimension; `[]` for a scalar. */
  get shape(): Shape {
    return this.#value.shape;
  }

  /** The type of the elements: f32 or u32. */
  get dtype(): DType {
    return this.#value.dtype;
  }

  /** The number of elements. */
  get numel(): number {
    return this.#value.size;
  }

  /** Whether gradients flow to this tensor. Settable on leaves of f32. */
  get requiresGrad(): boolean {
    return this.#value.needsGrad;
  }

  set requiresGrad(on: boolean) {
    if (on && this.dtype !== "f32") {
      throw new ShapeError(`only tensors of f32 can require gradients, not ${this.dtype}`);
    }
    if (!this.isLeaf) throw new ShapeError("requiresGrad can be changed on leaves only; use detach()");
    this.#value.needsGrad = on;
    if (on) trainable.add(this);
    if (on) leaves.set(this.#value, this);
    else leaves.delete(this.#value);
  }

  /** Made by the user, or by an operation through which no gradient flows. */
  get isLeaf(): boolean {
    return !this.#value.needsGrad || leaves.has(this.#value);
  }

  /** The sum of the gradients of the `backward()` calls since it was last set to null; null before the first. */
  get grad(): Tensor | null {
    return this.#grad;
  }

  set grad(grad: Tensor | null) {
    if (grad && (shapes.text(grad.shape) !== shapes.text(this.shape) || grad.dtype !== "f32")) {
      throw new ShapeError(`grad: ${shapes.text(grad.shape)} does not fit ${shapes.text(this.shape)}`);
    }
    watcher()?.changes(this);
    this.#grad = grad;
  }

  /** How this tensor was computed, as far as gradients care; null for a leaf that requires none. */
  get gradFn(): GradFn | null {
    return this.isLeaf ? null : gradFn(this.#value);
  }

  /** The elements, in row-major order, as they are now. Computes what they need. */
  async data(): Promise<Data> {
    const [data] = await readAll([this]);
    return data!;
  }

  /** The only element. Throws `ShapeError` where there are more. */
  async item(): Promise<number> {
    if (this.numel === 1) return (await this.data())[0]!;
    throw new ShapeError(`item: expected one element, got shape ${shapes.text(this.shape)}`);
  }

  /**
   * Adds to the `grad` of each leaf that requires one the gradient of this tensor, times `gradient` (default 1, for a
   * scalar only; otherwise a tensor of this shape).
   */
  backward(gradient?: Tensor): void {
    const { shape } = this;
    if (gradient) valueOf(gradient, "backward");
    if (!this.requiresGrad) {
      throw new ShapeError("backward: this tensor does not depend on one that requires gradients");
    }
    if (!gradient && this.numel !== 1) {
      throw new ShapeError(`backward: a tensor of shape ${shapes.text(shape)} needs a gradient of that shape`);
    }
    if (gradient && (shapes.text(gradient.shape) !== shapes.text(shape) || gradient.dtype !== "f32")) {
      throw new ShapeError(
        `backward: the gradient has shape ${shapes.text(gradient.shape)}, not ${shapes.text(shape)}`,
      );
    }
    gradients(this.value, gradient?.value ?? constant(new Float32Array([1]), shape));
  }

  /** Adds `grad` to this leaf's gradient. */
  accumulate(grad: Value): void {
    if (this.#grad) watcher()?.accumulates(this);
    const before = this.#grad;
    this.grad = new Tensor(before ? withoutGradients(() => elementwise.combine("add", before.value, grad)) : grad);
  }

  /**
   * The same elements, through which no gradient flows. Unlike PyTorch's, it does not share later changes in place, and
   * neither do views.
   */
  detach(): Tensor {
    return new Tensor(shapes.detach(this.value));
  }

  /** The same elements in a place of their own. */
  clone(): Tensor {
    return new Tensor(shapes.clone(this.value));
  }

  /** Gives this tensor's memory back now, instead of when the garbage collector finds it. It must not be used again. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    settle(this);
    this.#value.storage = null;
    this.grad?.dispose();
  }

  /** Shape, type, and what gradients know of it; not the elements, which may not be computed. */
  toString(): string {
    const grad = this.gradFn ? `, gradFn=<${this.gradFn.name}>` : this.requiresGrad ? ", requiresGrad" : "";
    return `Tensor(${shapes.text(this.shape)}, ${this.dtype}${grad})`;
  }

  // --- elementwise ---------------------------------------------------------------------------------------------------

  #binary(name: elementwise.Binary, other: Tensor | number): Tensor {
    const right = typeof other === "number" ? elementwise.scalar(other, this.dtype) : valueOf(other, name);
    return new Tensor(elementwise.combine(name, this.value, right));
  }

  #unary(name: elementwise.Unary): Tensor {
    return new Tensor(elementwise.apply(name, this.value));
  }

  /** This + other, broadcast. Like all operations of two, it takes a tensor of the same dtype or a number. */
  add(other: Tensor | number): Tensor {
    return this.#binary("add", other);
  }
  /** This − other. */
  sub(other: Tensor | number): Tensor {
    return this.#binary("sub", other);
  }
  /** This × other, element by element. */
  mul(other: Tensor | number): Tensor {
    return this.#binary("mul", other);
  }
  /** This / other. Integers are divided without a remainder. */
  div(other: Tensor | number): Tensor {
    return this.#binary("div", other);
  }
  /** This to the power of `exponent`, for negative bases too where it is whole. */
  pow(exponent: Tensor | number): Tensor {
    return this.#binary("pow", exponent);
  }
  /** The larger of this and other. */
  maximum(other: Tensor | number): Tensor {
    return this.#binary("maximum", other);
  }
  /** The smaller of this and other. */
  minimum(other: Tensor | number): Tensor {
    return this.#binary("minimum", other);
  }
  /** 1 where equal, else 0, in f32; likewise the other comparisons. */
  eq(other: Tensor | number): Tensor {
    return this.#binary("eq", other);
  }
  /** 1 where not equal. */
  ne(other: Tensor | number): Tensor {
    return this.#binary("ne", other);
  }
  /** 1 where this is less. */
  lt(other: Tensor | number): Tensor {
    return this.#binary("lt", other);
  }
  /** 1 where this is less or equal. */
  le(other: Tensor | number): Tensor {
    return this.#binary("le", other);
  }
  /** 1 where this is greater. */
  gt(other: Tensor | number): Tensor {
    return this.#binary("gt", other);
  }
  /** 1 where this is greater or equal. */
  ge(other: Tensor | number): Tensor {
    return this.#binary("ge", other);
  }
  /** −this. */
  neg(): Tensor {
    return this.#unary("neg");
  }
  /** eˣ. */
  exp(): Tensor {
    return this.#unary("exp");
  }
  /** The natural logarithm. */
  log(): Tensor {
    return this.#unary("log");
  }
  /** The square root; NaN where negative. */
  sqrt(): Tensor {
    return this.#unary("sqrt");
  }
  /** The magnitude. Its gradient at 0 is 0. */
  abs(): Tensor {
    return this.#unary("abs");
  }
  /** max(this, 0). */
  relu(): Tensor {
    return this.#unary("relu");
  }

  // --- matrices and shapes -------------------------------------------------------------------------------------------

  /** The product of vectors, matrices, or batches of matrices (broadcast), as `torch.matmul`. */
  matmul(other: Tensor): Tensor {
    return new Tensor(matmul(this.value, valueOf(other, "matmul")));
  }
  /** A matrix transposed. */
  t(): Tensor {
    if (this.shape.length > 2) throw new ShapeError(`t: expected at most 2 dimensions, got ${shapes.text(this.shape)}`);
    return this.shape.length < 2 ? this : new Tensor(shapes.permute(this.value, [1, 0], "TBackward0"));
  }
  /** Exchanges two dimensions. */
  transpose(dim0: number, dim1: number): Tensor {
    const rank = this.shape.length, order = this.shape.map((_, i) => i);
    const a = shapes.axis(dim0, rank, "transpose"), b = shapes.axis(dim1, rank, "transpose");
    if (rank === 0) return this;
    order[a] = b;
    order[b] = a;
    return new Tensor(shapes.permute(this.value, order, "TransposeBackward0"));
  }
  /** Reorders the dimensions: dimension `i` of the result is `dims[i]` of this. */
  permute(dims: readonly number[]): Tensor {
    return new Tensor(shapes.permute(this.value, dims));
  }
  /** One extent may be -1: it takes what is left. */
  reshape(shape: Shape): Tensor {
    return new Tensor(shapes.reshape(this.value, shape));
  }
  /** Joins the dimensions from `startDim` to `endDim`. */
  flatten(startDim = 0, endDim = -1): Tensor {
    return new Tensor(shapes.flatten(this.value, startDim, endDim));
  }
  /** Drops dimension `dim` where its extent is 1; all such dimensions by default. */
  squeeze(dim?: number): Tensor {
    const at = dim === undefined ? null : shapes.axis(dim, this.shape.length, "squeeze");
    const shape = this.shape.filter((extent, i) => extent !== 1 || (at !== null && i !== at));
    return new Tensor(shapes.view(this.value, shape, at === null ? "SqueezeBackward0" : "SqueezeBackward1"));
  }
  /** Adds a dimension of extent 1 before dimension `dim`. */
  unsqueeze(dim: number): Tensor {
    const at = shapes.axis(dim, this.shape.length + 1, "unsqueeze");
    return new Tensor(
      shapes.view(this.value, [...this.shape.slice(0, at), 1, ...this.shape.slice(at)], "UnsqueezeBackward0"),
    );
  }
  /** Repeats dimensions of extent 1 to `shape`; an extent of -1 stays as it is. */
  expand(shape: Shape): Tensor {
    return new Tensor(shapes.expand(this.value, shape));
  }

  // --- reductions ----------------------------------------------------------------------------------------------------

  /** The sum over `dim`: a dimension, several, or all. */
  sum(dim?: number | readonly number[], keepdim = false): Tensor {
    return new Tensor(reduce("sum", this.value, dim, keepdim));
  }
  /** The mean over `dim`: a dimension, several, or all. */
  mean(dim?: number | readonly number[], keepdim = false): Tensor {
    return new Tensor(reduce("mean", this.value, dim, keepdim));
  }
  /**
   * The largest elements; unlike PyTorch's `max(dim)`, without their indices (see `argmax`). The gradient goes to the
   * first maximum along one dimension, and is shared evenly among equal ones over several or all.
   */
  max(dim?: number | readonly number[], keepdim = false): Tensor {
    return new Tensor(reduce("max", this.value, dim, keepdim));
  }
  /** The smallest elements, as `max`. */
  min(dim?: number | readonly number[], keepdim = false): Tensor {
    return new Tensor(reduce("min", this.value, dim, keepdim));
  }
  /** The index (u32) of the largest element along `dim`, the first of equal ones; of the flattened whole by default. */
  argmax(dim?: number, keepdim = false): Tensor {
    return new Tensor(argmax(this.value, dim, keepdim));
  }
  /** The logarithm of `softmax`, computed without overflow. */
  logSoftmax(dim = -1): Tensor {
    return new Tensor(logSoftmax(this.value, dim));
  }
  /** exp(x) over its sum along `dim`. */
  softmax(dim = -1): Tensor {
    return new Tensor(softmax(this.value, dim));
  }

  // --- in place ------------------------------------------------------------------------------------------------------

  /** Takes over `next`, a new value of this shape: what every in-place operation comes down to. */
  assign(next: Value, action: string): this {
    if (this.requiresGrad && recordsGradients()) {
      throw new ShapeError(`${action}: a tensor that requires gradients can be changed in place within noGrad() only`);
    }
    if (next.shape.length !== this.shape.length || next.shape.some((extent, i) => extent !== this.shape[i])) {
      throw new ShapeError(`${action}: ${shapes.text(next.shape)} does not fit ${shapes.text(this.shape)}`);
    }
    if (next.dtype !== this.dtype) throw new ShapeError(`${action}: ${next.dtype} does not fit ${this.dtype}`);
    watcher()?.changes(this);
    this.rebind(next);
    unsettle(this);
    return this;
  }

  /** Puts another value behind this handle: a leaf stays one. */
  rebind(value: Value): void {
    if (leaves.has(this.#value)) {
      value.needsGrad = this.#value.needsGrad;
      leaves.set(value, this);
    }
    this.#value = value;
    holders.set(value, this);
  }

  /** this += other, in place; likewise the others. */
  add_(other: Tensor | number): this {
    return this.assign(this.#binary("add", other).value, "add_");
  }
  /** this −= other. */
  sub_(other: Tensor | number): this {
    return this.assign(this.#binary("sub", other).value, "sub_");
  }
  /** this ×= other. */
  mul_(other: Tensor | number): this {
    return this.assign(this.#binary("mul", other).value, "mul_");
  }
  /** this /= other. */
  div_(other: Tensor | number): this {
    return this.assign(this.#binary("div", other).value, "div_");
  }
  /** Takes the elements of `other`, broadcast. */
  copy_(other: Tensor): this {
    return this.assign(shapes.clone(shapes.expand(valueOf(other, "copy_"), this.shape)), "copy_");
  }
  /** Sets every element to `value`. */
  fill_(value: number): this {
    return this.assign(shapes.clone(shapes.expand(elementwise.scalar(value, this.dtype), this.shape)), "fill_");
  }
  /** Sets every element to 0. */
  zero_(): this {
    return this.fill_(0);
  }
}
