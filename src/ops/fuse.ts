/**
 * The fusion rules: one function each, applied to every graph before it is planned. A rule looks at ops and at the number
 * of nodes that read their results, never at the model. Without a rule, results differ by rounding at most.
 *
 * @module
 */
import { type Node, record, type Value } from "../graph/node.ts";
import { recorder } from "../graph/recorder.ts";
import type { Rule } from "../graph/rewrite.ts";
import { convGradInputOp, convOp, type GradInputAttrs } from "./conv/conv.ts";
import { convPoolOp, fitsConvPool } from "./conv/conv_pool.ts";
import { type Pooled, sizeOfImage } from "./conv/geometry.ts";
import { convGradWeightOp } from "./conv/grad_weight.ts";
import { mulOp, reluGradOp, reluOp } from "./elementwise/elementwise.ts";
import { logSoftmaxGradOp, logSoftmaxOp } from "./loss/log_softmax.ts";
import {
  crossEntropyGradOp,
  crossEntropyOp,
  fitsCrossEntropy,
  nllGradOp,
  nllOp,
  softCrossEntropyOp,
  softNllGradOp,
  softNllOp,
} from "./loss/loss.ts";
import { linearOp, matmulOp } from "./matmul/matmul.ts";
import { is, pendingNode } from "./op.ts";
import type { Pair } from "./options.ts";
import { type MaxPoolGradAttrs, maxPoolGradOp, maxPoolOp } from "./pool/max_pool.ts";
import { transposedFrom } from "./shape/strided.ts";
import { view } from "./shape/view.ts";
import { MAX_ACROSS, MAX_DOWN, MAX_UNROLLED } from "./tiling.ts";

/** The value whose elements `value` has: itself or, if it is a view, the computed value that it is a view of. */
function viewed(value: Value): Value {
  while (value.pending && value.node!.op.view) value = value.node!.inputs[0]!;
  return value;
}

/** A product of a transposed matrix reads the matrix as it is stored. */
const fuseTranspose: Rule = (node) => {
  if (!is(node, matmulOp)) return null;
  const { op, inputs, attrs } = node;
  const [a, b] = inputs.slice(0, 2).map((x) => x.pending ? transposedFrom(x.node!) : null);
  if (!a && !b) return null;
  const changed = { transA: attrs.transA !== (a !== null), transB: attrs.transB !== (b !== null) };
  return record(op, [a ?? inputs[0]!, b ?? inputs[1]!, ...inputs.slice(2)], { ...attrs, ...changed });
};

/** A product that is only read transposed is computed transposed: cᵀ = bᵀ aᵀ. */
const fuseTransposed: Rule = (node, users) => {
  const source = transposedFrom(node), c = source && pendingNode(source, matmulOp);
  if (!c || users(source) !== 1 || c.outputs.length > 1 || c.inputs.length > 2) return null;
  const { batch, m, n, transA, transB, relu } = c.attrs, [a, b] = c.inputs as [Value, Value];
  if (relu || batch.length > 0) return null;
  return record(matmulOp, [b, a], { ...c.attrs, m: n, n: m, transA: !transB, transB: !transA });
};

/**
 * The gradient of relu before max-pool: reluGrad(maxPoolGrad(dy, i), r) = maxPoolGrad(reluGrad(dy, y), i) where
 * y, i = maxPool(r), since only the elements of r whose value is in y get a gradient. The mask is applied to the smaller
 * tensor, and r is no longer needed.
 */
const maskPooled: Rule = (node) => {
  if (!is(node, reluGradOp)) return null;
  const [dr, r] = node.inputs, scatter = pendingNode(dr, maxPoolGradOp);
  const pool = pendingNode(scatter?.inputs[1], maxPoolOp);
  if (!scatter || pool?.inputs[0] !== r) return null;
  const [dy, index] = scatter.inputs as [Value, Value];
  const masked = record(reluGradOp, [dy, pool!.outputs[0]!], null)[0]!;
  return record(maxPoolGradOp, [masked, index], scatter.attrs);
};

/** relu after a convolution or a linear layer becomes part of it. */
const fuseRelu: Rule = (node, users) => {
  if (!is(node, reluOp)) return null;
  const [y] = node.inputs as [Value], conv = pendingNode(y, convOp), linear = pendingNode(y, linearOp);
  if (users(y) !== 1) return null;
  if (conv) return record(convOp, conv.inputs, { ...conv.attrs, relu: true });
  if (linear) return record(linearOp, linear.inputs, { ...linear.attrs, relu: true });
  return null;
};

/** A convolution whose result only a max-pool reads becomes one kernel with it. */
const fusePool: Rule = (node, users) => {
  if (!is(node, maxPoolOp)) return null;
  const [y] = node.inputs as [Value], conv = pendingNode(y, convOp);
  if (!conv || users(y) !== 1 || !fitsConvPool(conv.inputs, conv.attrs, node.attrs)) return null;
  return record(convPoolOp, conv.inputs, { conv: conv.attrs, pool: node.attrs });
};

