/**
 * `Tensor`: a lazy handle on a value of the graph. Operations check shapes at once and record a node; nothing is
 * computed until `data()`, `item()` or a program asks for it. Names, defaults and semantics are PyTorch's.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Data, DType, Shape, Value } from "../graph/node.ts";
import { recorder, withoutGradients } from "../graph/recorder.ts";
import * as elementwise from "../ops/elementwise/elementwise.ts";
import { describe } from "../ops/options.ts";
import * as shapes from "../ops/shape/shape.ts";
import * as strided from "../ops/shape/strided.ts";
import * as views from "../ops/shape/view.ts";
import {
  differentiate,
  type GradFn,
  gradFn,
  type Hook,
  hooks,
  type Leaf,
  leaves,
  retaining,
  trainable,
} from "./autograd.ts";
import { checkBackward, fitting, seedsOf } from "./backward.ts";
import { valueOf } from "./value_of.ts";
import { Operations } from "./operations.ts";
import { readAll, settle, unsettle } from "./realize.ts";
import { holders, watcher } from "./watch.ts";

/** Options of `backward()`. */
export interface BackwardOptions {
  /** The gradient of the tensor itself, of its shape. Default: 1, for a tensor of one element only. */
  gradient?: Tensor;
  /** Default false: the graph is freed, and cannot be differentiated a second time. */
  retainGraph?: boolean;
}

/** A hook that was registered. */
export interface HookHandle {
  /** The hook is not called any more. */
  remove(): void;
}

/** A lazy handle on an array of numbers on the device, computed or not. Made by `tensor()` and similar functions. */
export class Tensor extends Operations<Tensor> implements Leaf {
  #value: Value;
  #disposed = false;
  #grad: Tensor | null = null;

