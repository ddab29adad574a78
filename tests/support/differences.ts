/**
 * Gradients by central differences in float64: (f(x + h) - f(x - h)) / 2h, good to about 1e-9.
 *
 * @module
 */

import { type Nd, nd } from "./array.ts";
import { bits } from "./random.ts";

/** Some elements of a gradient: where, and what. */
export interface Sample {
  at: number[];
  value: number[];
}

/**
 * d(Σ dy f(inputs)) / d inputs[which], at all elements, or at `limit` of them chosen by a hash.
 */
export function differences(
  f: (...inputs: Nd[]) => Nd,
  inputs: readonly Nd[],
  which: number,
  dy: Nd,
  limit = Infinity,
): Sample {
  const x = inputs[which]!, n = x.data.length;
  const at = n <= limit ? Array.from(x.data.keys()) : Array.from(bits(n, limit), (b) => b % n);
  const value = at.map((i) => {
    const h = 1e-5 * Math.max(1, Math.abs(x.data[i]!));
    const weighted = (step: number) => {
      const moved = nd(x.shape, x.data);
      moved.data[i]! += step;
      return f(...inputs.with(which, moved)).data.reduce((sum, y, o) => sum + y * dy.data[o]!, 0);
    };
    return (weighted(h) - weighted(-h)) / (2 * h);
  });
  return { at, value };
}
