/**
 * ONNX's operators for elementwise ops: arithmetic, comparisons, activations, softmax.
 *
 * @module
 */
import type { Node } from "../graph/node.ts";
import { type Activation, activationOps } from "../ops/elementwise/activation.ts";
import { type Binary, binaryOps, type Unary, unaryOps } from "../ops/elementwise/elementwise.ts";
import { logSoftmaxOp, softmaxOp } from "../ops/loss/log_softmax.ts";
import { type Lowering, type Rule, rule } from "./lowering.ts";

/** An operator of the same inputs. */
const same = (op: string) => (node: Node, to: Lowering): string => to.emit(op, node.inputs.map((one) => to.name(one)));

/** A comparison, whose truth values become numbers. FLOAT is 1 among ONNX's types. */
const comparison = (op: string, negated = false) => (node: Node, to: Lowering): string => {
  const holds = same(op)(node, to);
  return to.emit("Cast", [negated ? to.emit("Not", [holds]) : holds], { to: 1 });
};

const UNARY: Record<Unary, ReturnType<typeof same>> = {
  neg: same("Neg"),
  exp: same("Exp"),
  log: same("Log"),
  sqrt: same("Sqrt"),
  abs: same("Abs"),
  relu: same("Relu"),
  sign: same("Sign"),
  square: ({ inputs: [x] }, to) => to.emit("Mul", [to.name(x!), to.name(x!)]),
};

/** Only the ops that a forward pass can have. */
const BINARY: Partial<Record<Binary, ReturnType<typeof same>>> = {
  add: same("Add"),
  sub: same("Sub"),
  mul: same("Mul"),
  div: same("Div"),
  pow: same("Pow"),
  maximum: same("Max"),
  minimum: same("Min"),
  eq: comparison("Equal"),
  ne: comparison("Equal", true),
  lt: comparison("Less"),
  le: comparison("LessOrEqual"),
  gt: comparison("Greater"),
  ge: comparison("GreaterOrEqual"),
};

type Formula = (x: string, to: Lowering, a: number, b: number) => string;

const clip: Formula = (x, to, least, most) => to.emit("Clip", [x, to.scalar(least), to.scalar(most)]);

/** x Φ(x), where Φ is half of 1 + `odd`. */
const halved = (x: string, to: Lowering, odd: string) =>
  to.emit("Mul", [to.emit("Mul", [x, to.emit("Add", [odd, to.scalar(1)])]), to.scalar(0.5)]);

/** The operators of each activation, by its two options. */
const ACTIVATIONS: Record<Activation, Formula> = {
  sigmoid: (x, to) => to.emit("Sigmoid", [x]),
  tanh: (x, to) => to.emit("Tanh", [x]),
  hardtanh: clip,
  relu6: clip,
  leakyRelu: (x, to, slope) => to.emit("LeakyRelu", [x], { alpha: { float: slope } }),
  elu: (x, to, alpha) => to.emit("Elu", [x], { alpha: { float: alpha } }),
  gelu: (x, to) => halved(x, to, to.emit("Erf", [to.emit("Div", [x, to.scalar(Math.SQRT2)])])),
  geluTanh(x, to) {
    const cubed = to.emit("Mul", [to.emit("Mul", [x, to.emit("Mul", [x, x])]), to.scalar(0.044715)]);
    const inner = to.emit("Mul", [to.emit("Add", [x, cubed]), to.scalar(Math.sqrt(2 / Math.PI))]);
    return halved(x, to, to.emit("Tanh", [inner]));
  },
  silu: (x, to) => to.emit("Mul", [x, to.emit("Sigmoid", [x])]),
  softplus(x, to, beta, threshold) {
    const steep = beta === 1 ? x : to.emit("Mul", [x, to.scalar(beta)]), curve = to.emit("Softplus", [steep]);
    const y = beta === 1 ? curve : to.emit("Div", [curve, to.scalar(beta)]);
    // Beyond 20, x and the curve are the same float32.
    return threshold >= 20 ? y : to.emit("Where", [to.emit("Greater", [steep, to.scalar(threshold)]), x, y]);
  },
  logSigmoid: (x, to) => to.emit("Neg", [to.emit("Softplus", [to.emit("Neg", [x])])]),
  hardswish: (x, to) => to.emit("HardSwish", [x]),
};

/** The entries of a table, whose keys have its type. */
const entries = <K extends string, T>(table: Partial<Record<K, T>>) => Object.entries(table) as [K, T][];

/** The rules of this file. */
export const ELEMENTWISE: readonly Rule[] = [
  ...entries(UNARY).map(([name, lower]) => rule(unaryOps[name], lower)),
  ...entries(BINARY).map(([name, lower]) => rule(binaryOps[name], lower)),
  ...entries(ACTIVATIONS).map(([name, formula]) =>
    rule(activationOps[name], ({ inputs: [x], attrs: [a = 0, b = 0] }, to) => formula(to.name(x!), to, a, b))
  ),
  rule(softmaxOp, ({ inputs: [x], attrs: { dim } }, to) => to.emit("Softmax", [to.name(x!)], { axis: dim })),
  rule(logSoftmaxOp, ({ inputs: [x], attrs: { dim } }, to) => to.emit("LogSoftmax", [to.name(x!)], { axis: dim })),
];
