/**
 * Ops on elements: one table for those of one operand, one for those of two, each entry with its gradient.
 * Operands of two are broadcast together as NumPy and PyTorch do.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { constant, type DType, type Op, record, type Value } from "../../graph/node.ts";
import { sumTo } from "../reduce/dims.ts";
import { broadcast, broadcastStrides, linearGrid, requireType, walk } from "../shape/shape.ts";

const unary = shader("elementwise/unary.wgsl");
const binary = shader("elementwise/binary.wgsl");

/** Refuses numbers that `dtype` cannot hold. */
export function checkNumber(value: number, dtype: DType): void {
  const fits = dtype === "f32" || (Number.isInteger(value) && value >= 0 && value <= 0xffffffff);
  if (typeof value !== "number" || !fits) throw new ShapeError(`${value} is no ${dtype}`);
}

/** A scalar. Numbers are data, not part of a kernel: a new one must not need a new pipeline. */
export function scalar(value: number, dtype: DType = "f32"): Value {
  checkNumber(value, dtype);
  return constant(dtype === "u32" ? Uint32Array.of(value) : Float32Array.of(value), []);
}

// --- one operand -----------------------------------------------------------------------------------------------------

/** The names of the ops of one operand. */
export type Unary = "neg" | "exp" | "log" | "sqrt" | "abs" | "relu" | "sign" | "square";

/** Each op's number in `elementwise/unary.wgsl`, its gradient's name, and its gradient from x, y and dy. */
const UNARY: Record<Unary, [code: number, gradName: string, grad: (x: Value, y: Value, dy: Value) => Value]> = {
  neg: [0, "NegBackward0", (_x, _y, dy) => apply("neg", dy)],
  exp: [1, "ExpBackward0", (_x, y, dy) => combine("mul", dy, y)],
  log: [2, "LogBackward0", (x, _y, dy) => combine("div", dy, x)],
  sqrt: [3, "SqrtBackward0", (_x, y, dy) => combine("div", combine("mul", dy, scalar(0.5)), y)],
  abs: [4, "AbsBackward0", (x, _y, dy) => combine("mul", dy, apply("sign", x))],
  relu: [5, "ReluBackward0", (_x, y, dy) => reluGrad(dy, y)],
  sign: [6, "SignBackward0", (_x, _y, dy) => combine("mul", dy, scalar(0))],
  square: [7, "PowBackward0", (x, _y, dy) => combine("mul", dy, combine("mul", x, scalar(2)))],
};

/** The ops of one operand, by name. */
export const unaryOps = Object.fromEntries(
  Object.entries(UNARY).map(([name, [code, gradName, grad]]): [string, Op<null>] => [name, {
    name,
    gradName,
    outputs: ([x]) => [x!],
    grad: ({ inputs: [x], outputs: [y] }, [dy]) => [grad(x!, y!, dy!)],
    dispatches: ({ inputs: [x], outputs: [y] }) => [{
      kernel: unary,
      constants: { OP: code, SIZE: x!.size },
      bindings: [x!, y!],
      grid: linearGrid(x!.size),
    }],
  }]),
) as Record<Unary, Op<null>>;

/** y = op(x), for each element. */
export function apply(name: Unary, x: Value): Value {
  requireType(x, "f32", name);
  return record(unaryOps[name], [x], null)[0]!;
}

/** y = max(x, 0). */
export const reluOp = unaryOps.relu;

// --- two operands ----------------------------------------------------------------------------------------------------

type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
type Arithmetic = "add" | "sub" | "mul" | "div" | "maximum" | "minimum";
type GradientPart = "reluGrad" | "powGradBase" | "powGradExponent" | "same";
/** The names of the ops of two operands. */
export type Binary = Arithmetic | Comparison | "pow" | GradientPart;

type BinaryGrad = (a: Value, b: Value, y: Value, dy: Value) => Value;

