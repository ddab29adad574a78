/**
 * The fusion rules: one function each, applied to every graph before it is planned. A rule looks at ops and at who
 * reads their results, never at which model they belong to. Leaving a rule out changes no result beyond rounding.
 *
 * @module
 */
import { record, type Shape, type Value } from "../graph/node.ts";
import type { Rule } from "../graph/rewrite.ts";
import { type ConvAttrs, convGradInputOp, convGradWeightOp, convOp, type Pooled } from "./conv/conv.ts";
import type { Pair } from "./options.ts";
import { convPoolOp, fitsConvPool } from "./conv/conv_pool.ts";
import { mulOp as scaleOp, reluGradOp, reluOp } from "./elementwise/elementwise.ts";
import {
  crossEntropyGradOp,
  crossEntropyOp,
  fitsCrossEntropy,
  logSoftmaxGradOp,
  logSoftmaxOp,
  type NllAttrs,
  nllGradOp,
  nllOp,
  type RowsAttrs,
  type SoftAttrs,
  softCrossEntropyOp,
  softNllGradOp,
  softNllOp,
} from "./loss/loss.ts";
import { batchedOp, linearOp, type MatmulAttrs, matmulOp } from "./matmul/matmul.ts";
import { maxPoolGradOp, maxPoolOp, type PoolAttrs } from "./pool/max_pool.ts";
import { transposedFrom, view } from "./shape/shape.ts";
import { MOST_ACROSS, MOST_DOWN, MOST_UNROLLED } from "./tiling.ts";

/** The node behind `value`, if it is one of `op`. */
function from(value: Value | undefined, op: unknown) {
  return value?.node && value.node.op === op && value.pending ? value.node : null;
}

/** The value whose elements `value` shows, where it is a view of a computed one. */
function viewed(value: Value): Value {
  while (value.pending && value.node!.op.view) value = value.node!.inputs[0]!;
  return value;
}

/** A product reads a transposed matrix as it lay before. */
const fuseTranspose: Rule = ({ op, inputs, attrs }) => {
  if (op !== matmulOp as unknown && op !== batchedOp as unknown) return null;
  const [a, b] = inputs.slice(0, 2).map((x) => x.pending ? transposedFrom(x.node!) : null);
  if (!a && !b) return null;
  const { transA, transB } = attrs as MatmulAttrs;
  const changed = { transA: transA !== (a !== null), transB: transB !== (b !== null) };
  return record(op, [a ?? inputs[0]!, b ?? inputs[1]!, ...inputs.slice(2)], { ...attrs as object, ...changed });
};

/** A product that is only read transposed is computed so: cᵀ = bᵀ aᵀ. */
const fuseTransposed: Rule = (node, users) => {
  const source = transposedFrom(node), c = source && from(source, matmulOp);
  if (!c || users(source) !== 1 || c.outputs.length > 1 || c.inputs.length > 2) return null;
  const { m, n, transA, transB, relu } = c.attrs as MatmulAttrs, [a, b] = c.inputs as [Value, Value];
  return relu
    ? null
    : record(matmulOp, [b, a], { ...c.attrs as MatmulAttrs, m: n, n: m, transA: !transB, transB: !transA });
};

/**
 * The gradient of relu before max-pool: reluGrad(maxPoolGrad(dy, i), r) = maxPoolGrad(reluGrad(dy, y), i) where
 * y, i = maxPool(r), since the only places that get a gradient are those whose value is y. The masking is done on
 * the smaller tensor, and r itself is no longer needed.
 */
const maskPooled: Rule = ({ op, inputs: [dr, r] }) => {
  if (op !== reluGradOp as unknown) return null;
  const scatter = from(dr, maxPoolGradOp), pool = from(scatter?.inputs[1], maxPoolOp);
  if (!scatter || pool?.inputs[0] !== r) return null;
  const [dy, index] = scatter.inputs as [Value, Value];
  const masked = record(reluGradOp, [dy, pool!.outputs[0]!], null)[0]!;
  return record(maxPoolGradOp, [masked, index], scatter.attrs as never);
};

/** relu after a convolution or a linear layer becomes part of it. */
const fuseRelu: Rule = ({ op, inputs: [y] }, users) => {
  if (op !== reluOp as unknown || users(y!) !== 1) return null;
  const conv = from(y, convOp), linear = from(y, linearOp);
  if (conv) return record(convOp, conv.inputs, { ...conv.attrs as ConvAttrs, relu: true });
  if (linear) return record(linearOp, linear.inputs, { ...linear.attrs as MatmulAttrs, relu: true });
  return null;
};

/** A convolution whose result only a max-pool reads becomes one with it. */
const fusePool: Rule = ({ op, inputs: [y], attrs }, users) => {
  if (op !== maxPoolOp as unknown || users(y!) !== 1) return null;
  const conv = from(y, convOp), pool = attrs as PoolAttrs;
  if (!conv || !fitsConvPool(conv.inputs, conv.attrs as ConvAttrs, pool)) return null;
  return record(convPoolOp, conv.inputs, { conv: conv.attrs as ConvAttrs, pool });
};

