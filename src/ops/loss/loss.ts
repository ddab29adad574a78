/**
 * Losses of classification, which start from log-softmax.
 *
 * Cross-entropy is the negative log-likelihood of the log-softmax p: per row −Σ t_c p_c, where the target t is 1 − ε at
 * the label plus ε / C everywhere (ε: label smoothing), times the weight of the class; or t is given. Through both,
 * dx = (softmax(x) Σ t − t) dy. Classes are dimension 1, as in [N, C] or [N, C, H, W]; all others make rows.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, type Value } from "../../graph/node.ts";
import { apply, combine, scalar } from "../elementwise/elementwise.ts";
import { formOf } from "../op.ts";
import { logSoftmax, rows } from "./log_softmax.ts";
import { reduce } from "../reduce/reduce.ts";
import { linearGrid, requireType, text } from "../shape/shape.ts";
import { view } from "../shape/view.ts";

const crossEntropyKernel = shader("loss/cross_entropy.wgsl");
const crossEntropyGradKernel = shader("loss/cross_entropy_grad.wgsl");
const labelWeightsKernel = shader("loss/label_weights.wgsl");
const nllKernel = shader("loss/nll_loss.wgsl");
const nllGradKernel = shader("loss/nll_loss_grad.wgsl");
const softCrossEntropyKernel = shader("loss/soft_cross_entropy.wgsl");

/** The reductions of a loss. */
export const REDUCTIONS = ["mean", "sum", "none"] as const;
/** The reduction of a loss: the mean of the rows' losses, their sum, or none. */
export type Reduction = typeof REDUCTIONS[number];

// --- negative log-likelihood -----------------------------------------------------------------------------------------

/** The losses of rows become one by their reduction. */
export interface SoftAttrs {
  readonly reduction: Reduction;
}

/** The attributes of a loss of labels. */
export interface NllAttrs extends SoftAttrs {
  /** The share of the target that is spread evenly over all classes. */
  readonly smoothing: number;
  /** Rows with this label do not count; null: all do. */
  readonly ignored: number | null;
  /** The classes have weights. */
  readonly weighted: boolean;
}

type NllGradAttrs = NllAttrs & { readonly shape: Shape };

/** Whether a mean divides by the sum of the labels' weights, which is only known when the labels are. */
const isDivided = ({ reduction, weighted, ignored }: NllAttrs) =>
  reduction === "mean" && (weighted || ignored !== null);

const labelConstants = ({ weighted, ignored }: NllAttrs) => ({
  WEIGHTED: weighted,
  IGNORES: ignored !== null,
  IGNORED: ignored ?? 0,
});

const nllConstants = (p: Value, attrs: NllAttrs) => ({
  ...rows(p, { dim: 1 }),
  ...labelConstants(attrs),
  SMOOTHING: attrs.smoothing,
});

/** The factor of the sum of the rows' losses, as far as it does not depend on the labels. */
const scaleOf = (p: Value, reduction: Reduction) => reduction === "mean" ? 1 / rows(p, { dim: 1 }).ROWS : 1;

const nllGradConstants = (dx: Value, attrs: NllAttrs) => ({
  ...nllConstants(dx, attrs),
  ROW_GRADIENTS: attrs.reduction === "none",
  DIVIDED: isDivided(attrs),
  SCALE: isDivided(attrs) ? 1 : scaleOf(dx, attrs.reduction),
});

/** The shape of the labels of `p`, and of the losses of its rows. */
const labelShape = ({ shape }: Value) => shape.filter((_, i) => i !== 1);

/** The loss of each row. */
const nllRowsOp: Op<NllAttrs> = {
  name: "nllRows",
  outputs: ([p]) => [{ shape: labelShape(p!), dtype: "f32" }],
  dispatches: ({ inputs: [p, labels, ...weights], outputs: [loss], attrs }) => [{
    kernel: nllKernel,
    constants: nllConstants(p!, attrs),
    bindings: [p!, labels!, loss!, ...weights],
    grid: linearGrid(loss!.size),
  }],
};

/** The weight of each row. */
const labelWeightsOp: Op<NllAttrs & { classes: number }> = {
  name: "labelWeights",
  outputs: ([labels]) => [{ shape: labels!.shape, dtype: "f32" }],
  dispatches: ({ inputs: [labels, ...weights], outputs: [y], attrs }) => [{
    kernel: labelWeightsKernel,
    constants: { ROWS: y!.size, CLASSES: attrs.classes, ...labelConstants(attrs) },
    bindings: [labels!, y!, ...weights],
    grid: linearGrid(y!.size),
  }],
};

/**
 * Inputs: p, the labels; the weights of classes, if there are any; the sum of the labels' weights, if the mean divides by
 * it.
 */