/** Each op's number in `elementwise/binary.wgsl`, its gradient's name, and the gradients of both operands before `sumTo`. */
const BINARY: Record<Binary, [number, string, BinaryGrad, BinaryGrad] | [number]> = {
  add: [0, "AddBackward0", (_a, _b, _y, dy) => dy, (_a, _b, _y, dy) => dy],
  sub: [1, "SubBackward0", (_a, _b, _y, dy) => dy, (_a, _b, _y, dy) => apply("neg", dy)],
  mul: [2, "MulBackward0", (_a, b, _y, dy) => combine("mul", dy, b), (a, _b, _y, dy) => combine("mul", dy, a)],
  div: [
    3,
    "DivBackward0",
    (_a, b, _y, dy) => combine("div", dy, b),
    (_a, b, y, dy) => apply("neg", combine("mul", dy, combine("div", y, b))),
  ],
  pow: [
    4,
    "PowBackward0",
    (a, b, _y, dy) => combine("mul", dy, combine("powGradBase", a, b)),
    (a, b, y, dy) => combine("mul", dy, combine("mul", combine("powGradExponent", a, b), y)),
  ],
  // Where both are equal, each operand gets half, as in PyTorch.
  maximum: [5, "MaximumBackward0", (a, b, _y, dy) => half("ge", a, b, dy), (a, b, _y, dy) => half("le", a, b, dy)],
  minimum: [6, "MinimumBackward0", (a, b, _y, dy) => half("le", a, b, dy), (a, b, _y, dy) => half("ge", a, b, dy)],
  eq: [7],
  ne: [8],
  lt: [9],
  le: [10],
  gt: [11],
  ge: [12],
  /** dy where y > 0: the gradient of relu. */
  reluGrad: [13],
  /** b aᵇ⁻¹, and 0 where b = 0. */
  powGradBase: [14],
  /** log a, and 0 where a = 0 and b is 0 or more. */
  powGradExponent: [15],
  /** 1 where equal or both are NaN. */
  same: [16],
};

/** dy where the comparison holds or one is NaN, half of it where a = b. */
function half(comparison: "ge" | "le", a: Value, b: Value, dy: Value): Value {
  // "Not below" holds for NaN as well.
  const holds = combine("sub", scalar(1), combine(comparison === "ge" ? "lt" : "gt", a, b));
  return combine("mul", dy, combine("sub", holds, combine("mul", combine("eq", a, b), scalar(0.5))));
}

/** The ops of two operands, by name. */
export const binaryOps = Object.fromEntries(
  Object.entries(BINARY).map(([name, [code, gradName, gradA, gradB]]): [string, Op<null>] => [name, {
    name,
    ...(gradName ? { gradName } : {}),
    outputs: ([a, b]) => [{
      shape: broadcast(a!.shape, b!.shape, name),
      dtype: (code >= 7 && code <= 12) || code === 16 ? "f32" : a!.dtype,
    }],
    ...(gradA && gradB
      ? {
        grad: ({ inputs: [a, b], outputs: [y] }, [dy], needs) =>
          ([gradA, gradB] as BinaryGrad[]).map((grad, i) =>
            needs[i] ? sumTo(grad(a!, b!, y!, dy!), (i === 0 ? a! : b!).shape) : null
          ),
      }
      : {}),
    dispatches: ({ inputs: [a, b], outputs: [y] }) => {
      const operands = [a!, b!].map((operand) => broadcastStrides(operand.shape, y!.shape));
      const { dims, strides: [ofA, ofB], rank } = walk(y!.shape, operands, name);
      return [{
        kernel: binary,
        constants: {
          T: a!.dtype,
          U: y!.dtype,
          FLOAT: a!.dtype === "f32",
          OP: code,
          SIZE: y!.size,
          RANK: rank,
          DIMS: dims,
          A: ofA!,
          B: ofB!,
        },
        bindings: [a!, b!, y!],
        grid: linearGrid(y!.size),
      }];
    },
  }]),
) as Record<Binary, Op<null>>;

const INTEGER: readonly Binary[] = [
  "add",
  "sub",
  "mul",
  "div",
  "maximum",
  "minimum",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
];

/** y = a op b, for each pair of elements, broadcast together. Both must have one type. */
export function combine(name: Binary, a: Value, b: Value): Value {
  if (a.dtype !== b.dtype) throw new ShapeError(`${name}: the operands are ${a.dtype} and ${b.dtype}`);
  if (a.dtype === "u32" && !INTEGER.includes(name)) throw new ShapeError(`${name}: not defined for u32`);
  const shape = broadcast(a.shape, b.shape, name);
  walk(shape, [a, b].map((operand) => broadcastStrides(operand.shape, shape)), name); // Throws where a kernel could not.
  return record(binaryOps[name], [a, b], null)[0]!;
}

/** dx = dy where y > 0; inputs: dy, y. */
export const reluGradOp = binaryOps.reluGrad;
/** The product of two operands. */
export const mulOp = binaryOps.mul;

/** dx = dy where y > 0, y being the output of relu. */
export function reluGrad(dy: Value, y: Value): Value {
  return combine("reluGrad", dy, y);
}
