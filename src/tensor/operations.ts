/**
 * What tensors can be computed from tensors: the methods of `Tensor` that give a new one. Operations check shapes at
 * once and record a node.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { DType, Shape, Value } from "../graph/node.ts";
import { activate } from "../ops/elementwise/activation.ts";
import * as elementwise from "../ops/elementwise/elementwise.ts";
import { logSoftmax, softmax } from "../ops/loss/log_softmax.ts";
import { matmul } from "../ops/matmul/matmul.ts";
import { argmax, reduce } from "../ops/reduce/reduce.ts";
import * as shapes from "../ops/shape/shape.ts";
import * as strided from "../ops/shape/strided.ts";
import * as views from "../ops/shape/view.ts";
import type { Tensor } from "./tensor.ts";
import { valueOf } from "./value_of.ts";

/** The operations of a tensor, apart from what holds its elements: see `Tensor`. */
export abstract class Operations {
  /** The graph's value behind this handle. */
  abstract get value(): Value;
  abstract get shape(): Shape;
  abstract get dtype(): DType;
  /** A tensor of `value`. */
  protected abstract make(value: Value): Tensor;

  // --- elementwise ---------------------------------------------------------------------------------------------------

  #binary(name: elementwise.Binary, other: Tensor | number): Tensor {
    const right = typeof other === "number" ? elementwise.scalar(other, this.dtype) : valueOf(other, name);
    return this.make(elementwise.combine(name, this.value, right));
  }

  #unary(name: elementwise.Unary): Tensor {
    return this.make(elementwise.apply(name, this.value));
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
  /** 1 / (1 + e⁻ˣ). */
  sigmoid(): Tensor {
    return this.make(activate("sigmoid", this.value));
  }
  /** The hyperbolic tangent. */
  tanh(): Tensor {
    return this.make(activate("tanh", this.value));
  }

  // --- matrices and shapes -------------------------------------------------------------------------------------------

  /** The product of vectors, matrices, or batches of matrices (broadcast), as `torch.matmul`. */
  matmul(other: Tensor): Tensor {
    return this.make(matmul(this.value, valueOf(other, "matmul")));
  }
  /** A matrix transposed. */
  t(): Tensor {
    if (this.shape.length > 2) throw new ShapeError(`t: expected at most 2 dimensions, got ${shapes.text(this.shape)}`);
    return this.make(this.shape.length < 2 ? this.value : strided.permute(this.value, [1, 0], "TBackward0"));
  }
  /** Exchanges two dimensions. */
  transpose(dim0: number, dim1: number): Tensor {
    const rank = this.shape.length, order = this.shape.map((_, i) => i);
    const a = shapes.axis(dim0, rank, "transpose"), b = shapes.axis(dim1, rank, "transpose");
    if (rank === 0) return this.make(this.value);
    order[a] = b;
    order[b] = a;
    return this.make(strided.permute(this.value, order, "TransposeBackward0"));
  }
  /** Reorders the dimensions: dimension `i` of the result is `dims[i]` of this. */
  permute(dims: readonly number[]): Tensor {
    return this.make(strided.permute(this.value, dims));
  }
  /** One extent may be -1: it takes what is left. */
  reshape(shape: Shape): Tensor {
    return this.make(views.reshape(this.value, shape));
  }
  /** Joins the dimensions from `startDim` to `endDim`. */
  flatten(startDim = 0, endDim = -1): Tensor {
    return this.make(views.flatten(this.value, startDim, endDim));
  }
  /** Drops dimension `dim` where its extent is 1; all such dimensions by default. */
  squeeze(dim?: number): Tensor {
    const at = dim === undefined ? null : shapes.axis(dim, this.shape.length, "squeeze");
    const shape = this.shape.filter((extent, i) => extent !== 1 || (at !== null && i !== at));
    return this.make(views.view(this.value, shape, at === null ? "SqueezeBackward0" : "SqueezeBackward1"));
  }
  /** Adds a dimension of extent 1 before dimension `dim`. */
  unsqueeze(dim: number): Tensor {
    const at = shapes.axis(dim, this.shape.length + 1, "unsqueeze");
    return this.make(
      views.view(this.value, [...this.shape.slice(0, at), 1, ...this.shape.slice(at)], "UnsqueezeBackward0"),
    );
  }
  /** Repeats dimensions of extent 1 to `shape`; an extent of -1 stays as it is. */
  expand(shape: Shape): Tensor {
    return this.make(strided.expand(this.value, shape));
  }

  // --- reductions ----------------------------------------------------------------------------------------------------

  /** The sum over `dim`: a dimension, several, or all. */
  sum(dim?: number | readonly number[], keepdim = false): Tensor {
    return this.make(reduce("sum", this.value, dim, keepdim));
  }
  /** The mean over `dim`: a dimension, several, or all. */
  mean(dim?: number | readonly number[], keepdim = false): Tensor {
    return this.make(reduce("mean", this.value, dim, keepdim));
  }
  /**
   * The largest elements; unlike PyTorch's `max(dim)`, without their indices (see `argmax`). Along one dimension the
   * gradient goes to the first of equal ones, as in PyTorch; over all or several it is shared evenly among them.
   */
  max(dim?: number | readonly number[], keepdim = false): Tensor {
    return this.make(reduce("max", this.value, dim, keepdim));
  }
  /** The smallest elements, as `max`. */
  min(dim?: number | readonly number[], keepdim = false): Tensor {
    return this.make(reduce("min", this.value, dim, keepdim));
  }
  /** The largest elements over `dim`, with the gradient shared evenly among equal ones, whatever `dim` is. */
  amax(dim?: number | readonly number[], keepdim = false): Tensor {
    return this.make(reduce("amax", this.value, dim, keepdim));
  }
  /** The smallest elements, as `amax`. */
  amin(dim?: number | readonly number[], keepdim = false): Tensor {
    return this.make(reduce("amin", this.value, dim, keepdim));
  }
  /** The index (u32) of the largest element along `dim`, the first of equal ones; of the flattened whole by default. */
  argmax(dim?: number, keepdim = false): Tensor {
    return this.make(argmax(this.value, dim, keepdim));
  }
  /** The logarithm of `softmax`, computed without overflow. */
  logSoftmax(dim = -1): Tensor {
    return this.make(logSoftmax(this.value, dim));
  }
  /** exp(x) over its sum along `dim`. */
  softmax(dim = -1): Tensor {
    return this.make(softmax(this.value, dim));
  }
}
