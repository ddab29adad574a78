/**
 * Losses, and the log-softmax that one of them stands on.
 *
 * Cross-entropy is the negative log-likelihood of the log-softmax p: per row −Σ t_c p_c, where the target t is 1 − ε at
 * the label plus ε / C everywhere (ε: label smoothing). Through both, dx = (softmax(x) − t) dy.
 *
 * @module
 */
import crossEntropySource from "../../shaders/cross_entropy.wgsl" with { type: "text" };
import crossEntropyGradSource from "../../shaders/cross_entropy_grad.wgsl" with { type: "text" };
import logSoftmaxSource from "../../shaders/log_softmax.wgsl" with { type: "text" };
import logSoftmaxGradSource from "../../shaders/log_softmax_grad.wgsl" with { type: "text" };
import nllSource from "../../shaders/nll_loss.wgsl" with { type: "text" };
import nllGradSource from "../../shaders/nll_loss_grad.wgsl" with { type: "text" };
import { ShapeError } from "../errors.ts";
import { type Op, record, sizeOf, type Value } from "../graph/node.ts";
import { apply, combine, scalar } from "./elementwise.ts";
import { reduce } from "./reduce.ts";
import { axis, broadcast, expand, linearGrid, requireType, text, view } from "./shape.ts";

const crossEntropyKernel = { file: "cross_entropy.wgsl", source: crossEntropySource };
const crossEntropyGradKernel = { file: "cross_entropy_grad.wgsl", source: crossEntropyGradSource };
const logSoftmaxKernel = { file: "log_softmax.wgsl", source: logSoftmaxSource };
const logSoftmaxGradKernel = { file: "log_softmax_grad.wgsl", source: logSoftmaxGradSource };
const nllKernel = { file: "nll_loss.wgsl", source: nllSource };
const nllGradKernel = { file: "nll_loss_grad.wgsl", source: nllGradSource };

export const REDUCTIONS = ["mean", "sum", "none"] as const;
export type Reduction = typeof REDUCTIONS[number];

// --- log-softmax -----------------------------------------------------------------------------------------------------

export interface RowsAttrs {
  readonly dim: number;
}

/** Rows along `dim`: how many, how long, and how far apart their elements are. */
const rows = (x: Value, { dim }: RowsAttrs) => ({
  ROWS: x.size / x.shape[dim]!,
  CLASSES: x.shape[dim]!,
  INNER: sizeOf(x.shape.slice(dim + 1)),
});

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

export function logSoftmax(x: Value, dim: number): Value {
  requireType(x, "f32", "logSoftmax");
  const matrix = x.shape.length === 0 ? view(x, [1]) : x;
  return view(record(logSoftmaxOp, [matrix], { dim: axis(dim, x.shape.length, "logSoftmax") })[0]!, x.shape);
}

/** dx = y (dy − Σ y dy). */
const softmaxOp: Op<RowsAttrs> = {
  name: "softmax",
  gradName: "SoftmaxBackward0",
  outputs: ([x]) => [x!],
  expand: ({ inputs: [x], attrs }) => [apply("exp", record(logSoftmaxOp, [x!], attrs)[0]!)],
  grad({ outputs: [y], attrs: { dim } }, [dy]) {
    const weighted = combine("mul", y!, dy!);
    return [combine("sub", weighted, combine("mul", y!, reduce("sum", weighted, [dim], true)))];
  },
};

export function softmax(x: Value, dim: number): Value {
  requireType(x, "f32", "softmax");
  const matrix = x.shape.length === 0 ? view(x, [1]) : x;
  return view(record(softmaxOp, [matrix], { dim: axis(dim, x.shape.length, "softmax") })[0]!, x.shape);
}

// --- negative log-likelihood -----------------------------------------------------------------------------------------

export interface NllAttrs {
  readonly reduction: Reduction;
  readonly smoothing: number;
}

const nllConstants = (logits: Value, { smoothing }: NllAttrs) => ({
  ROWS: logits.shape[0]!,
  CLASSES: logits.shape[1]!,
  SMOOTHING: smoothing,
});

const nllGradConstants = (dx: Value, attrs: NllAttrs) => ({
  ...nllConstants(dx, attrs),
  ROW_GRADIENTS: attrs.reduction === "none",
  SCALE: attrs.reduction === "mean" ? 1 / dx.shape[0]! : 1,
});

/** The loss of each row. */
const nllRowsOp: Op<NllAttrs> = {
  name: "nllRows",
  outputs: ([logits]) => [{ shape: [logits!.shape[0]!], dtype: "f32" }],
  dispatches: ({ inputs: [logits, labels], outputs: [loss], attrs }) => [{
    kernel: nllKernel,
    constants: nllConstants(logits!, attrs),
    bindings: [logits!, labels!, loss!],
    grid: linearGrid(logits!.shape[0]!),
  }],
};

