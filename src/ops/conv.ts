/**
 * Convolution: x [N, C, H, W], w [O, C/groups, kh, kw], b [O] to y [N, O, OH, OW], and its gradients.
 *
 * With stride s, padding p, dilation d, y[o, h, w] = b[o] + Σ x[c, h s − p + i d, w s − p + j d] w[o, c, i, j]. So
 * dx[c, h, w] = Σ dy[o, (h + p − i d) / s, …] w[o, c, i, j] over the terms where s divides: the same walk over dy spread
 * out by s (zeros between), with the kernel turned by 180° and padding d (k − 1) − p. One kernel serves both.
 *
 * @module
 */
import convSource from "../../shaders/conv2d.wgsl" with { type: "text" };
import weightSource from "../../shaders/conv2d_grad_weight.wgsl" with { type: "text" };
import { ShapeError } from "../errors.ts";
import { type Op, record, type Value } from "../graph/node.ts";
import { reduce } from "./reduce.ts";
import { linearGrid, requireType, text } from "./shape.ts";

const convKernel = { file: "conv2d.wgsl", source: convSource };
const weightKernel = { file: "conv2d_grad_weight.wgsl", source: weightSource };

/** Height, then width. */
export type Pair = readonly [number, number];

export interface ConvOptions {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

export interface ConvAttrs extends ConvOptions {
  readonly relu: boolean;
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
    return [
      needs[0] ? record(convGradInputOp, [dy!, w!], { ...attrs, size: size(x!) })[0]! : null,
      needs[1] ? record(convGradWeightOp, [x!, dy!], { ...attrs, kernel: size(w!) })[0]! : null,
      needs[2] ? reduce("sum", dy!, [0, 2, 3], false) : null,
    ];
  },
  dispatches({ inputs: [x, w, bias], outputs: [y], attrs: { stride, padding, dilation, groups, relu } }) {
    const [out, per, kh, kw] = w!.shape as [number, number, number, number];
    return [convDispatch(x!, w!, bias, y!, groups, {
      STEP_H: stride[0],
      STEP_W: stride[1],
      PAD_H: padding[0],
      PAD_W: padding[1],
      DIL_H: dilation[0],
      DIL_W: dilation[1],
      // w [O, C/groups, kh, kw]
      W_GROUP: out / groups * per * kh * kw,
      W_OUT: per * kh * kw,
      W_IN: kh * kw,
      RELU: relu,
    })];
  },
};

const convGradInputOp: Op<ConvAttrs & { size: Pair }> = {
  name: "conv2dGradInput",
  outputs: ([dy, w], { size, groups }) => [{ shape: [dy!.shape[0]!, w!.shape[1]! * groups, ...size], dtype: "f32" }],
  dispatches({ inputs: [dy, w], outputs: [dx], attrs: { stride, padding, dilation, groups } }) {
    const [out, per, kh, kw] = w!.shape as [number, number, number, number];
    return [convDispatch(dy!, w!, undefined, dx!, groups, {
      SPREAD_H: stride[0],
      SPREAD_W: stride[1],
      PAD_H: dilation[0] * (kh - 1) - padding[0],
      PAD_W: dilation[1] * (kw - 1) - padding[1],
      DIL_H: dilation[0],
      DIL_W: dilation[1],
      W_GROUP: out / groups * per * kh * kw,
      // Seen from dx, the channels of x are outputs.
      W_OUT: kh * kw,
      W_IN: per * kh * kw,
      FLIP: true,
    })];
  },
};