export const nllOp: Op<NllAttrs> = {
  name: "nllLoss",
  gradName: "NllLossBackward0",
  outputs: ([p], { reduction }) => [{ shape: reduction === "none" ? labelShape(p!) : [], dtype: "f32" }],
  expand({ inputs: [p, labels, ...rest], attrs }) {
    const divided = isDivided(attrs), weights = attrs.weighted ? rest.slice(0, 1) : [];
    const [loss] = record(nllRowsOp, [p!, labels!, ...weights], attrs);
    if (attrs.reduction === "none") return [loss!];
    const total = reduce(divided ? "sum" : attrs.reduction, loss!, undefined, false);
    return [divided ? combine("div", total, rest.at(-1)!) : total];
  },
  grad: ({ inputs: [p, labels, ...rest], outputs: [loss], attrs }, [dy]) => [
    record(nllGradOp, [dy!, labels!, loss!, ...rest], { ...attrs, shape: p!.shape })[0]!,
  ],
};

const nll2dOp = formOf(nllOp, "NllLoss2DBackward0");

/**
 * The gradient of the log-probabilities: −t dy, over the number of rows where the loss is a mean. The third input, the
 * loss, is not read: the fusion rules find by it which loss this is the gradient of.
 */
export const nllGradOp: Op<NllGradAttrs> = {
  name: "nllLossGrad",
  outputs: (_, { shape }) => [{ shape, dtype: "f32" }],
  dispatches: ({ inputs: [dy, labels, , ...rest], outputs: [dp], attrs }) => [{
    kernel: nllGradKernel,
    constants: nllGradConstants(dp!, attrs),
    bindings: [dy!, labels!, dp!, ...rest],
    grid: linearGrid(dp!.size),
  }],
};

/** Both gradients at once, from the log-softmax p: dx = (exp p Σ t − t) dy. The fourth input, the loss, is not read. */
export const crossEntropyGradOp: Op<NllGradAttrs> = {
  name: "crossEntropyGrad",
  outputs: ([, , p]) => [p!],
  dispatches: ({ inputs: [dy, labels, p, , ...rest], outputs: [dx], attrs }) => [{
    kernel: crossEntropyGradKernel,
    constants: nllGradConstants(dx!, attrs),
    bindings: [dy!, labels!, p!, dx!, ...rest],
    grid: linearGrid(dx!.size),
  }],
};

/** The most rows for a kernel with one workgroup: with more, most of the device would be idle for too long. */
const MAX_ROWS = 1024;

/** Whether `crossEntropyOp` or `softCrossEntropyOp` can compute the loss: a mean or a sum of few rows. */
export function fitsCrossEntropy(logits: Value, { reduction }: SoftAttrs): boolean {
  return reduction !== "none" && rows(logits, { dim: 1 }).ROWS <= MAX_ROWS;
}

/**
 * The loss of logits and labels, and the gradient of the logits for a gradient of the loss of 1. The last input may be the
 * weights of the classes.
 */
export const crossEntropyOp: Op<NllAttrs> = {
  name: "crossEntropy",
  outputs: ([logits]) => [{ shape: [], dtype: "f32" }, logits!],
  dispatches: ({ inputs: [logits, labels, ...weights], outputs: [loss, dx], attrs }) => [{
    kernel: crossEntropyKernel,
    constants: {
      ...nllConstants(logits!, attrs),
      DIVIDED: isDivided(attrs),
      SCALE: scaleOf(logits!, attrs.reduction),
    },
    bindings: [logits!, labels!, loss!, dx!, ...weights],
    grid: [1, 1, 1],
  }],
};

/** The options of a loss of classes. */
export interface NllOptions extends Omit<NllAttrs, "weighted"> {
  /** The weight of each class, f32 [C]. */
  readonly weight: Value | null;
}

/** The scores of one sample, [C], as a batch, [1, C]. */
const batched = (x: Value) => x.shape.length === 1 ? view(x, [1, ...x.shape]) : x;

/** Refuses scores that are not f32 [N, C, …] or [C], `targets` that do not have `shape`, and weights that are not [C]. */
function checkScores(x: Value, targets: Value, shape: Shape, weight: Value | null, action: string): void {
  requireType(x, "f32", action);
  if (x.shape.length === 0 || text(targets.shape) !== text(shape)) {
    throw new ShapeError(
      `${action}: expected [N, C, …] and labels u32 [N, …], or [C] and []${
        action === "crossEntropy" ? ", or probabilities f32 of the logits' shape" : ""
      }; got ${text(x.shape)} and ${targets.dtype} ${text(targets.shape)}`,
    );
  }
  const classes = batched(x).shape[1]!;
  if (weight && (weight.dtype !== "f32" || text(weight.shape) !== text([classes]))) {
    throw new ShapeError(
      `${action}: weight must be f32 ${text([classes])}, got ${weight.dtype} ${text(weight.shape)}`,
    );
  }
}

function checkLabels(x: Value, labels: Value, { weight, ignored }: NllOptions, action: string): void {
  requireType(labels, "u32", `${action}: labels`);
  checkScores(x, labels, x.shape.length === 1 ? [] : labelShape(x), weight, action);
  if (weight?.needsGrad) throw new ShapeError(`${action}: weight cannot require gradients where labels are given`);
  const classes = batched(x).shape[1]!, wrong = labels.host?.find((label) => label >= classes && label !== ignored);
  if (wrong !== undefined) throw new ShapeError(`${action}: label ${wrong} of ${classes} classes`);
}

