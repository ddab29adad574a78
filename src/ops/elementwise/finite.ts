/**
 * Checks for NaN and infinities, for anomaly mode. They append to one list of flags, in their order.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { constant, type Op, record, type Value } from "../../graph/node.ts";

const checkKernel = shader("elementwise/check_finite.wgsl");

/** Inputs: the list of flags, and the tensor that is checked. */
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

/** An empty list for the flags of `count` checks: u32 [1 + count], where the first element is the number of flags. */
export function noFlags(count: number): Value {
  return constant(new Uint32Array(1 + count), [1 + count]);
}

/** `flags` with one more for x (f32): 1 if it has NaN, 2 if it has an infinity, 3 if both. */
export function checkFinite(flags: Value, x: Value): Value {
  return record(checkOp, [flags, x], null)[0]!;
}
