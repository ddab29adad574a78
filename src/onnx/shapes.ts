/**
 * ONNX's operators for ops that move elements, and for reductions.
 *
 * @module
 */
import { type Node, type Shape, sizeOf, type Value } from "../graph/node.ts";
import { copyOp } from "../graph/plan.ts";
import { reduceOp } from "../ops/reduce/dims.ts";
import { extremumOp, reduceOps } from "../ops/reduce/reduce.ts";
import { catOp } from "../ops/shape/cat.ts";
import { type PadAttrs, padOp } from "../ops/shape/pad.ts";
import { expandOp, permuteOp } from "../ops/shape/strided.ts";
import { detachOp, viewOp } from "../ops/shape/view.ts";
import { IMAGES, type Lowering, type Rule, rule } from "./lowering.ts";

const view = ({ inputs: [x], outputs: [y] }: Node, to: Lowering) => to.reshape(to.name(x!), x!.shape, y!.shape);

/** The shape of the result has the batch where x does not; an extent of 1 stands for that of x. */
function expand({ inputs: [x], outputs: [y] }: Node, to: Lowering): string {
  const own = [...new Array<number>(y!.shape.length - x!.shape.length).fill(1), ...x!.shape];
  const wanted = y!.shape.map((extent, i) => extent === own[i] ? 1 : extent);
  const parts = wanted.map((extent) => {
    if (to.batches(extent) > 1) to.refuse("an expanded extent is a multiple of the batch");
    return to.batches(extent) === 1
      ? to.emit("Shape", [IMAGES], { start: 0, end: 1 })
      : to.integers("extent", [extent]);
  });
  const dynamic = wanted.some((extent) => to.batches(extent) > 0);
  const shape = dynamic ? to.emit("Concat", parts, { axis: 0 }) : to.integers("shape", wanted);
  return to.emit("Expand", [to.name(x!), shape]);
}

/** `cat`, and `stack`, whose inputs have a dimension less than the result. */
const cat = rule(catOp, ({ inputs, attrs: { shape, dim } }, to) => {
  const stacked = inputs[0]!.shape.length < shape.length;
  const parts = inputs.map((one) => {
    const name = to.name(one);
    return stacked ? to.emit("Unsqueeze", [name, to.integers("axes", [dim])]) : name;
  });
  return to.emit("Concat", parts, { axis: dim });
});

// --- padding ---------------------------------------------------------------------------------------------------------

/** The elements that are added before and after those of each dimension, of which the op's rows and columns are one or two. */
function padsOf(x: Shape, { from, to, before, shape }: PadAttrs): { before: number[]; after: number[] } {
  const rows = x.findIndex((extent, i) =>
    extent === from[1] && shape[i] === to[1] && sizeOf(x.slice(0, i)) === from[0] && sizeOf(x.slice(i + 1)) === from[2]
  );
  const pads = { before: x.map(() => 0), after: x.map(() => 0) };
  [rows, rows + 1].forEach((dim, i) => {
    // Columns that do not change may be several dimensions, or none.
    if (i === 1 && before[1] === 0 && from[2] === to[2]) return;
    pads.before[dim] = before[i]!;
    pads.after[dim] = shape[dim]! - x[dim]! - before[i]!;
  });
  return pads;
}

/** The elements of a dimension from `from` to before `until`. */
function slice(x: string, dim: number, from: number, until: number, to: Lowering): string {
  const [starts, ends, axes] = [from, until, dim].map((one) => to.integers("index", [one]));
  return to.emit("Slice", [x, starts!, ends!, axes!]);
}

/** Padding with the input again, from its other end, which the operator has since opset 19 only. */
function circular(x: Value, before: readonly number[], after: readonly number[], to: Lowering): string {
  return x.shape.reduce((name, extent, dim) => {
    const [first, last] = [before[dim]!, after[dim]!];
    if (first === 0 && last === 0) return name;
    const parts = [
      ...(first > 0 ? [slice(name, dim, extent - first, extent, to)] : []),
      name,
      ...(last > 0 ? [slice(name, dim, 0, last, to)] : []),
    ];
    return to.emit("Concat", parts, { axis: dim });
  }, to.name(x));
}

const MODES = { constant: "constant", reflect: "reflect", replicate: "edge" };

const pad = rule(padOp, ({ inputs: [x, fill], attrs }, to) => {
  const { before, after } = padsOf(x!.shape, attrs), name = to.name(x!);
  if (attrs.mode === "circular") return circular(x!, before, after, to);
  if (attrs.mode === "constant" && !fill) {
    // A slice of x.
    const dim = before.findIndex((by, i) => by !== 0 || after[i] !== 0), from = -before[dim]!;
    return slice(name, dim, from, from + attrs.shape[dim]!, to);
  }
  const inputs = [name, to.integers("pads", [...before, ...after]), ...(fill ? [to.name(fill)] : [])];
  return to.emit("Pad", inputs, { mode: { text: MODES[attrs.mode] } });
});

// --- reductions ------------------------------------------------------------------------------------------------------

/** A reduction over `dims`, which the result keeps with extent 1 if it has as many dimensions as x. */
function reduced(op: string, { inputs: [x], outputs: [y] }: Node, dims: readonly number[], to: Lowering): string {
  const name = to.name(x!), keepdims = x!.shape.length === y!.shape.length ? 1 : 0;
  if (op === "ReduceMean" && keepdims && x!.shape.length === 4 && `${dims}` === "2,3") {
    return to.emit("GlobalAveragePool", [name]);
  }
  // In opset 17, ReduceSum is the only one whose axes are an input.
  if (op === "ReduceSum") return to.emit(op, [name, to.integers("axes", dims)], { keepdims });
  return to.emit(op, [name], { axes: dims, keepdims });
}

const overDims = (name: keyof typeof reduceOps, op: string) =>
  rule(reduceOps[name], (node, to) => reduced(op, node, node.attrs.dims, to));

/** The rules of this file. */
export const SHAPES: readonly Rule[] = [
  rule(reduceOp, ({ attrs: { kind } }, to) => to.refuse(`${kind} has no counterpart there`)),
  rule(viewOp, view),
  rule(detachOp, view),
  rule(copyOp, view),
  rule(permuteOp, ({ inputs: [x], attrs: { dims } }, to) => to.emit("Transpose", [to.name(x!)], { perm: dims })),
  rule(expandOp, expand),
  cat,
  pad,
  overDims("sum", "ReduceSum"),
  overDims("mean", "ReduceMean"),
  overDims("max", "ReduceMax"),
  overDims("amax", "ReduceMax"),
  overDims("min", "ReduceMin"),
  overDims("amin", "ReduceMin"),
  rule(
    extremumOp,
    (node, to) => reduced(node.attrs.name === "max" ? "ReduceMax" : "ReduceMin", node, [node.attrs.dim], to),
  ),
];
