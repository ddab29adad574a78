/**
 * Convolution: x [N, C, H, W], w [O, C/groups, kh, kw], b [O] to y [N, O, OH, OW], and its gradients.
 *
 * With stride s, padding p, dilation d, y[o, h, w] = b[o] + Σ x[c, h s − p + i d, w s − p + j d] w[o, c, i, j]. So
 * dx[c, h, w] = Σ dy[o, (h + p − i d) / s, …] w[o, c, i, j] over the terms where s divides: the same walk over dy spread
 * out by s (zeros between), with the kernel turned by 180° and padding d (k − 1) − p. One kernel serves both.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Device, type Dispatch, type Node, type Op, record, type Target, type Value } from "../../graph/node.ts";
import { chunksOf, deal, imagesOf } from "../split_batch.ts";
import { sharedConv, sharedConvTiles, sharedWeight, type SharedWeightTile, sharedWeightTiles } from "./shared.ts";
import type { Pair } from "../options.ts";
import { linearGrid, requireType, text } from "../shape/shape.ts";
import { sumParts } from "../reduce/split_sum.ts";
import {
  choose,
  dearness,
  divisors,
  LOAD_GAIN,
  loadsOf,
  MOST_ACROSS,
  MOST_DOWN,
  sizes,
  type Tile,
  vectorOf,
  wideConstants,
} from "../tiling.ts";

const convKernel = shader("conv/conv2d.wgsl");
const weightKernel = shader("conv/conv2d_grad_weight.wgsl");

export interface ConvOptions {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

export interface ConvAttrs extends ConvOptions {
  readonly relu: boolean;
}

/** The windows of a max-pool whose gradient a convolution takes unscattered. */
export interface Pooled {
  readonly window: Pair;
  /** Height and width of the scattered gradient. */
  readonly size: Pair;
}

