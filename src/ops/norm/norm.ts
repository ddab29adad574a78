/**
 * Normalisation. x is seen as [outer, sets, inner]: each set of outer × inner elements has a mean and a variance, by
 * which y = (x − mean) / √(variance + eps) weight + bias. The weight and the bias are those of the element's channel,
 * where x is seen as […, channels, plane]. A set is a channel of all images (batch), a group of channels of one image
 * (group), or the last dimensions (layer).
 *
 * The gradient, with r = 1 / √(variance + eps), x̂ = (x − mean) r and g = weight dy:
 * dx = r (g − mean of g − x̂ mean of g x̂), both over the set; dweight = Σ dy x̂ and dbias = Σ dy, over the channel.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, record, type Value } from "../../graph/node.ts";
import { formOf } from "../op.ts";
import { sumChunks } from "../reduce/dims.ts";
import { linearGrid } from "../shape/shape.ts";
import { channelConstants, gridOf, type Layout, vectorOf, type Work, workOf } from "./layout.ts";
import { statistics } from "./statistics.ts";

const gradKernel = shader("norm/norm_grad.wgsl");
const normKernel = shader("norm/norm.wgsl");
const sumsKernel = shader("norm/norm_sums.wgsl");

/** The attributes of a normalisation: `weight` and `bias` say whether there is one. */
export interface NormAttrs extends Layout {
  readonly eps: number;
  readonly weight: boolean;
  readonly bias: boolean;
  /** The mean and the variance are inputs, not those of x. */
  readonly given: boolean;
}

/** Inputs: x, mean, variance; the weight and the bias, if there are any. */
const applyOp: Op<NormAttrs> = {
  name: "normApply",
  outputs: ([x]) => [x!],
  dispatches: ({ inputs, outputs: [y], attrs }) => {
    const { sets, inner, eps, weight, bias } = attrs, vector = vectorOf(inner, attrs), size = y!.size / vector;
    return [{
      kernel: normKernel,
      constants: {
        ...channelConstants(attrs, vector),
        SIZE: size,
        SETS: sets,
        INNER: inner / vector,
        EPS: eps,
        WEIGHT: weight,
        BIAS: bias,
      },
      bindings: [...inputs, y!],
      grid: linearGrid(size),
    }];
  },
};

/** Inputs: x; the mean and the variance, if they are given; the weight and the bias, if there are any. */
const normOp: Op<NormAttrs> = {
  name: "norm",
  outputs: ([x], { sets }) => [x!, { shape: [sets], dtype: "f32" }, { shape: [sets], dtype: "f32" }],
  expand({ inputs, attrs }) {
    const [x, ...rest] = inputs as [Value, ...Value[]], { given } = attrs;
    const [mean, variance] = given ? rest : statistics(x, attrs);
    const affine = given ? rest.slice(2) : rest;
    return [record(applyOp, [x, mean!, variance!, ...affine], attrs)[0]!, mean!, variance!];
  },
  grad({ inputs: [x, ...rest], outputs: [, ...stats], attrs }, [dy]) {
    if (!dy) return [];
    const { given, weight, bias } = attrs, affine = given ? rest.slice(2) : rest;
    const read = [dy, x!, ...(given ? rest.slice(0, 2) : stats), ...(weight ? affine.slice(0, 1) : [])];
    const [dx, dweight, dbias] = record(gradOp, read, attrs);
    return [dx!, ...(given ? [null, null] : []), ...(weight ? [dweight!] : []), ...(bias ? [dbias!] : [])];
  },
};

/** The normalisations: they differ in how they see x, and in their gradients' names. */
export const normOps = {
  batch: formOf(normOp, "NativeBatchNormBackward0"),
  group: formOf(normOp, "NativeGroupNormBackward0"),
  layer: formOf(normOp, "NativeLayerNormBackward0"),
};

/** The inputs of a normalisation besides x. */
export interface NormInputs {
  readonly weight: Value | null;
  readonly bias: Value | null;
  /** The mean and the variance [sets] that are used instead of those of x. Default null. */
  readonly given?: readonly [Value, Value] | null;
}

