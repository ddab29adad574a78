/**
 * What tensors can be computed from tensors: the methods of `Tensor` that give a new one. Operations check shapes at
 * once and record a node.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Shape, Value } from "../graph/node.ts";
import { activate } from "../ops/elementwise/activation.ts";
import * as elementwise from "../ops/elementwise/elementwise.ts";
import { logSoftmax, softmax } from "../ops/loss/log_softmax.ts";
import { matmul } from "../ops/matmul/matmul.ts";
import { argmax, reduce } from "../ops/reduce/reduce.ts";
import * as shapes from "../ops/shape/shape.ts";
import * as strided from "../ops/shape/strided.ts";
import * as views from "../ops/shape/view.ts";
import { Handle } from "./handle.ts";
import { valueOf } from "./value_of.ts";

/** The operations of a tensor. `T` is `Tensor`, which adds what holds the elements, gradients and changes in place. */
export abstract class Operations<T extends Handle> extends Handle {
  /** A tensor of `value`. */
  protected abstract make(value: Value): T;

  // --- elementwise ---------------------------------------------------------------------------------------------------

  #binary(name: elementwise.Binary, other: T | number): T {
    const right = typeof other === "number" ? elementwise.scalar(other, this.dtype) : valueOf(other, name);
    return this.make(elementwise.combine(name, this.value, right));
  }

  #unary(name: elementwise.Unary): T {
    return this.make(elementwise.apply(name, this.value));
  }

  /** This + other, broadcast. Like all operations of two, it takes a tensor of the same dtype or a number. */
  add(other: T | number): T {
    return this.#binary("add", other);
  }
  /** This − other. */
  sub(other: T | number): T {
    return this.#binary("sub", other);
  }
  /** This × other, element by element. */
  mul(other: T | number): T {
    return this.#binary("mul", other);
  }
  /** This / other. Integers are divided without a remainder. */
  div(other: T | number): T {
    return this.#binary("div", other);
  }
  /** This to the power of `exponent`, for negative bases too where it is whole. */
  pow(exponent: T | number): T {
    return this.#binary("pow", exponent);
  }
  /** The larger of this and other. */
  maximum(other: T | number): T {
    return this.#binary("maximum", other);
  }
  /** The smaller of this and other. */
  minimum(other: T | number): T {
    return this.#binary("minimum", other);
  }
  /** 1 where equal, else 0, in f32; likewise the other comparisons. */
  eq(other: T | number): T {
    return this.#binary("eq", other);
  }
  /** 1 where not equal. */
  ne(other: T | number): T {
    return this.#binary("ne", other);
  }
  /** 1 where this is less. */
  lt(other: T | number): T {
    return this.#binary("lt", other);
  }
  /** 1 where this is less or equal. */
  le(other: T | number): T {
    return this.#binary("le", other);
  }
  /** 1 where this is greater. */
  gt(other: T | number): T {
    return this.#binary("gt", other);
  }
  /** 1 where this is greater or equal. */
  ge(other: T | number): T {
    return this.#binary("ge", other);
  }
  /** −this. */
  neg(): T {
    return this.#unary("neg");
  }
  /** eˣ. */
  exp(): T {
    return this.#unary("exp");
  }
  /** The natural logarithm. */
  log(): T {
    return this.#unary("log");
  }
  /** The square root; NaN where negative. */
  sqrt(): T {
    return this.#unary("sqrt");
  }
  /** The magnitude. Its gradient at 0 is 0. */
  abs(): T {
    return this.#unary("abs");
  }
  /** max(this, 0). */
  relu(): T {
    return this.#unary("relu");
  }
  /** 1 / (1 + e⁻ˣ). */
  sigmoid(): T {
    return this.make(activate("sigmoid", this.value));
  }
  /** The hyperbolic tangent. */
  tanh(): T {
    return this.make(activate("tanh", this.value));
  }

  // --- matrices and shapes -------------------------------------------------------------------------------------------

  /** The product of vectors, matrices, or batches of matrices (broadcast), as `torch.matmul`. */
  matmul(other: T): T {
    return this.make(matmul(this.value, valueOf(other, "matmul")));
  }
  /** A matrix transposed. */
  t(): T {
    if (this.shape.length > 2) throw new ShapeError(`t: expected at most 2 dimensions, got ${shapes.text(this.shape)}`);
    return this.make(this.shape.length < 2 ? this.value : strided.permute(this.value, [1, 0], "TBackward0"));
  }
  /** Exchanges two dimensions. */
  transpose(dim0: number, dim1: number): T {
    const rank = this.shape.length, order = this.shape.map((_, i) => i);
    const a = shapes.axis(dim0, rank, "transpose"), b = shapes.axis(dim1, rank, "transpose");
    if (rank === 0) return this.make(this.value);
    order[a] = b;
    order[b] = a;
    return this.make(strided.permute(this.value, order, "TransposeBackward0"));
  }
  /** Reorders the dimensions: dimension `i` of the result is `dims[i]` of this. */
  permute(dims: readonly number[]): T {
    return this.make(strided.permute(this.value, dims));
  }
  /** One extent may be -1: it takes what is left. */
  reshape(shape: Shape): T {
    return this.make(views.reshape(this.value, shape));
  }
  /** Joins the dimensions from `startDim` to `endDim`. */
  flatten(startDim = 0, endDim = -1): T {
    return this.make(views.flatten(this.value, startDim, endDim));
  }
  /** Drops dimension `dim` where its extent is 1; all such dimensions by default. */
  squeeze(dim?: number): T {
    const at = dim === undefined ? null : shapes.axis(dim, this.shape.length, "squeeze");
    const shape = this.shape.filter((extent, i) => extent !== 1 || (at !== null && i !== at));
    return this.make(views.view(this.value, shape, at === null ? "SqueezeBackward0" : "SqueezeBackward1"));
  }
  /** Adds a dimension of extent 1 before dimension `dim`. */
  unsqueeze(dim: number): T {
    const at = shapes.axis(dim, this.shape.length + 1, "unsqueeze");
    return this.make(
      views.view(this.value, [...this.shape.slice(0, at), 1, ...this.shape.slice(at)], "UnsqueezeBackward0"),
    );
  }
  /** Repeats dimensions of extent 1 to `shape`; an extent of -1 stays as it is. */
  expand(shape: Shape): T {
    return this.make(strided.expand(this.value, shape));
  }

  // --- reductions ----------------------------------------------------------------------------------------------------

  /** The sum over `dim`: a dimension, several, or all. */
  sum(dim?: number | readonly number[], keepdim = false): T {
    return this.make(reduce("sum", this.value, dim, keepdim));
  }
  /** The mean over `dim`: a dimension, several, or all. */
  mean(dim?: number | readonly number[], keepdim = false): T {
    return this.make(reduce("mean", this.value, dim, keepdim));
  }
  /**
   * The largest elements; unlike PyTorch's `max(dim)`, without their indices (see `argmax`). Along one dimension the
   * gradient goes to the first of equal ones, as in PyTorch; over all or several it is shared evenly among them.
   */
  max(dim?: number | readonly number[], keepdim = false): T {
    return this.make(reduce("max", this.value, dim, keepdim));
  }
  /** The smallest elements, as `max`. */
  min(dim?: number | readonly number[], keepdim = false): T {
    return this.make(reduce("min", this.value, dim, keepdim));
  }
  /** The largest elements over `dim`, with the gradient shared evenly among equal ones, whatever `dim` is. */
  amax(dim?: number | readonly number[], keepdim = false): T {
    return this.make(reduce("amax", this.value, dim, keepdim));
  }
  /** The smallest elements, as `amax`. */
  amin(dim?: number | readonly number[], keepdim = false): T {
    return this.make(reduce("amin", this.value, dim, keepdim));
  }
  /** The index (u32) of the largest element along `dim`, the first of equal ones; of the flattened whole by default. */
  argmax(dim?: number, keepdim = false): T {
    return this.make(argmax(this.value, dim, keepdim));
  }
  /** The logarithm of `softmax`, computed without overflow. */
  logSoftmax(dim = -1): T {
    return this.make(logSoftmax(this.value, dim));
  }
  /** exp(x) over its sum along `dim`. */
  softmax(dim = -1): T {
    return this.make(softmax(this.value, dim));
  }
}
