/**
 * ONNX's operators for layers: convolutions, products, pools, normalisations, resizing.
 *
 * @module
 */
import { type Node, sizeOf, type Value } from "../graph/node.ts";
import { convOp } from "../ops/conv/conv.ts";
import type { ConvOptions } from "../ops/conv/geometry.ts";
import { convTransposeOp } from "../ops/conv/transpose.ts";
import { linearOp, matmulOp } from "../ops/matmul/matmul.ts";
import { type NormAttrs, normOps } from "../ops/norm/norm.ts";
import { is } from "../ops/op.ts";
import { avgPoolOp, type AvgPoolOptions } from "../ops/pool/avg_pool.ts";
import { maxPoolOp } from "../ops/pool/max_pool.ts";
import { upsampleOp } from "../ops/shape/upsample.ts";
import { viewOp } from "../ops/shape/view.ts";
import { type Lowering, type Rule, rule } from "./lowering.ts";

// --- convolutions and products ---------------------------------------------------------------------------------------

/** The attributes of a convolution with kernel `w`. */
const windows = (w: Value, { stride, padding, dilation, groups }: ConvOptions) => ({
  kernel_shape: w.shape.slice(2),
  strides: stride,
  pads: [...padding, ...padding],
  dilations: dilation,
  group: groups,
});

const conv2d = rule(
  convOp,
  ({ inputs, attrs }, to) => to.emit("Conv", inputs.map((one) => to.name(one)), windows(inputs[1]!, attrs)),
);

const convTranspose2d = rule(convTransposeOp, ({ inputs, attrs }, to) => {
  const [x, w] = inputs as [Value, Value], { stride, padding, dilation, size } = attrs;
  const more = size.map((extent, i) => {
    const reach = dilation[i]! * (w.shape[i + 2]! - 1) + 1;
    return extent - ((x.shape[i + 2]! - 1) * stride[i]! - 2 * padding[i]! + reach);
  });
  return to.emit("ConvTranspose", inputs.map((one) => to.name(one)), { ...windows(w, attrs), output_padding: more });
});

const linear = rule(
  linearOp,
  ({ inputs }, to) =>
    to.emit("Gemm", inputs.map((one) => to.name(one)), { alpha: { float: 1 }, beta: { float: 1 }, transB: 1 }),
);

const matmul = rule(matmulOp, ({ inputs, attrs: { transA, transB } }, to) => {
  const operands = inputs.map((one, i) => {
    const name = to.name(one), rank = one.shape.length;
    if (!(i === 0 ? transA : transB)) return name;
    return to.emit("Transpose", [name], { perm: one.shape.map((_, k) => k < rank - 2 ? k : 2 * rank - 3 - k) });
  });
  return to.emit("MatMul", operands);
});

// --- pools -----------------------------------------------------------------------------------------------------------

const maxPool2d = rule(
  maxPoolOp,
  ({ inputs: [x], attrs: { kernel, stride, padding } }, to) =>
    to.emit("MaxPool", [to.name(x!)], {
      ceil_mode: 0,
      kernel_shape: kernel,
      strides: stride,
      pads: [...padding, ...padding],
    }),
);

const avgPool2d = rule(avgPoolOp, ({ inputs: [x], attrs: { from, to: size, windows } }, to) => {
  const name = to.name(x!);
  if (windows) return averages(name, from.slice(2), size.slice(2), windows, to);
  const kernel = [2, 3].map((dim) => from[dim]! / size[dim]!);
  if (kernel.every(Number.isInteger)) return to.emit("AveragePool", [name], { kernel_shape: kernel, strides: kernel });
  // Windows of different sizes are the rows of a matrix.
  const [h, w] = [2, 3].map((dim) => shares(from[dim]!, size[dim]!, dim === 3));
  const rows = to.emit("MatMul", [to.constant("rows", h!, [size[2]!, from[2]!]), name]);
  return to.emit("MatMul", [rows, to.constant("columns", w!, [from[3]!, size[3]!])]);
});

/** The share of each of `count` elements in each of `windows` adaptive windows, [windows, count], or transposed. */
function shares(count: number, windows: number, transposed: boolean): Float32Array {
  const matrix = new Float32Array(windows * count);
  for (let i = 0; i < windows; i++) {
    const start = Math.floor(i * count / windows), end = Math.ceil((i + 1) * count / windows);
    for (let k = start; k < end; k++) matrix[transposed ? k * windows + i : i * count + k] = 1 / (end - start);
  }
  return matrix;
}

/** Averages over windows of one size, of which the last may reach beyond the padding. */
function averages(
  x: string,
  from: readonly number[],
  to: readonly number[],
  { kernel, stride, padding, countIncludePad, divisorOverride }: AvgPoolOptions,
  lowering: Lowering,
): string {
  const behind = [0, 1].map((i) =>
    Math.max(padding[i]!, (to[i]! - 1) * stride[i]! + kernel[i]! - from[i]! - padding[i]!)
  );
  const over = behind.some((by, i) => by > padding[i]!), pool = { "kernel_shape": kernel, strides: stride };
  if (divisorOverride !== 0) {
    const mean = lowering.emit("AveragePool", [x], { ...pool, pads: [...padding, ...behind], count_include_pad: 1 });
    return lowering.emit("Mul", [mean, lowering.scalar(kernel[0] * kernel[1] / divisorOverride)]);
  }
  if (over && countIncludePad && padding.some((by) => by > 0)) {
    // The padding counts, and what is beyond it does not.
    const padded = lowering.emit("Pad", [x, lowering.integers("pads", [0, 0, ...padding, 0, 0, ...padding])]);
    return lowering.emit("AveragePool", [padded], {
      ...pool,
      pads: [0, 0, ...behind.map((by, i) => by - padding[i]!)],
    });
  }
  const counted = countIncludePad && !over ? 1 : 0;
  return lowering.emit("AveragePool", [x], { ...pool, pads: [...padding, ...behind], count_include_pad: counted });
}