/** x normalised, and the mean and the biased variance [sets]. Gradients flow to x, weight and bias. */
export function normalize(
  kind: keyof typeof normOps,
  x: Value,
  { weight, bias, given = null }: NormInputs,
  layout: Layout,
  eps: number,
): readonly Value[] {
  const inputs = [x, ...(given ?? []), ...(weight ? [weight] : []), ...(bias ? [bias] : [])];
  const attrs = { ...layout, eps, weight: weight !== null, bias: bias !== null, given: given !== null };
  return record(normOps[kind], inputs, attrs);
}

// --- gradient --------------------------------------------------------------------------------------------------------

interface SumsAttrs extends Work, NormAttrs {
  /** dy and x are seen as [over, sums, run], and summed over the first and the last dimension. */
  readonly over: number;
  readonly sums: number;
  readonly run: number;
  readonly vector: 1 | 4;
}

/** Inputs: dy, x, mean, variance, and the weight, if it multiplies dy. Outputs: Σ dy and Σ dy x̂ [chunks, sums]. */
const sumsOp: Op<SumsAttrs> = {
  name: "normSums",
  outputs: (_, { chunks, sums }) => [0, 1].map(() => ({ shape: [chunks, sums], dtype: "f32" })),
  dispatches: ({ inputs, outputs, attrs }) => {
    const { sets, inner, eps, weight, over, sums, run, vector, chunks, chunk, lanes, across } = attrs;
    return [{
      kernel: sumsKernel,
      constants: {
        ...channelConstants(attrs, vector),
        VECTOR: vector,
        OUTER: over,
        SUMS: sums,
        INNER: run / vector,
        CHUNKS: chunks,
        CHUNK: chunk,
        SETS: sets,
        SET_INNER: inner / vector,
        EPS: eps,
        WEIGHT: weight,
        LANES: lanes,
        ACROSS: across,
      },
      bindings: [...inputs, ...outputs],
      grid: gridOf(attrs, sums),
    }];
  },
};

/**
 * Inputs: dy, x, mean, variance, and the weight if there is one. Outputs: the gradients of x, weight and bias. Those that
 * nothing reads are not computed.
 */
const gradOp: Op<NormAttrs> = {
  name: "normGrad",
  outputs: ([, x], { channels }) => [x!, ...[0, 1].map(() => ({ shape: [channels], dtype: "f32" as const }))],
  expand({ inputs, attrs }) {
    const { outer, sets, inner, channels, plane, given } = attrs;
    const [dy, x, mean, variance, ...weight] = inputs as [Value, Value, Value, Value];
    const sums = (over: number, sums: number, run: number, weighted: boolean) => {
      const vector = vectorOf(run, attrs), work = workOf(over, sums, run / vector);
      const read = weighted ? inputs : inputs.slice(0, 4);
      return record(sumsOp, read, { ...attrs, weight: weighted, over, sums, run, vector, ...work }).map(sumChunks);
    };
    const perChannel = sets === channels && inner === plane, weighted = !perChannel && attrs.weight;
    const byChannel = sums(x.size / channels / plane, channels, plane, false);
    const bySet = perChannel ? byChannel : sums(outer, sets, inner, weighted);
    const read = given ? [dy, variance] : [dy, x, mean, variance, ...bySet];
    const [dx] = record(applyGradOp, [...read, ...weight], { ...attrs, weighted });
    return [dx!, byChannel[1]!, byChannel[0]!];
  },
};

/** Inputs: dy; x, mean, variance, Σ dy and Σ dy x̂ by set, or, if given, the variance; the weight if there is one. */
const applyGradOp: Op<NormAttrs & { readonly weighted: boolean }> = {
  name: "normApplyGrad",
  outputs: ([dy]) => [dy!],
  dispatches: ({ inputs, outputs: [dx], attrs }) => {
    const { outer, sets, inner, eps, weight, given, weighted } = attrs, vector = vectorOf(inner, attrs);
    return [{
      kernel: gradKernel,
      constants: {
        ...channelConstants(attrs, vector),
        SIZE: dx!.size / vector,
        SETS: sets,
        INNER: inner / vector,
        COUNT: outer * inner,
        EPS: eps,
        WEIGHT: weight,
        WEIGHTED_SUMS: weighted,
        COMPUTED: !given,
      },
      bindings: [...inputs, dx!],
      grid: linearGrid(dx!.size / vector),
    }];
  },
};