  /** For the program itself. Two tensors never share a value: a change of one would change the other. */
  constructor(value: Value) {
    super();
    this.#value = holders.has(value) ? views.alias(value) : value;
    holders.set(this.#value, this);
  }

  protected make(value: Value): Tensor {
    return new Tensor(value);
  }

  get value(): Value {
    if (this.#disposed) throw new ShapeError("this tensor was disposed of");
    return this.#value;
  }

  /** Whether this tensor stands for `value`. */
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
    if (grad !== null && !(grad instanceof Tensor)) {
      throw new ShapeError(`grad: expected a tensor or null, got ${describe(grad)}`);
    }
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
   * Adds to the `grad` of each leaf that requires one the gradient of this tensor, times `gradient`: a tensor of this
   * shape, or `{ gradient, retainGraph }`.
   *
   * The graph is freed, unless `retainGraph` is true: it then cannot be differentiated a second time, as far as
   * gradients went through it. In PyTorch, parts that saved nothing (sums, views) still can. Gradients of gradients,
   * PyTorch's `create_graph`, are not supported.
   *
   * @throws {ShapeError} where no leaf requires a gradient, `gradient` does not fit, or the graph was freed.
   */
  backward(given: Tensor | BackwardOptions = {}): void {
    const options = given instanceof Tensor ? { gradient: given } : given;
    checkBackward(options, { gradient: this }, "backward");
    if (!this.requiresGrad) {
      throw new ShapeError("backward: this tensor does not depend on one that requires gradients");
    }
    const grads = differentiate(seedsOf([this], [options.gradient], "backward"), options.retainGraph);
    for (const [value, grad] of grads) leaves.get(value)!.accumulate(grad);
  }

  /**
   * Calls `fn` with this tensor's gradient, in each `backward()` that computes it, after the hooks registered
   * before it. A tensor that it returns is the gradient from then on: what flows on, and what `grad` gets. In the
   * argument, a change in place changes nothing. A leaf keeps its hooks when it is changed in place.
   *
   * @throws {ShapeError} where this tensor requires no gradient; `backward()` throws it where `fn` returns anything but
   * a tensor of the gradient's shape, or nothing.
   */
  registerHook(fn: (grad: Tensor) => Tensor | void): HookHandle {
    if (typeof fn !== "function") throw new ShapeError(`registerHook: expected a function, got ${describe(fn)}`);
    if (!this.requiresGrad) throw new ShapeError("registerHook: this tensor requires no gradient");
    const hook: Hook = (grad) => {
      const found = fn(new Tensor(grad));
      return found === undefined ? grad : fitting(found, grad, "a hook's gradient");
    };
    const all = hooks.get(this.#value) ?? new Set();
    hooks.set(this.#value, all.add(hook));
    return { remove: () => void all.delete(hook) };
  }

  /**
   * Makes `backward()` keep this tensor's gradient in `grad`, after its hooks, although it is no leaf.
   *
   * @throws {ShapeError} where this tensor requires no gradient.
   */
  retainGrad(): void {
    if (!this.requiresGrad) throw new ShapeError("retainGrad: this tensor requires no gradient");
    if (!this.isLeaf) retaining.set(this.#value, this);
  }

  /** Whether `retainGrad()` was called on this tensor, which is no leaf. */
  get retainsGrad(): boolean {
    return retaining.has(this.#value);
  }

  /** Adds `grad` to this tensor's gradient. */
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
    return new Tensor(views.detach(this.value));
  }

  /** The same elements in other memory. */
  clone(): Tensor {
    return new Tensor(views.clone(this.value));
  }

  /** Frees this tensor's memory now, instead of when the garbage collector finds it. It must not be used again. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    settle(this);
    this.#value.storage = null;
    this.grad?.dispose();
  }

  /** Shape, type, and what gradients know of it; not the elements, which may not be computed. */
  override toString(): string {
    const grad = this.gradFn ? `, gradFn=<${this.gradFn.name}>` : this.requiresGrad ? ", requiresGrad" : "";
    return `Tensor(${shapes.text(this.shape)}, ${this.dtype}${grad})`;
  }

  // --- in place ------------------------------------------------------------------------------------------------------

  /**
   * Takes over `next`, a new value of this shape: what every in-place operation comes down to. A leaf that requires a
   * gradient stays one, and can be changed within noGrad() only. Other tensors become the result of the operation,
   * through which gradients flow, or not within noGrad(), where PyTorch has the gradients pass by the operation. What
   * was recorded before keeps the old elements: unlike in PyTorch, no change is ever in the way of a gradient.
   */
  assign(next: Value, action: string): this {
    if (leaves.has(this.#value) && recorder.gradients) {
      throw new ShapeError(`${action}: a leaf that requires a gradient can be changed in place within noGrad() only`);
    }
    if (shapes.text(next.shape) !== shapes.text(this.shape)) {
      throw new ShapeError(`${action}: ${shapes.text(next.shape)} does not fit ${shapes.text(this.shape)}`);
    }
    if (next.dtype !== this.dtype) throw new ShapeError(`${action}: ${next.dtype} does not fit ${this.dtype}`);
    watcher()?.changes(this);
    this.rebind(next);
    unsettle(this);
    return this;
  }

  /** Makes this handle refer to another value: a leaf stays one, with its hooks. */
  rebind(value: Value): void {
    if (leaves.has(this.#value)) {
      value.needsGrad = this.#value.needsGrad;
      leaves.set(value, this);
    }
    const registered = this.isLeaf && hooks.get(this.#value);
    if (registered) hooks.set(value, registered);
    this.#value = value;
    holders.set(value, this);
  }

  #update(name: "add" | "sub" | "mul" | "div", other: Tensor | number): this {
    return this.assign(this[name](other).value, `${name}_`);
  }

  /** this += other, in place; likewise the others. */
  add_(other: Tensor | number): this {
    return this.#update("add", other);
  }
  /** this −= other. */
  sub_(other: Tensor | number): this {
    return this.#update("sub", other);
  }
  /** this ×= other. */
  mul_(other: Tensor | number): this {
    return this.#update("mul", other);
  }
  /** this /= other. */
  div_(other: Tensor | number): this {
    return this.#update("div", other);
  }
  /** Takes the elements of `other`, broadcast. */
  copy_(other: Tensor): this {
    return this.assign(views.clone(strided.expand(valueOf(other, "copy_"), this.shape)), "copy_");
  }
  /** Sets every element to `value`. */
  fill_(value: number): this {
    return this.assign(views.clone(strided.expand(elementwise.scalar(value, this.dtype), this.shape)), "fill_");
  }
  /** Sets every element to 0. */
  zero_(): this {
    return this.fill_(0);
  }
}
