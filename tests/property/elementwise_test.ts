/**
 * Gradients of ops on elements, over random shapes.
 */
import { type Property, testProperties } from "./check.ts";

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

testProperties({
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
