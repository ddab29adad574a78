/**
 * Gradients of ops on elements, over random shapes.
 */
import { F, type Tensor } from "../../src/mod.ts";
import { map } from "../support/array.ts";
import type { Options } from "../support/reference_ops.ts";
import { type Property, testProperties } from "./check.ts";
import type { Draw } from "./draw.ts";

/** An op of one argument, with values between `low` and `high`. */
const one = (low = -2, high = 2, kinks: number[] = []): Property => ({
  draw: (layout, data) => ({ inputs: [data.values(layout.shape(), low, high, kinks)] }),
});

/** An op of two arguments, broadcast together, or of one and a number. */
const two = (low = -2, high = 2): Property => ({
  draw(layout, data) {
    const [a, b] = layout.broadcast(), x = data.values(a, low, high);
    return layout.int(0, 4) > 0
      ? { inputs: [x, data.values(b, low, high)] }
      : { inputs: [x], options: { other: data.values([], low, high).data[0]! } };
  },
});

/** An activation, what it means, its kinks, and its options. Values from −4 to 7. */
const activation = (
  op: (x: Tensor, options: Options) => Tensor,
  f: (x: number, options: Options) => number,
  kinks: number[] = [],
  options: (layout: Draw) => object = () => ({}),
): Property => ({
  op: ([x], options) => op(x!, options),
  draw: (layout, data) => ({ inputs: [data.values(layout.shape(), -4, 7, kinks)], options: options(layout) }),
  reference: ([x], options) => map(x!, (value) => f(value, options)),
});

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** The cumulative probability of the normal distribution, by the series of its density. */
function normal(x: number): number {
  let sum = 0;
  for (let n = 0, term = x; n < 300; term *= x * x / (2 * ++n + 1)) sum += term;
  return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

const tanhOf = (x: number) => Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));

testProperties({
  sigmoid: activation((x) => x.sigmoid(), sigmoid),
  tanh: activation((x) => x.tanh(), Math.tanh),
  silu: activation(F.silu, (x) => x * sigmoid(x)),
  logSigmoid: activation(F.logSigmoid, (x) => Math.log(sigmoid(x))),
  relu6: activation(F.relu6, (x) => clamp(x, 0, 6), [0, 6]),
  hardswish: activation(F.hardswish, (x) => x * clamp(x + 3, 0, 6) / 6, [-3, 3]),
  leakyRelu: activation(
    (x, { slope }) => F.leakyRelu(x, slope),
    (x, { slope = 0.01 }) => x < 0 ? x * slope : x,
    [0],
    (layout) => layout.some({ slope: 0.25 }),
  ),
  elu: activation(
    (x, { alpha }) => F.elu(x, alpha),
    (x, { alpha = 1 }) => x < 0 ? alpha * Math.expm1(x) : x,
    [0],
    (layout) => layout.some({ alpha: 0.5 }),
  ),
  hardtanh: activation(
    (x, { low, high }) => F.hardtanh(x, low, high),
    (x, { low = -1, high = 1 }) => clamp(x, low, high),
    [-2, -1, 1, 3],
    (layout) => layout.some({ low: -2, high: 3 }),
  ),
  gelu: activation(
    F.gelu,
    (x, { approximate }) => approximate === "tanh" ? x * (1 + tanhOf(x)) / 2 : x * normal(x),
    [],
    (layout) => layout.some({ approximate: layout.pick(["none", "tanh"]) }),
  ),
  softplus: activation(
    F.softplus,
    (x, { beta = 1, threshold = 20 }) => beta * x > threshold ? x : Math.log1p(Math.exp(beta * x)) / beta,
    [2, 4],
    (layout) => layout.some({ beta: layout.pick([0.5, 2]), threshold: 4 }),
  ),
  neg: one(),
  exp: one(),
  log: one(0.25, 4),
  sqrt: one(0.25, 4),
  abs: one(),
  relu: one(),
  clone: one(),
  add: two(),
  sub: two(),
  mul: two(),
  div: two(0.5, 2),
  pow: two(0.5, 2),
  maximum: two(),
  minimum: two(),
});
