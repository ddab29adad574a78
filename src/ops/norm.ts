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
import { shader } from "../../shaders/mod.ts";
import { type Op, record, type Value } from "../graph/node.ts";
import { linearGrid } from "./shape/shape.ts";
import { sumParts } from "./reduce/split_sum.ts";

const combineKernel = shader("norm/norm_combine.wgsl");
const gradKernel = shader("norm/norm_grad.wgsl");
const normKernel = shader("norm/norm.wgsl");
const runningKernel = shader("norm/norm_running.wgsl");
const statsKernel = shader("norm/norm_stats.wgsl");
const sumsKernel = shader("norm/norm_sums.wgsl");

/** How x is seen. */
export interface Layout {
  readonly outer: number;
  readonly sets: number;
  readonly inner: number;
  readonly channels: number;
  readonly plane: number;
}

export interface NormAttrs extends Layout {
  readonly eps: number;
  readonly weight: boolean;
  readonly bias: boolean;
  /** Mean and variance are inputs, not those of x. */
  readonly given: boolean;
}

// --- work ------------------------------------------------------------------------------------------------------------

/** The elements that an invocation takes at least, the invocations of a workgroup, and how many of those are enough. */
const LEAST = 8, LANES = 256, ENOUGH = 2048;
/** The most parts of a set, which are joined one after the other. */
const MOST_PARTS = 64;

const powerOf2 = (least: number) => 2 ** Math.ceil(Math.log2(least));

/** How workgroups share the sums over sets: see `norm/norm_stats.wgsl`. */
interface Shares {
  /** Parts of a set, of `chunk` elements each. */
  readonly parts: number;
  readonly chunk: number;
  /** Invocations for a set, and sets of a workgroup. */
  readonly lanes: number;
  readonly across: number;
}

/** The shares of sums over `sets` sets of outer × inner elements, which may be vectors. */
function sharesOf(outer: number, sets: number, inner: number): Shares {
  const count = outer * inner, wanted = Math.min(powerOf2(Math.ceil(count / 4)), LANES);
  // Neighbours load what lies side by side: elements of one set, or, where few of those do, of several.
  const strided = inner < 16 && outer > 1;
  const across = Math.min(powerOf2(sets), strided ? 32 : Math.max(1, 64 / wanted));
  const lanes = Math.min(wanted, LANES / across), groups = Math.ceil(sets / across);
  const parts = Math.max(1, Math.min(Math.floor(count / (LEAST * lanes)), Math.ceil(ENOUGH / groups), MOST_PARTS));
  const chunk = Math.ceil(count / parts);
  return { parts: Math.ceil(count / chunk), chunk, lanes, across };
}

const gridOf = ({ parts, across }: Shares, sets: number) => linearGrid(Math.ceil(sets / across) * parts, 1);

/** The elements that are loaded as one, where each set has as many side by side, and those have one weight or four. */
function vectorOf(inner: number, { channels, plane }: Pick<Layout, "channels" | "plane">): 1 | 4 {
  return inner % 4 === 0 && (plane % 4 === 0 || (plane === 1 && channels % 4 === 0)) ? 4 : 1;
}

/** The constants that say which channel an element is of, where elements are `vector` numbers. */
function channelConstants({ channels, plane }: Pick<Layout, "channels" | "plane">, vector: 1 | 4) {
  const [V, W] = vector === 1 ? ["f32", "f32"] : ["vec4f", plane === 1 ? "vec4f" : "f32"];
  const wide = W === "vec4f";
  return { V, W, CHANNELS: wide ? channels / 4 : channels, PLANE: wide ? 1 : plane / vector };
}

// --- mean and variance -----------------------------------------------------------------------------------------------

interface StatsAttrs extends Shares, Pick<Layout, "outer" | "sets" | "inner"> {
  readonly vector: 1 | 4;
}

/** Outputs, for each part of a set [parts, sets]: the mean and the squares' sum off it; of one part, the variance. */
const statsOp: Op<StatsAttrs> = {
  name: "normStats",
  outputs: (_, { parts, sets }) => [{ shape: [parts, sets], dtype: "f32" }, { shape: [parts, sets], dtype: "f32" }],
  dispatches: ({ inputs: [x], outputs, attrs }) => {
    const { outer, sets, inner, vector, parts, chunk, lanes, across } = attrs;
    return [{
      kernel: statsKernel,
      constants: {
        V: vector === 4 ? "vec4f" : "f32",
        VECTOR: vector,
        OUTER: outer,
        SETS: sets,
        INNER: inner / vector,
        PARTS: parts,
        CHUNK: chunk,
        DIVISOR: parts === 1 ? outer * inner : 1,
        LANES: lanes,
        ACROSS: across,
      },
      bindings: [x!, ...outputs],
      grid: gridOf(attrs, sets),
    }];
  },
};

interface CombineAttrs {
  /** Numbers in a part, and in all parts of a set. */
  readonly chunk: number;
  readonly count: number;
}

const combineOp: Op<CombineAttrs> = {
  name: "normCombine",
  outputs: ([means]) => [0, 1].map(() => ({ shape: means!.shape.slice(1), dtype: "f32" })),
  dispatches: ({ inputs, outputs, attrs: { chunk, count } }) => {
    const [parts, sets] = inputs[0]!.shape;
    return [{
      kernel: combineKernel,
      constants: { SETS: sets!, PARTS: parts!, CHUNK: chunk, COUNT: count },
      bindings: [...inputs, ...outputs],
      grid: linearGrid(sets!),
    }];
  },
};