/** The gradient of relu becomes part of the kernel whose result it masks. */
const fuseMask: Rule = (node, users) => {
  if (!is(node, reluGradOp)) return null;
  const [dy, y] = node.inputs as [Value, Value], source = viewed(dy);
  if (users(dy) !== 1 || source.size !== y.size || (source !== dy && users(source) !== 1)) return null;
  const masked = maskedSource(source, y);
  return masked && [view(masked, dy.shape)];
};

/** `source`, which is 0 where `y` is, from the kernel that computes it; null where that kernel cannot mask. */
function maskedSource(source: Value, y: Value): Value | null {
  const product = pendingNode(source, matmulOp), conv = pendingNode(source, convGradInputOp);
  const { inputs, outputs, attrs } = product ?? conv ?? {};
  if (!attrs || attrs.mask || attrs.relu || outputs!.length > 1) return null;
  const read = [...inputs!, view(y, source.shape)];
  if (conv) return record(convGradInputOp, read, { ...conv.attrs, mask: true })[0]!;
  return product!.attrs.batch.length > 0 ? null : record(matmulOp, read, { ...product!.attrs, mask: true })[0]!;
}

/** The gradient of max-pool, where windows do not overlap, is read by the gradients of a convolution window by window. */
const fuseUnpool: Rule = (node) => {
  if (is(node, convGradInputOp)) {
    const [dy, w, ...mask] = node.inputs as [Value, Value, ...Value[]], { attrs } = node;
    const scatter = pendingNode(dy, maxPoolGradOp), taps = sizeOfImage(w);
    const pooled = scatter && pooledBy(scatter, taps);
    if (!pooled || !alignedTo(pooled.window, taps, attrs)) return null;
    return record(convGradInputOp, [...scatter.inputs, w, ...mask], { ...attrs, pooled });
  }
  if (is(node, convGradWeightOp)) {
    const [x, dy] = node.inputs as [Value, Value], scatter = pendingNode(dy, maxPoolGradOp);
    const pooled = scatter && pooledBy(scatter, node.attrs.kernel);
    return pooled && record(convGradWeightOp, [x, ...scatter.inputs], { ...node.attrs, pooled });
  }
  return null;
};

/** The windows of a max-pool's gradient, if a kernel of `kh` x `kw` taps can read them; otherwise null. */
function pooledBy({ attrs }: Node<MaxPoolGradAttrs>, [kh, kw]: Pair): Pooled | null {
  const { kernel, stride, padding, shape } = attrs;
  const plain = padding.every((by) => by === 0) && kernel.every((size, i) => size === stride[i]);
  if (!plain || kernel[0] * kernel[1] === 1) return null;
  if (kh * kw * kernel[0] * kernel[1] > MAX_UNROLLED || kernel[0] > MAX_DOWN || kernel[1] > MAX_ACROSS) return null;
  return { window: kernel, size: [shape[2]!, shape[3]!] };
}

/** Whether the gradient of the input can read whole windows: its tiles must begin with one, and its steps be 1. */
function alignedTo(window: Pair, taps: Pair, { padding, dilation, stride, size }: GradInputAttrs): boolean {
  return window.every((extent, i) =>
    (dilation[i]! * (taps[i]! - 1) - padding[i]!) % extent === 0 && size[i]! % extent === 0 && stride[i] === 1
  );
}

/** Log-softmax and the loss after it become one kernel, which computes the gradient as well. */
const fuseCrossEntropy: Rule = (node) => {
  const source = pendingNode(node.inputs[0], logSoftmaxOp), logits = source?.inputs[0];
  if (!logits || source.attrs.dim !== 1) return null;
  const [, targets, weight] = node.inputs as [Value, Value, Value?];
  if (is(node, softNllOp) && fitsCrossEntropy(logits, node.attrs)) {
    return [record(softCrossEntropyOp, [logits, targets], node.attrs)[0]!];
  }
  if (is(node, nllOp) && fitsCrossEntropy(logits, node.attrs)) {
    const weights = node.attrs.weighted ? [weight!] : [];
    return [record(crossEntropyOp, [logits, targets, ...weights], node.attrs)[0]!];
  }
  return null;
};

/**
 * The gradient of both together: (softmax − target) dy, which the fused loss, if there is one, has computed for dy = 1.
 */
const fuseCrossEntropyGrad: Rule = (node) => {
  if (!is(node, logSoftmaxGradOp) || node.attrs.dim !== 1) return null;
  const [dp, p] = node.inputs as [Value, Value], nll = pendingNode(dp, nllGradOp);
  const [dy, targets, loss, ...rest] = (nll ?? pendingNode(dp, softNllGradOp))?.inputs ?? [];
  const fused = pendingNode(loss, crossEntropyOp) ?? pendingNode(loss, softCrossEntropyOp);
  if (fused) {
    const [, dx] = fused.outputs as [Value, Value];
    return dy!.host?.[0] === 1 ? [dx] : record(mulOp, [dx, dy!], null);
  }
  return nll && record(crossEntropyGradOp, [dy!, targets!, p, loss!, ...rest], nll.attrs);
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

/** The rules to apply. */
export function rules(): Rule[] {
  return RULE_NAMES.filter((name) => !recorder.skippedRules.has(name)).map((name) => RULES[name]!);
}