/** The reduction; for a single sample, "none" gives a scalar, as "sum" does. */
const reductionOf = (x: Value, reduction: Reduction) =>
  x.shape.length === 1 && reduction === "none" ? "sum" : reduction;

function likelihood(p: Value, labels: Value, { weight, ...options }: NllOptions): Value {
  const attrs = { ...options, weighted: weight !== null },
    given = [view(labels, labelShape(p)), ...(weight ? [weight] : [])];
  const total = () =>
    reduce("sum", record(labelWeightsOp, given, { ...attrs, classes: p.shape[1]! })[0]!, undefined, false);
  const inputs = [p, ...given, ...(isDivided(attrs) ? [total()] : [])];
  return record(p.shape.length > 2 ? nll2dOp : nllOp, inputs, attrs)[0]!;
}

/**
 * The negative log-likelihood of labels u32 [N, …], given log-probabilities f32 [N, C, …]; or of one label [], given
 * [C]. A label of C or more makes the loss NaN, which training reports, since a kernel cannot throw. Labels that are still
 * in CPU memory are checked at once.
 */
export function nllLoss(p: Value, labels: Value, options: NllOptions): Value {
  checkLabels(p, labels, options, "nllLoss");
  return likelihood(batched(p), labels, { ...options, reduction: reductionOf(p, options.reduction) });
}

/** Cross-entropy of logits f32 [N, C, …] and labels, see `nllLoss`, or probabilities f32 of the logits' shape. */
export function crossEntropy(logits: Value, targets: Value, options: NllOptions): Value {
  if (targets.dtype === "f32") return softCrossEntropy(logits, targets, options);
  checkLabels(logits, targets, options, "crossEntropy");
  const reduction = reductionOf(logits, options.reduction);
  return likelihood(logSoftmax(batched(logits), 1), targets, { ...options, reduction });
}

// --- cross-entropy of probabilities ----------------------------------------------------------------------------------

/** x times the gradient of each row's loss, negated. */
function minusShare(x: Value, dy: Value, { reduction }: SoftAttrs): Value {
  const by = combine("mul", dy, scalar(-scaleOf(x, reduction)));
  const [n, , ...inner] = x.shape;
  return combine("mul", x, reduction === "none" ? view(by, [n!, 1, ...inner]) : by);
}

/** The negative log-likelihood −Σ t p of probabilities t. Inputs: the log-probabilities p, and t. */
export const softNllOp: Op<SoftAttrs> = {
  name: "softNllLoss",
  gradName: "CrossEntropyLossBackward0",
  outputs: ([p], { reduction }) => [{ shape: reduction === "none" ? labelShape(p!) : [], dtype: "f32" }],
  expand({ inputs: [p, t], attrs: { reduction } }) {
    const each = combine("mul", p!, t!);
    if (reduction === "none") return [apply("neg", reduce("sum", each, 1, false))];
    return [combine("mul", reduce("sum", each, undefined, false), scalar(-scaleOf(p!, reduction)))];
  },
  grad: ({ inputs: [p, t], outputs: [loss], attrs }, [dy], needs) => [
    needs[0] ? record(softNllGradOp, [dy!, t!, loss!], attrs)[0]! : null,
    needs[1] ? minusShare(p!, dy!, attrs) : null,
  ],
};

/** The gradient of the log-probabilities: −t dy. The last input, the loss, is not read, as in `nllGradOp`. */
export const softNllGradOp: Op<SoftAttrs> = {
  name: "softNllLossGrad",
  outputs: ([, t]) => [t!],
  expand: ({ inputs: [dy, t], attrs }) => [minusShare(t!, dy!, attrs)],
};

/** The loss of logits and probabilities, and the gradient of the logits for a gradient of the loss of 1. */
export const softCrossEntropyOp: Op<SoftAttrs> = {
  name: "softCrossEntropy",
  outputs: ([logits]) => [{ shape: [], dtype: "f32" }, logits!],
  dispatches: ({ inputs: [logits, t], outputs: [loss, dx], attrs: { reduction } }) => [{
    kernel: softCrossEntropyKernel,
    constants: { ...rows(logits!, { dim: 1 }), SCALE: scaleOf(logits!, reduction) },
    bindings: [logits!, t!, loss!, dx!],
    grid: [1, 1, 1],
  }],
};

function softCrossEntropy(logits: Value, targets: Value, options: NllOptions): Value {
  const { weight, smoothing, ignored, reduction } = options;
  checkScores(logits, targets, logits.shape, weight, "crossEntropy");
  if (ignored !== null) throw new ShapeError("crossEntropy: ignoreIndex is for labels, not for probabilities");
  const x = batched(logits), classes = x.shape[1]!;
  let t = batched(targets);
  if (smoothing > 0) t = combine("add", combine("mul", t, scalar(1 - smoothing)), scalar(smoothing / classes));
  if (weight) t = combine("mul", t, view(weight, [classes, ...x.shape.slice(2).map(() => 1)]));
  return record(softNllOp, [logSoftmax(x, 1), t], { reduction: reductionOf(logits, reduction) })[0]!;
}