/** The mean and the variance (biased) of each set, [sets]. */
function statistics(x: Value, { outer, sets, inner }: Layout): readonly Value[] {
  const vector = inner % 4 === 0 ? 4 : 1, shares = sharesOf(outer, sets, inner / vector);
  const parts = record(statsOp, [x], { outer, sets, inner, vector, ...shares });
  if (shares.parts === 1) return sumParts(parts); // These are views.
  return record(combineOp, parts, { chunk: shares.chunk * vector, count: outer * inner });
}

// --- forward ---------------------------------------------------------------------------------------------------------

/** Inputs: x, mean, variance, and the weight and the bias where there are any. */
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

/** Inputs: x, mean and variance if they are given, and the weight and the bias where there are any. */
const defineNorm = (gradName: string): Op<NormAttrs> => ({
  name: "norm",
  gradName,
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
});

const OPS = {
  batch: defineNorm("NativeBatchNormBackward0"),
  group: defineNorm("NativeGroupNormBackward0"),
  layer: defineNorm("NativeLayerNormBackward0"),
};

/** What a normalisation is of, besides x. */
export interface NormInputs {
  readonly weight: Value | null;
  readonly bias: Value | null;
  /** Mean and variance [sets], in place of those of x. */
  readonly given?: readonly [Value, Value] | null;
}

/** x normalised, and the mean and the biased variance [sets]. Gradients flow to x, weight and bias. */
export function normalize(
  kind: keyof typeof OPS,
  x: Value,
  { weight, bias, given = null }: NormInputs,
  layout: Layout,
  eps: number,
): readonly Value[] {
  const inputs = [x, ...(given ?? []), ...(weight ? [weight] : []), ...(bias ? [bias] : [])];
  const attrs = { ...layout, eps, weight: weight !== null, bias: bias !== null, given: given !== null };
  return record(OPS[kind], inputs, attrs);
}

// --- gradient --------------------------------------------------------------------------------------------------------

interface SumsAttrs extends Shares, NormAttrs {
  /** What is summed: dy, x as [over, sums, run]. */
  readonly over: number;
  readonly sums: number;
  readonly run: number;
  readonly vector: 1 | 4;
}

/** Inputs: dy, x, mean, variance, and the weight, if it multiplies dy. Outputs: Σ dy and Σ dy x̂ [parts, sums]. */
const sumsOp: Op<SumsAttrs> = {
  name: "normSums",
  outputs: (_, { parts, sums }) => [{ shape: [parts, sums], dtype: "f32" }, { shape: [parts, sums], dtype: "f32" }],
  dispatches: ({ inputs, outputs, attrs }) => {
    const { sets, inner, eps, weight, over, sums, run, vector, parts, chunk, lanes, across } = attrs;
    return [{
      kernel: sumsKernel,
      constants: {
        ...channelConstants(attrs, vector),
        VECTOR: vector,
        OUTER: over,
        SUMS: sums,
        INNER: run / vector,
        PARTS: parts,
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
 * Inputs: dy, x, mean, variance, and the weight if there is one. Outputs: the gradients of x, of weight and bias. What
 * nobody reads of them is not computed.
 */
const gradOp: Op<NormAttrs> = {
  name: "normGrad",
  outputs: ([, x], { channels }) => [x!, ...[0, 1].map(() => ({ shape: [channels], dtype: "f32" as const }))],
  expand({ inputs, attrs }) {
    const { outer, sets, inner, channels, plane, given } = attrs;
    const [dy, x, mean, variance, ...weight] = inputs as [Value, Value, Value, Value];
    const sums = (over: number, sums: number, run: number, weighted: boolean) => {
      const vector = vectorOf(run, attrs), shares = sharesOf(over, sums, run / vector);
      const read = weighted ? inputs : inputs.slice(0, 4);
      return sumParts(record(sumsOp, read, { ...attrs, weight: weighted, over, sums, run, vector, ...shares }));
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

// --- running statistics ----------------------------------------------------------------------------------------------

interface RunningAttrs {
  /** Elements of each channel. */
  readonly count: number;
  /** Null: the mean of all batches so far. */
  readonly momentum: number | null;
}

/** Inputs: running mean and variance, batches so far if they are counted, and mean and variance of this one. */
const runningOp: Op<RunningAttrs> = {
  name: "normRunning",
  outputs: (inputs) => inputs.slice(0, -2),
  overwrites: ({ inputs }) => inputs.slice(0, -2).map((_, i) => i),
  dispatches: ({ inputs, outputs, attrs: { count, momentum } }) => [{
    kernel: runningKernel,
    constants: {
      CHANNELS: inputs[0]!.size,
      COUNT: count,
      MOMENTUM: momentum ?? 0,
      COUNTED: outputs.length > 2,
      CUMULATIVE: momentum === null,
    },
    // What is overwritten may be a copy: the output, not the input.
    bindings: [...outputs, ...inputs.slice(-2)],
    grid: [1, 1, 1],
  }],
};

/**
 * The running mean and variance, and the number of batches if it is given, after a batch of this mean and (biased)
 * variance, of `count` elements in each channel.
 */
export function updateRunning(
  running: readonly Value[],
  mean: Value,
  variance: Value,
  attrs: RunningAttrs,
): readonly Value[] {
  return record(runningOp, [...running, mean, variance], attrs);
}
