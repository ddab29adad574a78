/**
 * Elementwise losses: an input is compared with its target element by element, and the results are reduced.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Value } from "../../graph/node.ts";
import { apply, combine } from "../elementwise/elementwise.ts";
import type { Reduction } from "./loss.ts";
import { reduce } from "../reduce/reduce.ts";
import { broadcast, linearGrid, requireType, text } from "../shape/shape.ts";
import { expand } from "../shape/strided.ts";

const kernel = shader("loss/pointwise_loss.wgsl");

/** Each loss's number in `loss/pointwise_loss.wgsl`, and its gradient's name. */
const LOSSES = {
  mseLoss: [0, "MseLossBackward0"],
  smoothL1Loss: [1, "SmoothL1LossBackward0"],
  huberLoss: [2, "HuberLossBackward0"],
  binaryCrossEntropyWithLogits: [3, "BinaryCrossEntropyWithLogitsBackward0"],
} as const;

interface LossAttrs {
  readonly loss: keyof typeof LOSSES;
  /** The difference beyond which a loss is linear: beta or delta. */
  readonly bound: number;
  /** There are weights of the elements, and of the positive ones. */
  readonly weighted: boolean;
  readonly positive: boolean;
}

interface EachAttrs extends LossAttrs {
  /** 0: the loss itself; 1: its derivative by the input; 2: by the target. */
  readonly slope: 0 | 1 | 2;
  /** The factor of the result. */
  readonly scale: number;
}

/**
 * Inputs: x and its targets; the weights of elements and of positives, if there are any; for derivatives, their factor.
 */
const eachOp: Op<EachAttrs> = {
  name: "lossOfEach",
  outputs: ([x]) => [x!],
  dispatches({ inputs: [x, t, ...rest], outputs: [y], attrs }) {
    const { loss, slope, bound, scale, weighted, positive } = attrs, scaled = slope > 0, by = rest.at(-1);
    return [{
      kernel,
      constants: {
        OP: LOSSES[loss][0],
        SLOPE: slope,
        SIZE: y!.size,
        BOUND: bound,
        INVERSE: bound > 0 ? Math.min(1 / bound, 3e38) : 0,
        SCALE: scale,
        SCALED: scaled,
        EACH: scaled && by!.shape.length > 0,
        WEIGHTED: weighted,
        POSITIVE: positive,
      },
      bindings: [x!, t!, y!, ...(scaled ? [by!, ...rest.slice(0, -1)] : rest)],
      grid: linearGrid(y!.size),
    }];
  },
};

type ReducedAttrs = LossAttrs & { readonly reduction: Reduction };

const ops = Object.fromEntries(
  Object.entries(LOSSES).map(([name, [, gradName]]): [string, Op<ReducedAttrs>] => [name, {
    name,
    gradName,
    outputs: ([x], { reduction }) => [{ shape: reduction === "none" ? x!.shape : [], dtype: "f32" }],
    expand: ({ inputs, attrs }) => {
      const [each] = record(eachOp, inputs, { ...attrs, slope: 0, scale: 1 });
      return [reduced(each!, attrs.reduction)];
    },
    grad({ inputs, attrs }, [dy], needs) {
      const scale = attrs.reduction === "mean" ? 1 / inputs[0]!.size : 1;
      return ([1, 2] as const).map((slope, i) =>
        needs[i] ? record(eachOp, [...inputs, dy!], { ...attrs, slope, scale })[0]! : null
      );
    },
  }]),
) as Record<keyof typeof LOSSES, Op<ReducedAttrs>>;

const reduced = (each: Value, reduction: Reduction) =>
  reduction === "none" ? each : reduce(reduction, each, undefined, false);

/** x and its targets, broadcast together. */
function together(x: Value, t: Value, action: string): [Value, Value] {
  requireType(x, "f32", action);
  requireType(t, "f32", action);
  const both = broadcast(x.shape, t.shape, action);
  return [expand(x, both), expand(t, both)];
}

/** A loss of differences: of x − t, which are broadcast together. */
export function differenceLoss(
  loss: "mseLoss" | "smoothL1Loss" | "huberLoss",
  x: Value,
  t: Value,
  reduction: Reduction,
  bound = 1,
): Value {
  const attrs = { loss, bound, weighted: false, positive: false, reduction };
  return record(ops[loss], together(x, t, loss), attrs)[0]!;
}

/** The magnitudes of x − t, which are broadcast together. */
export function l1Loss(x: Value, t: Value, reduction: Reduction): Value {
  return reduced(apply("abs", combine("sub", ...together(x, t, "l1Loss"))), reduction);
}

/**
 * Binary cross-entropy of logits x and their targets, with weights of elements and of positives, which are broadcast.
 */
export function binaryCrossEntropyWithLogits(
  x: Value,
  t: Value,
  weight: Value | null,
  positive: Value | null,
  reduction: Reduction,
): Value {
  const loss = "binaryCrossEntropyWithLogits";
  requireType(x, "f32", loss);
  requireType(t, "f32", loss);
  if (text(t.shape) !== text(x.shape)) {
    throw new ShapeError(`${loss}: targets must have shape ${text(x.shape)}, as the logits, got ${text(t.shape)}`);
  }
  const spread = (one: Value | null, name: string) => {
    if (!one) return [];
    requireType(one, "f32", `${loss}: ${name}`);
    if (one.needsGrad) throw new ShapeError(`${loss}: ${name} cannot require gradients`);
    if (text(broadcast(one.shape, x.shape, `${loss}: ${name}`)) !== text(x.shape)) {
      throw new ShapeError(`${loss}: ${name} ${text(one.shape)} does not broadcast to ${text(x.shape)}`);
    }
    return [expand(one, x.shape)];
  };
  const inputs = [x, t, ...spread(weight, "weight"), ...spread(positive, "posWeight")];
  const attrs = { loss, bound: 1, weighted: weight !== null, positive: positive !== null, reduction } as const;
  return record(ops[loss], inputs, attrs)[0]!;
}