/** The gradient of relu becomes part of the kernel that computes what it masks. */
const fuseMask: Rule = ({ op, inputs: [dy, y] }, users) => {
  if (op !== reluGradOp as unknown || users(dy!) !== 1) return null;
  const source = viewed(dy!), node = source.pending ? source.node : null;
  if (!node || source.size !== y!.size || (source !== dy && users(source) !== 1)) return null;
  const isMatmul = node.op === matmulOp as unknown, isConv = node.op === convGradInputOp as unknown;
  const attrs = node.attrs as { mask: boolean; relu: boolean };
  if (!(isMatmul || isConv) || attrs.mask || attrs.relu || node.outputs.length > 1) return null;
  const inputs = [...node.inputs, view(y!, source.shape)];
  return [view(record(node.op, inputs, { ...attrs, mask: true })[0]!, dy!.shape)];
};

/** The gradient of max-pool, where windows do not overlap, is read by the gradients of a convolution unscattered. */
const fuseUnpool: Rule = ({ op, inputs, attrs }) => {
  const toInput = op === convGradInputOp as unknown, toWeight = op === convGradWeightOp as unknown;
  if (!toInput && !toWeight) return null;
  const scatter = from(inputs[toInput ? 0 : 1], maxPoolGradOp);
  if (!scatter) return null;
  const { kernel, stride, padding, shape } = scatter.attrs as PoolAttrs & { shape: Shape };
  const plain = padding.every((by) => by === 0) && kernel.every((size, i) => size === stride[i]);
  if (!plain || kernel[0] * kernel[1] === 1) return null;
  const [kh, kw] = toInput ? inputs[1]!.shape.slice(2) as unknown as Pair : (attrs as { kernel: Pair }).kernel;
  if (kh * kw * kernel[0] * kernel[1] > MOST_UNROLLED || kernel[0] > MOST_DOWN || kernel[1] > MOST_ACROSS) return null;
  if (toInput) {
    // The kernel reads whole windows: its tiles must begin with one, and it walks without gaps.
    const { padding: by, dilation, stride: step, size } = attrs as ConvAttrs & { size: Pair };
    const aligned = kernel.every((window, i) =>
      (dilation[i]! * ([kh, kw][i]! - 1) - by[i]!) % window === 0 && size[i]! % window === 0 && step[i] === 1
    );
    if (!aligned) return null;
  }
  const pooled: Pooled = { window: kernel, size: [shape[2]!, shape[3]!] };
  const [first, second, ...rest] = inputs as [Value, Value];
  const read = toInput ? [...scatter.inputs, second, ...rest] : [first, ...scatter.inputs];
  return record(toInput ? convGradInputOp : convGradWeightOp as never, read, { ...attrs as object, pooled } as never);
};

/** Log-softmax and the loss behind it become one kernel, which has the gradient at hand as well. */
const fuseCrossEntropy: Rule = ({ op, inputs: [p, targets, weight], attrs }) => {
  const soft = op.name === softNllOp.name;
  if (!soft && op.name !== nllOp.name) return null;
  const source = from(p, logSoftmaxOp), logits = source?.inputs[0];
  if (!logits || (source.attrs as RowsAttrs).dim !== 1 || !fitsCrossEntropy(logits, attrs as SoftAttrs)) return null;
  if (soft) return [record(softCrossEntropyOp, [logits, targets!], attrs as SoftAttrs)[0]!];
  const read = (attrs as NllAttrs).weighted ? [logits, targets!, weight!] : [logits, targets!];
  return [record(crossEntropyOp, read, attrs as NllAttrs)[0]!];
};

/**
 * The gradient of both together: (softmax − target) dy, which the fused loss, if there is one, has computed for dy = 1.
 */
const fuseCrossEntropyGrad: Rule = ({ op, inputs: [dp, p], attrs }) => {
  if (op !== logSoftmaxGradOp as unknown || (attrs as RowsAttrs).dim !== 1) return null;
  const nll = from(dp, nllGradOp) ?? from(dp, softNllGradOp);
  if (!nll) return null;
  const [dy, targets, loss, ...rest] = nll.inputs as [Value, Value, Value, ...Value[]];
  const fused = from(loss, crossEntropyOp) ?? from(loss, softCrossEntropyOp);
  if (fused) {
    const [, dx] = fused.outputs as [Value, Value];
    return dy.host?.[0] === 1 ? [dx] : record(scaleOp, [dx, dy], null);
  }
  if (nll.op !== nllGradOp as unknown) return null;
  return record(crossEntropyGradOp, [dy, targets, p!, loss, ...rest], nll.attrs as never);
};

/** By name, in the order in which they are tried. */
const RULES: Readonly<Record<string, Rule>> = {
  fuseTranspose,
  fuseTransposed,
  maskPooled,
  fuseRelu,
  fusePool,
  fuseMask,
  fuseUnpool,
  fuseCrossEntropy,
  fuseCrossEntropyGrad,
};

/** The names of all rules. */
export const RULE_NAMES = Object.keys(RULES);

/** The names of rules that are not applied. For tests, and to find out which of them is to blame. */
export const switchedOff = new Set<string>();

/** The rules to apply. */
export function rules(): Rule[] {
  return RULE_NAMES.filter((name) => !switchedOff.has(name)).map((name) => RULES[name]!);
}
