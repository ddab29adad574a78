/**
 * Activations beyond relu: y = f(x) for each element, in one kernel, and their gradients dx = f'(x) dy, in one as well.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, record, type Value } from "../../graph/node.ts";
import { linearGrid, requireType } from "../shape/shape.ts";

const kernel = shader("elementwise/activation.wgsl");

/** The names of the activations. */
export type Activation =
  | "sigmoid"
  | "tanh"
  | "hardtanh"
  | "relu6"
  | "leakyRelu"
  | "elu"
  | "gelu"
  | "geluTanh"
  | "silu"
  | "softplus"
  | "logSigmoid"
  | "hardswish";

/** Each activation's number in `elementwise/activation.wgsl`, its gradient's name, and whether that is computed from x or y. */
const ACTIVATIONS: Record<Activation, [code: number, gradName: string, from: "x" | "y"]> = {
  sigmoid: [0, "SigmoidBackward0", "y"],
  tanh: [1, "TanhBackward0", "y"],
  hardtanh: [2, "HardtanhBackward0", "x"],
  relu6: [2, "HardtanhBackward0", "x"],
  leakyRelu: [3, "LeakyReluBackward0", "x"],
  elu: [4, "EluBackward0", "x"],
  gelu: [5, "GeluBackward0", "x"],
  geluTanh: [6, "GeluBackward0", "x"],
  silu: [7, "SiluBackward0", "x"],
  softplus: [8, "SoftplusBackward0", "x"],
  logSigmoid: [9, "LogSigmoidBackward0", "x"],
  hardswish: [10, "HardswishBackward0", "x"],
};

/** An activation's options, as `elementwise/activation.wgsl` has them. */
export type ActivationParameters = readonly [number?, number?];

/** The op of one kernel run: the activation of x, or, of x (or y) and dy, its gradient. */
const define = (name: string, code: number, more: Partial<Op<ActivationParameters>>): Op<ActivationParameters> => ({
  name,
  outputs: ([x]) => [x!],
  dispatches: ({ inputs, outputs: [y], attrs: [a = 0, b = 0] }) => [{
    kernel,
    constants: { OP: code, GRAD: inputs.length > 1, SIZE: y!.size, A: a, B: b },
    bindings: [...inputs, y!],
    grid: linearGrid(y!.size),
  }],
  ...more,
});

/** The activations, by name. */
export const activationOps = Object.fromEntries(
  Object.entries(ACTIVATIONS).map(([name, [code, gradName, from]]): [string, Op<ActivationParameters>] => {
    const gradOp = define(`${name}Grad`, code, {});
    return [
      name,
      define(name, code, {
        gradName,
        grad: ({ inputs: [x], outputs: [y], attrs }, [dy]) => [
          record(gradOp, [from === "x" ? x! : y!, dy!], attrs)[0]!,
        ],
      }),
    ];
  }),
) as Record<Activation, Op<ActivationParameters>>;

/** y = f(x), for each element; `parameters` are the options of f that its kernel takes. */
export function activate(name: Activation, x: Value, ...parameters: ActivationParameters): Value {
  requireType(x, "f32", name);
  return record(activationOps[name], [x], parameters)[0]!;
}
