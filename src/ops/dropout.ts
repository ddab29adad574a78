/**
 * Dropout. The mask is a function of the random generator's state, which is an input, so the gradient can compute the same
 * mask from it. The kernel also writes the state for the next dropout: counting needs no dispatch, and each run of a
 * program continues where the one before it ended.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { type Dispatch, type Node, type Op, record, type Value } from "../graph/node.ts";
import { formOf } from "./op.ts";
import { linearGrid } from "./shape/shape.ts";

const dropoutKernel = shader("random/dropout.wgsl");

interface DropoutAttrs {
  /** The probability of being dropped, from 0 to 1. */
  readonly p: number;
  /** The number of neighbouring elements that are kept or dropped together. */
  readonly inner: number;
}

function dispatches(node: Node<DropoutAttrs>): Dispatch[] {
  const { inputs: [x, state], outputs, attrs: { p, inner } } = node;
  return [{
    kernel: dropoutKernel,
    constants: {
      SIZE: x!.size,
      INNER: inner,
      DROPPED: Math.round(p * 2 ** 24),
      SCALE: p === 1 ? 0 : 1 / (1 - p),
      FORWARD: outputs.length === 2,
    },
    bindings: [x!, state!, ...outputs],
    grid: linearGrid(Math.ceil(x!.size / 4)),
  }];
}

/** Inputs: x and the state. Outputs: y and the next state. */
const dropoutOp: Op<DropoutAttrs> = {
  name: "dropout",
  gradName: "NativeDropoutBackward0",
  outputs: ([x, state]) => [x!, state!],
  grad: ({ inputs: [, state], attrs }, [dy]) => [record(dropoutGradOp, [dy!, state!], attrs)[0]!, null],
  dispatches,
};

/** Dropout of channels: PyTorch multiplies by a mask. */
const channelsOp = formOf(dropoutOp, "MulBackward0");

/** Inputs: dy and the state that the forward had. */
const dropoutGradOp: Op<DropoutAttrs> = { name: "dropoutGrad", outputs: ([dy]) => [dy!], dispatches };

/**
 * x times 1/(1 − p), or with probability p times 0; and the state for the next dropout.
 *
 * @param state u32 [2]: the seed's key, and the number of dropouts before.
 * @param channel the number of neighbouring elements that are dropped together; null: each is dropped independently.
 */
export function dropout(x: Value, state: Value, p: number, channel: number | null): readonly Value[] {
  return record(channel === null ? dropoutOp : channelsOp, [x, state], { p, inner: channel ?? 1 });
}