// --- normalisations --------------------------------------------------------------------------------------------------

/** The inputs of a normalisation. */
interface NormInputs {
  readonly x: Value;
  readonly given: readonly Value[];
  readonly weight: Value | null;
  readonly bias: Value | null;
}

function normInputs({ inputs: [x, ...rest], attrs }: Node<NormAttrs>): NormInputs {
  const given = attrs.given ? rest.splice(0, 2) : [];
  return { x: x!, given, weight: attrs.weight ? rest.shift()! : null, bias: attrs.bias ? rest.shift()! : null };
}

const norms = [
  rule(normOps.batch, (node, to) => batchNorm(normInputs(node), node.attrs, to)),
  rule(normOps.group, (node, to) => groupNorm(normInputs(node), node.attrs, to)),
  rule(normOps.layer, (node, to) => layerNorm(normInputs(node), node.attrs, to)),
];

/** The same number for each channel. */
const filled = (count: number, value: number, to: Lowering) =>
  to.constant(value === 0 ? "zeros" : "ones", new Float32Array(count).fill(value));

function batchNorm({ x, given, weight, bias }: NormInputs, { channels, eps }: NormAttrs, to: Lowering): string {
  if (given.length === 0) {
    return to.refuse("batch normalisation by the statistics of the batch itself has no counterpart there");
  }
  const scale = weight ? to.name(weight) : filled(channels, 1, to),
    shift = bias ? to.name(bias) : filled(channels, 0, to);
  const inputs = [to.name(x), scale, shift, ...given.map((one) => to.name(one))];
  return to.emit("BatchNormalization", inputs, { epsilon: { float: eps } });
}

function layerNorm({ x, weight, bias }: NormInputs, { channels, eps }: NormAttrs, to: Lowering): string {
  let axis = x.shape.length - 1;
  while (sizeOf(x.shape.slice(axis)) < channels) axis--;
  const shape = x.shape.slice(axis);
  // The weights of the op are vectors: views of those of the module, which may have more dimensions.
  const asGiven = (value: Value) => {
    const { node } = value, viewed = node && is(node, viewOp) && !to.trace.state.has(value) ? node.inputs[0]! : value;
    return to.reshape(to.name(viewed), viewed.shape, shape);
  };
  const scale = weight ? asGiven(weight) : to.constant("ones", new Float32Array(channels).fill(1), shape);
  const inputs = [to.name(x), scale, ...(bias ? [asGiven(bias)] : [])];
  return to.emit("LayerNormalization", inputs, { axis, epsilon: { float: eps } });
}

/** An instance normalisation whose channels are the groups: ONNX's operator for groups is newer, and its meaning changed. */
function groupNorm({ x, weight, bias }: NormInputs, attrs: NormAttrs, to: Lowering): string {
  const { sets, inner, channels, eps } = attrs, groups = sets / x.shape[0]!, grouped = [x.shape[0]!, groups, inner];
  const inputs = [to.reshape(to.name(x), x.shape, grouped), filled(groups, 1, to), filled(groups, 0, to)];
  let y = to.emit("InstanceNormalization", inputs, { epsilon: { float: eps } });
  y = to.reshape(y, grouped, x.shape);
  const perChannel = [channels, ...x.shape.slice(2).map(() => 1)];
  for (const [op, value] of [["Mul", weight], ["Add", bias]] as const) {
    if (value) y = to.emit(op, [y, to.reshape(to.name(value), value.shape, perChannel)]);
  }
  return y;
}

// --- resizing --------------------------------------------------------------------------------------------------------

/** Integer factors have an operator. Others become lists of indices, since runtimes round their products differently. */
const upsample = rule(upsampleOp, ({ inputs: [x], attrs: { from, to: size, scale } }, to) => {
  const name = to.name(x!), factors = [0, 1].map((i) => size[i + 2]! / from[i + 2]!);
  if (factors.every((by, i) => Number.isInteger(by) && scale[i] === 1 / by)) {
    const scales = to.constant("scales", Float32Array.of(1, 1, ...factors));
    const attributes = { mode: "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor" };
    const texts = Object.fromEntries(Object.entries(attributes).map(([key, text]) => [key, { text }]));
    return to.emit("Resize", [name, "", scales], texts);
  }
  return [0, 1].reduce((y, i) => {
    const step = Math.fround(scale[i]!), last = from[i + 2]! - 1;
    const indices = Array.from({ length: size[i + 2]! }, (_, k) => Math.min(Math.floor(Math.fround(k * step)), last));
    return to.emit("Gather", [y, to.integers("places", indices)], { axis: i + 2 });
  }, name);
});

/** The rules of this file. */
export const LAYERS: readonly Rule[] = [
  conv2d,
  convTranspose2d,
  linear,
  matmul,
  maxPool2d,
  avgPool2d,
  ...norms,
  upsample,
];
