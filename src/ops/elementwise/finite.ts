/**
 * Looking for NaN and infinities, for anomaly mode: one list of flags, to which the checks append in their order.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { constant, type Op, record, type Value } from "../../graph/node.ts";

const checkKernel = shader("elementwise/check_finite.wgsl");

/** Inputs: the list of flags, and what is checked. */
const checkOp: Op<null> = {
  name: "checkFinite",
  outputs: ([flags]) => [flags!],
  overwrites: () => [0],
  dispatches: ({ inputs: [, x], outputs: [flags] }) => [{
    kernel: checkKernel,
    constants: { SIZE: x!.size },
    bindings: [x!, flags!],
    grid: [1, 1, 1],
  }],
};

/** An empty list with room for the flags of `count` checks: u32 [1 + count], the first of which counts. */
export function noFlags(count: number): Value {
  return constant(new Uint32Array(1 + count), [1 + count]);
}

/** `flags` and that of x (f32): 1 if it holds NaN, 2 if it holds an infinity, 3 if both. */
export function checkFinite(flags: Value, x: Value): Value {
  return record(checkOp, [flags, x], null)[0]!;
}
