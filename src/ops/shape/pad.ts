/**
 * Padding of the last dimensions with a value, a reflection, the edges or the input again, and the opposite, a slice
 * (`narrow`). The gradient of an element is the sum of the gradients of its copies.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { formOf } from "../op.ts";
import { scalar } from "../elementwise/elementwise.ts";
import { describe } from "../options.ts";
import { axis, linearGrid, requireType, text } from "./shape.ts";

const kernel = shader("shape/pad.wgsl");

/** What the input is padded with; the index is the mode's number in `shape/pad.wgsl`. */
export const PAD_MODES = ["constant", "reflect", "replicate", "circular"] as const;
/** What the input is padded with. */
export type PadMode = typeof PAD_MODES[number];

/** The attributes of padding two neighbouring dimensions, rows and columns. */
export interface PadAttrs {
  readonly mode: PadMode;
  /** x as [planes, H, W], and y likewise. */
  readonly from: Shape;
  readonly to: Shape;
  /** Rows and columns that are added in front, or, where negative, left out. */
  readonly before: readonly [number, number];
  readonly shape: Shape;
}

function dispatch(bindings: Value[], { mode, from, to, before }: PadAttrs, grad: boolean) {
  const result = bindings.at(-1)!;
  const constants = {
    T: result.dtype,
    GRAD: grad,
    MODE: PAD_MODES.indexOf(mode),
    FILL: bindings.length > 2,
    SIZE: result.size,
    H: from[1]!,
    W: from[2]!,
    OH: to[1]!,
    OW: to[2]!,
    TOP: before[0],
    LEFT: before[1],
  };
  return [{ kernel, constants, bindings, grid: linearGrid(result.size) }];
}

/** Inputs: x, and the value that it is padded with, if any. */
export const padOp: Op<PadAttrs> = {
  name: "pad",
  gradName: "ConstantPadNdBackward0",
  outputs: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  grad: ({ inputs: [x], attrs }, [dy]) => [record(padGradOp, [dy!], { ...attrs, shape: x!.shape })[0]!, null],
  dispatches: ({ inputs, outputs, attrs }) => dispatch([...inputs, ...outputs], attrs, false),
};

const PADS = {
  constant: padOp,
  reflect: [formOf(padOp, "ReflectionPad1DBackward0"), formOf(padOp, "ReflectionPad2DBackward0")],
  replicate: [formOf(padOp, "ReplicationPad1DBackward0"), formOf(padOp, "ReplicationPad2DBackward0")],
  circular: formOf(padOp, "CopySlices"),
  narrow: {
    SliceBackward0: formOf(padOp, "SliceBackward0"),
    SplitBackward0: formOf(padOp, "SplitBackward0"),
    SplitWithSizesBackward0: formOf(padOp, "SplitWithSizesBackward0"),
  },
};

const padGradOp: Op<PadAttrs> = {
  name: "padGrad",
  outputs: (_, { shape }) => [{ shape, dtype: "f32" }],
  dispatches: ({ inputs: [dy], outputs: [dx], attrs }) => dispatch([dy!, dx!], attrs, true),
};

/** `shape` as [planes, rows, columns], where `dim` counts the rows. */
const planes = (shape: Shape, dim: number): Shape => [
  sizeOf(shape.slice(0, dim)),
  shape[dim]!,
  sizeOf(shape.slice(dim + 1)),
];

/**
 * `x` with `pads[0]` more elements before and `pads[1]` after those of its last dimension; the next two numbers are for the
 * dimension before, and so on, as in PyTorch's `pad`. With mode "constant", negative numbers leave elements out.
 */
export function pad(x: Value, pads: readonly number[], mode: PadMode, value: number): Value {
  const rank = x.shape.length, count = pads.length / 2, action = `pad of ${text(x.shape)} by ${text(pads)}`;
  if (mode === "constant") {
    if (count > rank) throw new ShapeError(`${action}: there are more than two numbers for each dimension`);
  } else {
    requireType(x, "f32", "pad");
    if (count > 2 || rank <= count || rank > count + 2) {
      const needs = `[left, right] with 2 or 3 dimensions, or [left, right, top, bottom] with 3 or 4`;
      throw new ShapeError(`${action}: mode ${describe(mode)} takes ${needs}`);
    }
  }
  const before = x.shape.map((_, dim) => pads[2 * (rank - 1 - dim)] ?? 0);
  const after = x.shape.map((_, dim) => pads[2 * (rank - 1 - dim) + 1] ?? 0);
  const shape = x.shape.map((extent, dim) => before[dim]! + extent + after[dim]!);
  if (shape.some((extent) => extent < 1)) throw new ShapeError(`${action}: nothing would be left`);
  const least = mode === "constant" ? -Infinity : 0;
  x.shape.forEach((extent, dim) => {
    const most = mode === "reflect" ? extent - 1 : mode === "circular" ? extent : Infinity;
    const wrong = [before[dim]!, after[dim]!].find((by) => by < least || by > most);
    if (wrong === undefined) return;
    const allowed = most === Infinity ? "0 or more" : `0 to ${most} in dimension ${dim}`;
    throw new ShapeError(`${action}: mode ${describe(mode)} takes ${allowed}, got ${wrong}`);
  });
  if (pads.every((by) => by === 0)) return x;
  const fill = mode === "constant" ? [scalar(value, x.dtype)] : [];
  const ops = PADS[mode], op = Array.isArray(ops) ? ops[count - 1]! : ops;
  // The last two dimensions at once, then those before them one by one.
  let y = x;
  for (let dim = Math.max(0, rank - 2); dim >= 0; dim--) {
    const dims = dim === rank - 2 ? [dim, dim + 1] : [dim];
    if (dims.every((one) => before[one] === 0 && after[one] === 0)) continue;
    const now = y.shape.map((extent, i) => dims.includes(i) ? shape[i]! : extent);
    const lead = [before[dim]!, dims.length > 1 ? before[dim + 1]! : 0] as const;
    const attrs = { mode, from: planes(y.shape, dim), to: planes(now, dim), before: lead, shape: now };
    y = record(op, [y, ...fill], attrs)[0]!;
  }
  return y;
}

/** `length` elements of `x` along `dim`, from `start`. */
export function narrow(
  x: Value,
  dim: number,
  start: number,
  length: number,
  gradName: keyof typeof PADS.narrow = "SliceBackward0",
): Value {
  const own = axis(dim, x.shape.length, "narrow"), extent = x.shape[own] ?? 0;
  const first = start < 0 ? start + extent : start;
  const whole = Number.isInteger(start) && Number.isInteger(length);
  if (!whole || first < 0 || length < 1 || first + length > extent) {
    const asked = `${length} elements from ${start} on`;
    throw new ShapeError(`narrow: ${asked} are not in dimension ${dim} of ${text(x.shape)}`);
  }
  if (length === extent) return x;
  const shape = x.shape.with(own, length);
  const attrs = { from: planes(x.shape, own), to: planes(shape, own), before: [-first, 0] as const, shape };
  // No padding is read: any mode would do.
  return record(PADS.narrow[gradName], [x], { mode: "constant", ...attrs })[0]!;
}