export const nllOp: Op<NllAttrs> = {
  name: "nllLoss",
  gradName: "NllLossBackward0",
  outputs: ([logits], { reduction }) => [{
    shape: reduction === "none" ? [logits!.shape[0]!] : [],
    dtype: "f32",
  }],
  expand({ inputs: [logits, labels], attrs }) {
    const [loss] = record(nllRowsOp, [logits!, labels!], attrs);
    return [attrs.reduction === "none" ? loss! : reduce(attrs.reduction, loss!, undefined, false)];
  },
  grad: ({ inputs: [logits, labels], outputs: [loss], attrs }, [dy]) => [
    record(nllGradOp, [dy!, labels!, loss!], { ...attrs, classes: logits!.shape[1]! })[0]!,
    null,
  ],
};

/**
 * The gradient of the log-probabilities: −t dy, over the number of rows where the loss is their mean. Its last input, the loss,
 * is not read: it tells the fusion rules what this is the gradient of.
 */
export const nllGradOp: Op<NllAttrs & { classes: number }> = {
  name: "nllLossGrad",
  outputs: ([, labels], { classes }) => [{ shape: [labels!.size, classes], dtype: "f32" }],
  dispatches: ({ inputs: [dy, labels], outputs: [dx], attrs }) => [{
    kernel: nllGradKernel,
    constants: nllGradConstants(dx!, attrs),
    bindings: [dy!, labels!, dx!],
    grid: linearGrid(dx!.size),
  }],
};

/** Both gradients at once, from the log-softmax p: dx = (exp p − t) dy. The last input, the loss, is not read. */
export const crossEntropyGradOp: Op<NllAttrs & { classes: number }> = {
  name: "crossEntropyGrad",
  outputs: ([, , p]) => [p!],
  dispatches: ({ inputs: [dy, labels, p], outputs: [dx], attrs }) => [{
    kernel: crossEntropyGradKernel,
    constants: nllGradConstants(dx!, attrs),
    bindings: [dy!, labels!, p!, dx!],
    grid: linearGrid(dx!.size),
  }],
};

/** The most rows that one workgroup takes alone: more would leave a device idle. */
const MOST_ROWS = 1024;

/** Whether `crossEntropyOp` serves: one loss of few rows. */
export function fitsCrossEntropy(logits: Value, { reduction }: NllAttrs): boolean {
  return reduction !== "none" && logits.shape[0]! <= MOST_ROWS;
}

/** The loss of logits and labels, and the gradient of the logits where that of the loss is 1. */
export const crossEntropyOp: Op<NllAttrs> = {
  name: "crossEntropy",
  outputs: ([logits]) => [{ shape: [], dtype: "f32" }, logits!],
  dispatches: ({ inputs: [logits, labels], outputs: [loss, dx], attrs }) => [{
    kernel: crossEntropyKernel,
    constants: { ...nllConstants(logits!, attrs), SCALE: attrs.reduction === "mean" ? 1 / logits!.shape[0]! : 1 },
    bindings: [logits!, labels!, loss!, dx!],
    grid: [1, 1, 1],
  }],
};

/**
 * Cross-entropy of logits [N, C] and labels u32 [N]. A label of C or more makes the loss NaN, which training reports:
 * a kernel cannot throw. Labels that are still on the CPU are checked at once.
 */
export function crossEntropy(logits: Value, labels: Value, attrs: NllAttrs): Value {
  requireType(logits, "f32", "crossEntropy");
  requireType(labels, "u32", "crossEntropy: labels");
  if (logits.shape.length !== 2 || labels.shape.length !== 1 || labels.shape[0] !== logits.shape[0]) {
    throw new ShapeError(
      `crossEntropy: expected logits [N, C] and labels [N], got ${text(logits.shape)} and ${text(labels.shape)}`,
    );
  }
  const wrong = labels.host?.find((label) => label >= logits.shape[1]!);
  if (wrong !== undefined) throw new ShapeError(`crossEntropy: label ${wrong} of ${logits.shape[1]} classes`);
  return record(nllOp, [logSoftmax(logits, 1), labels], attrs)[0]!;
}

// --- mean squared error ----------------------------------------------------------------------------------------------

const mseOp: Op<{ reduction: Reduction }> = {
  name: "mseLoss",
  gradName: "MseLossBackward0",
  outputs: ([x], { reduction }) => [{ shape: reduction === "none" ? x!.shape : [], dtype: "f32" }],
  expand({ inputs: [x, y], attrs: { reduction } }) {
    const squares = apply("square", combine("sub", x!, y!));
    return [reduction === "none" ? squares : reduce(reduction, squares, undefined, false)];
  },
  grad({ inputs: [x, y], attrs: { reduction } }, [dy], needs) {
    const scale = combine("mul", dy!, scalar(reduction === "mean" ? 2 / x!.size : 2));
    const dx = combine("mul", combine("sub", x!, y!), scale);
    return [needs[0] ? dx : null, needs[1] ? apply("neg", dx) : null];
  },
};

/** The squared differences of x and y: their mean, their sum, or each. The shapes are broadcast together. */
export function mseLoss(x: Value, y: Value, reduction: Reduction): Value {
  requireType(x, "f32", "mseLoss");
  requireType(y, "f32", "mseLoss");
  const both = broadcast(x.shape, y.shape, "mseLoss");
  return record(mseOp, [expand(x, both), expand(y, both)], { reduction })[0]!;
}
