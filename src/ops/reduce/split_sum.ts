/**
 * Sums of partial results, which a kernel with too few outputs for a GPU leaves to it: in a fixed order, so that the same
 * run gives the same bits.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { type Op, record, type Value } from "../../graph/node.ts";
import { linearGrid, view } from "../shape/shape.ts";

const kernel = shader("reduce/sum_parts.wgsl");

const sumPartsOp: Op<null> = {
  name: "sumParts",
  outputs: (inputs) => inputs.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype })),
  dispatches({ inputs, outputs }) {
    const [a, b] = outputs;
    return [{
      kernel,
      constants: { PARTS: inputs[0]!.shape[0]!, SIZE_A: a!.size, SIZE_B: b?.size ?? 0, BOTH: b !== undefined },
      bindings: [...inputs, ...outputs],
      grid: linearGrid(a!.size + (b?.size ?? 0)),
    }];
  },
};

/** The sums of one or two tensors over their first dimension, in one kernel. */
export function sumParts(parts: readonly Value[]): readonly Value[] {
  if (parts[0]!.shape[0] === 1) return parts.map((one) => view(one, one.shape.slice(1)));
  return record(sumPartsOp, parts, null);
}