/** The positions at which a window of `kernel` fits into `size`. */
export function positions(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

export const convOp: Op<ConvAttrs> = {
  name: "conv2d",
  gradName: "ConvolutionBackward0",
  outputs: ([x, w], attrs) => [{ shape: outputShape(x!, w!, attrs), dtype: "f32" }],
  grad({ inputs: [x, w], attrs }, [dy], needs) {
    const [dw, db] = needs[1] || needs[2]
      ? record(convGradWeightOp, [x!, dy!], { ...attrs, kernel: size(w!), bias: needs[2] ?? false })
      : [];
    return [
      needs[0] ? record(convGradInputOp, [dy!, w!], { ...attrs, size: size(x!), mask: false })[0]! : null,
      dw ?? null,
      db ?? null,
    ];
  },
  dispatches(node, target) {
    const { inputs: [x, w, bias], outputs: [y], attrs: { stride, padding, dilation, groups, relu } } = node;
    const [out, per, kh, kw] = w!.shape as [number, number, number, number], taps = kh * kw;
    const walk = { from: x!.shape, step: stride, spread: ONE, padding, dilation, window: ONE };
    // w [O, C/groups, kh, kw]
    const lay = { W_GROUP: out / groups * per * taps, W_OUT: per * taps, W_IN: taps };
    const constants = { ...lay, BIAS: bias !== undefined, RELU: relu };
    return convDispatches(node as Node, y!, size(w!), groups, walk, constants, target);
  },
};

interface GradInputAttrs extends ConvAttrs {
  /** Height and width of x. */
  readonly size: Pair;
  /** The last input is the output of a relu: dx is 0 where it is. */
  readonly mask: boolean;
  readonly pooled?: Pooled;
}

/** Inputs: dy, w; with `pooled`, the windows' gradients and their places instead of dy; then the mask. */
export const convGradInputOp: Op<GradInputAttrs> = {
  name: "conv2dGradInput",
  outputs(inputs, { size, groups, pooled }) {
    const w = inputs[pooled ? 2 : 1]!;
    return [{ shape: [inputs[0]!.shape[0]!, w.shape[1]! * groups, ...size], dtype: "f32" }];
  },
  dispatches(node, target) {
    const { inputs, outputs: [dx], attrs } = node;
    const { stride, padding, dilation, groups, mask, pooled } = attrs;
    const w = inputs[pooled ? 2 : 1]!, [out, per, kh, kw] = w.shape as [number, number, number, number], taps = kh * kw;
    const [n, channels, h, width] = inputs[0]!.shape as [number, number, number, number];
    const walk = {
      from: [n, channels, ...(pooled?.size ?? [h, width])],
      step: ONE,
      spread: stride,
      padding: [dilation[0] * (kh - 1) - padding[0], dilation[1] * (kw - 1) - padding[1]] as const,
      dilation,
      window: pooled?.window ?? ONE,
    };
    // Seen from dx, the channels of x are outputs.
    const lay = { W_GROUP: out / groups * per * taps, W_OUT: taps, W_IN: per * taps, FLIP: true };
    return convDispatches(node as Node, dx!, [kh, kw], groups, walk, { ...lay, MASK: mask }, target);
  },
};

const ONE: Pair = [1, 1];

/** How `conv/conv2d.wgsl` walks its input. */
interface Walk {
  /** The shape of the input, scattered if it is given by windows. */
  readonly from: readonly number[];
  readonly step: Pair;
  /** The input's elements are so far apart, with zeros between. */
  readonly spread: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  /** The windows that the input is given by; 1 x 1 where it is not. */
  readonly window: Pair;
}

/** `conv/conv2d.wgsl` from the inputs of `node` to `y`. `constants` say how w lies and what is done with the result. */
function convDispatches(
  node: Node,
  y: Value,
  [kh, kw]: Pair,
  groups: number,
  { from, step, spread, padding, dilation, window: [ph, pw] }: Walk,
  constants: Readonly<Record<string, number | boolean>>,
  target: Target,
): Dispatch[] {
  const [batch, channels, h, width] = from as [number, number, number, number];
  const [, outputs, oh, ow] = y.shape as [number, number, number, number];
  const per = outputs / groups, pooled = ph * pw > 1, work = channels / groups * kh * kw;
  // All inputs that have the batch's dimension: not the weight and the bias.
  const w = pooled ? 2 : 1, dealt = node.inputs.map((one, i) => i !== w && one.shape.length === 4);
  const count = chunksOf(batch, node.inputs.filter((_, i) => dealt[i]), [y], target), n = batch / count;
  const dear = { x: dearness(node.inputs[0]!, target, count), w: dearness(node.inputs[w]!, target) };
  // A tile of a pooled input begins with a window.
  const rows = divisors(oh, MOST_DOWN).filter((down) => down % ph === 0);
  const columns = pooled ? divisors(ow, MOST_ACROSS).filter((across) => across % pw === 0) : sizes(ow, MOST_ACROSS);
  const tiles = columns.flatMap((across) =>
    rows.flatMap((down) =>
      sizes(per, 16).flatMap((deep) =>
        (pooled ? [true] : [true, false]).map((whole) => {
          const band = (down - 1) * step[0] + ((whole ? kh : 1) - 1) * dilation[0] + 1;
          const field = band * ((across - 1) * step[1] + (kw - 1) * dilation[1] + 1) * (whole ? 1 : kh);
          return {
            name: `registers ${across}x${down}x${deep}${whole ? " whole" : ""}`,
            across,
            down,
            deep,
            whole,
            dispatches: count,
            invocations: batch * oh / down * Math.ceil(ow / across) * groups * Math.ceil(per / deep),
            // A window is two loads, its value and its place.
            loads: channels / groups * (field * dear.x / (pooled ? ph * pw / 2 : 1) + deep * kh * kw * dear.w) +
              across * down * deep / 8,
            multiplyAdds: work * across * down * deep,
            registers: across * down * deep,
            body: (whole ? kh : 1) * kw * across * down * deep,
          };
        })
      )
    )
  );
  const common = {
    C: channels / groups,
    H: h,
    W: width,
    O: per,
    OH: oh,
    OW: ow,
    KH: kh,
    KW: kw,
    GROUPS: groups,
    ...pairs({ STEP: step, SPREAD: spread, PAD: padding, DIL: dilation }),
    ...constants,
  };
  const bindings = [...node.inputs, y], shared = pooled ? [] : sharedConvTiles(y, groups, work, target);
  const tile = choose(node, [...tiles, ...shared], target);
  if ("side" in tile) return [sharedConv(bindings, { N: batch, ...common }, tile)];
  const { across, down, deep, whole, invocations } = tile, first = Math.max(0, padding[1]);
  const dispatch = {
    kernel: convKernel,
    constants: {
      ...common,
      LANES: target.profile.workgroup,
      N: n,
      PLAIN: !pooled,
      POOLED: pooled,
      POOL_H: ph,
      POOL_W: pw,
      ACROSS: across,
      DOWN: down,
      DEEP: deep,
      WHOLE: whole,
      ...(across === ow && spread[1] === 1 ? { FIRST: first, END: Math.max(0, width + padding[1]) } : {}),
    },
    bindings,
    grid: linearGrid(invocations / count, target.profile.workgroup),
  };
  const images = imagesOf(count);
  return deal(dispatch, count, [...dealt.map((one) => one ? images : null), images], target);
}

interface WeightAttrs extends ConvAttrs {
  readonly kernel: Pair;
  /** The gradient of the bias is wanted too. */
  readonly bias: boolean;
  readonly pooled?: Pooled;
  /** How the work is dealt out, once that is decided. */
  readonly tile?: WeightTile | SharedWeightTile;
}

interface WeightTile extends Tile {
  /** Rows of dy are dealt out to so many parts, each summed apart. */
  readonly parts: number;
  /** The dispatches, each of which does as many of the parts. */
  readonly count: number;
  readonly across: number;
  readonly deep: number;
  readonly taps: number;
  readonly wide: 1 | 2 | 4;
}

/** Inputs: x, dy; with `pooled`, the windows' gradients and their places instead of dy. Outputs: dw, and db if wanted. */
export const convGradWeightOp: Op<WeightAttrs> = {
  name: "conv2dGradWeight",
  outputs([x, dy], { kernel, groups, bias, tile }) {
    const lead = tile ? [tile.parts] : [], out = dy!.shape[1]!;
    const dw = { shape: [...lead, out, x!.shape[1]! / groups, ...kernel], dtype: "f32" as const };
    return bias ? [dw, { shape: [...lead, out], dtype: "f32" as const }] : [dw];
  },
  expand(node, device) {
    const { inputs, attrs } = node;
    if (attrs.tile) return null;
    const [n, , lines] = inputs[1]!.shape as [number, number, number];
    const tiles = divisors(n * lines, n * lines).flatMap((parts) => weightTiles(inputs, attrs, parts, device));
    const weights = inputs[0]!.shape[1]! / attrs.groups * attrs.kernel[0] * attrs.kernel[1];
    const shared = attrs.pooled ? [] : sharedWeightTiles(inputs[1]!, attrs.groups, weights, device);
    const tile = choose(node as Node, [...tiles, ...shared], device);
    return sumParts(record(convGradWeightOp, inputs, { ...attrs, tile }));
  },
  dispatches({ inputs, outputs, attrs }, target) {
    const [batch, channels, h, w] = inputs[0]!.shape as [number, number, number, number];
    const [, out, lines, columns] = inputs[1]!.shape as [number, number, number, number];
    const { stride, padding, dilation, groups, kernel: [kh, kw], bias, pooled } = attrs;
    const [ph, pw] = pooled?.window ?? [1, 1], [oh, ow] = pooled?.size ?? [lines, columns], per = out / groups;
    const bindings = [...inputs, ...outputs], tile = attrs.tile!;
    const common = {
      C: channels / groups,
      H: h,
      W: w,
      O: per,
      OH: oh,
      OW: ow,
      KH: kh,
      KW: kw,
      ...pairs({ STEP: stride, PAD: padding, DIL: dilation }),
      GROUPS: groups,
      BIAS: bias,
    };
    if ("side" in tile) return [sharedWeight(bindings, { N: batch, ...common }, tile)];
    const { count, across, deep, taps, wide, invocations } = tile;
    const dispatch = {
      kernel: weightKernel,
      constants: {
        ...common,
        LANES: target.profile.workgroup,
        N: batch / count,
        POOLED: pooled !== undefined,
        PLAIN: pooled === undefined,
        POOL_H: ph,
        POOL_W: pw,
        PARTS: tile.parts / count,
        TAPS: taps,
        DEEP: deep,
        ACROSS: across,
        ...wideConstants(wide),
      },
      bindings,
      grid: linearGrid(invocations / count, target.profile.workgroup),
    };
    return deal(dispatch, count, bindings.map(() => imagesOf(count)), target);
  },
};

/** How the gradient of a weight may be tiled, when its rows are dealt out to `parts`. */
function weightTiles(inputs: readonly Value[], attrs: WeightAttrs, parts: number, device: Device): WeightTile[] {
  const [x, dy] = inputs, [, channels, , w] = x!.shape as [number, number, number, number];
  const [n, out, lines, columns] = dy!.shape as [number, number, number, number];
  const { stride, padding, dilation, groups, kernel: [kh, kw], pooled } = attrs;
  const [ph, pw] = pooled?.window ?? [1, 1], per = out / groups;
  const dw = parts * out * channels / groups * kh * kw, db = parts * out;
  const outputs = [dw, ...(attrs.bias ? [db] : [])].map((size) => ({ bytes: 4 * size }));
  const most = chunksOf(n, inputs, outputs, device), count = parts % most === 0 ? most : 1;
  const dear = { x: dearness(x!, device, count), dy: dearness(dy!, device, count) };
  return (pooled ? divisors : sizes)(columns, 8).flatMap((windows) =>
    sizes(per, 8).flatMap((deep) =>
      [kh, 1].map((taps) => {
        const across = windows * pw, spanH = (ph - 1) * stride[0] + (taps - 1) * dilation[0] + 1;
        const span = (across - 1) * stride[1] + (kw - 1) * dilation[1] + 1;
        const turns = Math.ceil(n * lines / parts) * Math.ceil(columns / windows),
          body = deep * taps * kw * ph * across;
        const wide = padding.some((by) => by !== 0) ? 1 : vectorOf(w, across * stride[1], loadsOf(x!, device, count));
        return {
          name: `registers ${across}x${deep}x${taps} of ${parts}`,
          parts,
          count,
          across,
          deep,
          taps,
          wide,
          dispatches: count,
          invocations: parts * Math.ceil(per / deep) * channels * kh / taps,
          loads: turns * (spanH * span / LOAD_GAIN[wide] * dear.x + deep * windows * (pooled ? 2 : 1) * dear.dy) +
            deep * taps * kw / 8,
          multiplyAdds: turns * body,
          registers: deep * taps * kw,
          body,
          partial: parts === 1 ? 0 : parts * out * channels / groups * kh * kw,
        };
      })
    )
  );
}

/** The constants of a kernel that come in pairs, by height and width. */
function pairs(both: Readonly<Record<string, Pair>>): Record<string, number> {
  return Object.fromEntries(Object.entries(both).flatMap(([name, [h, w]]) => [[`${name}_H`, h], [`${name}_W`, w]]));
}

const size = (x: Value): Pair => [x.shape[2]!, x.shape[3]!];

function outputShape(x: Value, w: Value, { stride, padding, dilation }: ConvOptions): number[] {
  const [h, width] = size(x), [kh, kw] = size(w);
  return [
    x.shape[0]!,
    w.shape[0]!,
    positions(h, kh, stride[0], padding[0], dilation[0]),
    positions(width, kw, stride[1], padding[1], dilation[1]),
  ];
}

/** Convolution as PyTorch's `conv2d`. Throws `ShapeError` where the shapes do not fit. */
export function conv2d(x: Value, w: Value, b: Value | null, options: ConvOptions): Value {
  for (const value of [x, w, ...(b ? [b] : [])]) requireType(value, "f32", "conv2d");
  const shapes = `input ${text(x.shape)}, weight ${text(w.shape)}, groups ${options.groups}`;
  if (x.shape.length !== 4 || w.shape.length !== 4) {
    throw new ShapeError(`conv2d: expected input [N, C, H, W] and weight [O, C/groups, kh, kw], got ${shapes}`);
  }
  const { groups } = options;
  if (x.shape[1] !== w.shape[1]! * groups || w.shape[0]! % groups !== 0) {
    throw new ShapeError(`conv2d: the channels do not fit: ${shapes}`);
  }
  if (b && (b.shape.length !== 1 || b.shape[0] !== w.shape[0])) {
    throw new ShapeError(`conv2d: bias ${text(b.shape)} does not fit ${w.shape[0]} output channels`);
  }
  if (outputShape(x, w, options).some((extent) => extent < 1)) {
    throw new ShapeError(`conv2d: the kernel is larger than the padded input: ${shapes}`);
  }
  return record(convOp, b ? [x, w, b] : [x, w], { ...options, relu: false })[0]!;
}
