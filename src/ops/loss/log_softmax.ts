/**
 * Softmax and its logarithm, along one dimension.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, record, sizeOf, type Value } from "../../graph/node.ts";
import { apply, combine } from "../elementwise/elementwise.ts";
import { reduce } from "../reduce/reduce.ts";
import { axis, linearGrid, requireType } from "../shape/shape.ts";
import { view } from "../shape/view.ts";

const logSoftmaxKernel = shader("loss/log_softmax.wgsl");
const logSoftmaxGradKernel = shader("loss/log_softmax_grad.wgsl");

/** The dimension along which rows run. */
export interface RowsAttrs {
  readonly dim: number;
}

/** The rows along `dim`: their number, their length, and the distance between their elements. */
export const rows = (x: Value, { dim }: RowsAttrs): Record<"ROWS" | "CLASSES" | "INNER", number> => ({
  ROWS: x.size / x.shape[dim]!,
  CLASSES: x.shape[dim]!,
  INNER: sizeOf(x.shape.slice(dim + 1)),
});

/** y = x − log Σ exp(x), along a dimension. */
export const logSoftmaxOp: Op<RowsAttrs> = {
  name: "logSoftmax",
  gradName: "LogSoftmaxBackward0",
  outputs: ([x]) => [x!],
  grad: ({ outputs: [y], attrs }, [dy]) => [record(logSoftmaxGradOp, [dy!, y!], attrs)[0]!],
  dispatches: ({ inputs: [x], outputs: [y], attrs }) => [{
    kernel: logSoftmaxKernel,
    constants: rows(x!, attrs),
    bindings: [x!, y!],
    grid: linearGrid(rows(x!, attrs).ROWS),
  }],
};

/** dx = dy − exp(y) Σ dy. */
export const logSoftmaxGradOp: Op<RowsAttrs> = {
  name: "logSoftmaxGrad",
  outputs: ([dy]) => [dy!],
  dispatches: ({ inputs: [dy, y], outputs: [dx], attrs }) => [{
    kernel: logSoftmaxGradKernel,
    constants: rows(y!, attrs),
    bindings: [dy!, y!, dx!],
    grid: linearGrid(rows(y!, attrs).ROWS),
  }],
};

/** The logarithm of softmax along `dim`. */
export function logSoftmax(x: Value, dim: number): Value {
  requireType(x, "f32", "logSoftmax");
  const matrix = x.shape.length === 0 ? view(x, [1]) : x;
  return view(record(logSoftmaxOp, [matrix], { dim: axis(dim, x.shape.length, "logSoftmax") })[0]!, x.shape);
}

/** Its gradient is dx = y (dy − Σ y dy). */
export const softmaxOp: Op<RowsAttrs> = {
  name: "softmax",
  gradName: "SoftmaxBackward0",
  outputs: ([x]) => [x!],
  expand: ({ inputs: [x], attrs }) => [apply("exp", record(logSoftmaxOp, [x!], attrs)[0]!)],
  grad({ outputs: [y], attrs: { dim } }, [dy]) {
    const weighted = combine("mul", y!, dy!);
    return [combine("sub", weighted, combine("mul", y!, reduce("sum", weighted, [dim], true)))];
  },
};

/** exp(x) / Σ exp(x) along `dim`. */
export function softmax(x: Value, dim: number): Value {
  requireType(x, "f32", "softmax");
  const matrix = x.shape.length === 0 ? view(x, [1]) : x;
  return view(record(softmaxOp, [matrix], { dim: axis(dim, x.shape.length, "softmax") })[0]!, x.shape);
}