/** `conv2d.wgsl` from `x` to `y`. `constants` say how x is walked and how w lies. */
function convDispatch(
  x: Value,
  w: Value,
  bias: Value | undefined,
  y: Value,
  groups: number,
  constants: Readonly<Record<string, number | boolean>>,
) {
  const [n, channels, h, width] = x.shape as [number, number, number, number];
  const [, outputs, oh, ow] = y.shape as [number, number, number, number];
  const [kh, kw] = size(w), per = outputs / groups;
  // As many outputs in registers as keep the unrolled body in bounds.
  const across = acrossOf(ow, kh * kw > 64 ? 2 : 5), deep = Math.min(per, kh * kw > 64 ? 1 : kh * kw > 9 ? 4 : 8);
  return {
    kernel: convKernel,
    constants: {
      N: n,
      C: channels / groups,
      H: h,
      W: width,
      O: per,
      OH: oh,
      OW: ow,
      KH: kh,
      KW: kw,
      GROUPS: groups,
      ACROSS: across,
      DEEP: deep,
      BIAS: bias !== undefined,
      ...constants,
    },
    bindings: [x, w, bias ?? w, y],
    grid: [Math.ceil(n * oh * Math.ceil(ow / across) / 8), groups * Math.ceil(per / deep), 1] as const,
  };
}

interface WeightAttrs extends ConvAttrs {
  readonly kernel: Pair;
  /** Rows of dy are dealt out to so many parts, each summed apart. */
  readonly parts?: number;
}

/** dw, as a sum over parts that are computed side by side. */
const convGradWeightOp: Op<WeightAttrs> = {
  name: "conv2dGradWeight",
  outputs: ([x, dy], { kernel, groups, parts }) => [{
    shape: [...(parts ? [parts] : []), dy!.shape[1]!, x!.shape[1]! / groups, ...kernel],
    dtype: "f32",
  }],
  expand({ inputs: [x, dy], attrs }) {
    if (attrs.parts) return null;
    const [n, out, rows] = dy!.shape as [number, number, number, number];
    const threads = Math.ceil(out / attrs.groups / deepOf(attrs)) * x!.shape[1]!;
    // Enough parts to fill a device, each of several rows, so that their sum stays cheap.
    const parts = Math.max(1, Math.min(Math.ceil(n * rows / 4), Math.ceil(512 / threads)));
    const [partial] = record(convGradWeightOp, [x!, dy!], { ...attrs, parts });
    return [reduce("sum", partial!, 0, false)];
  },
  dispatches({ inputs: [x, dy], outputs: [partial], attrs }) {
    const [n, channels, h, w] = x!.shape as [number, number, number, number];
    const [, out, oh, ow] = dy!.shape as [number, number, number, number];
    const { stride, padding, dilation, groups, kernel: [kh, kw] } = attrs;
    const parts = attrs.parts!, deep = deepOf(attrs), tiles = Math.ceil(out / groups / deep);
    return [{
      kernel: weightKernel,
      constants: {
        N: n,
        C: channels / groups,
        H: h,
        W: w,
        O: out / groups,
        OH: oh,
        OW: ow,
        KH: kh,
        KW: kw,
        STEP_H: stride[0],
        STEP_W: stride[1],
        PAD_H: padding[0],
        PAD_W: padding[1],
        DIL_H: dilation[0],
        DIL_W: dilation[1],
        GROUPS: groups,
        PARTS: parts,
        DEEP: deep,
        ACROSS: acrossOf(ow, kh * kw > 64 ? 1 : 2),
      },
      bindings: [x!, dy!, partial!],
      grid: linearGrid(parts * tiles * channels, 8),
    }];
  },
};

/** The outputs of a row that an invocation computes: a divisor of the row, if there is one, since it needs no guards. */
function acrossOf(row: number, most: number): number {
  for (let across = Math.min(row, most); across > 1; across--) if (row % across === 0) return across;
  return Math.min(row, most);
}

/** How many output channels an invocation of `conv2d_grad_weight.wgsl` sums at once. */
function deepOf({ kernel: [kh, kw] }: WeightAttrs): number {
  return kh * kw > 64 ? 1 : kh * kw > 9 ? 4 : 8;
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

/** A number or a pair, as a pair of integers of at least `least`. */
export function pair(value: number | readonly number[], least: number, action: string): Pair {
  const both = typeof value === "number" ? [value, value] : value;
  if (both.length !== 2 || both.some((one) => !Number.isInteger(one) || one < least)) {
    throw new ShapeError(`${action}: expected an integer of at least ${least}, or two of them, got ${value}`);
  }
  return both as unknown as Pair;
}
