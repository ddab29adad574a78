/**
 * Joining tensors along an existing dimension (`cat`) or a new one (`stack`). The gradient of each tensor is a slice of the
 * result's.
 *
 * @module
 */
import { shader } from "../../../shaders/mod.ts";
import { ShapeError } from "../../errors.ts";
import { type Op, record, type Shape, sizeOf, type Value } from "../../graph/node.ts";
import { formOf } from "../op.ts";
import { narrow } from "./pad.ts";
import { axis, linearGrid, text } from "./shape.ts";
import { view } from "./view.ts";

const kernel = shader("shape/cat.wgsl");

/** The shape of the result, and the dimension along which it is joined. */
export interface CatAttrs {
  readonly shape: Shape;
  readonly dim: number;
}

/** Inputs: the tensors that are joined, in order. */
export const catOp: Op<CatAttrs> = {
  name: "cat",
  gradName: "CatBackward0",
  outputs: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  grad({ inputs, attrs: { shape, dim } }, [dy], needs) {
    let start = 0;
    return inputs.map((x, i) => {
      const length = x.size * shape[dim]! / sizeOf(shape), from = start;
      start += length;
      return needs[i] ? view(narrow(dy!, dim, from, length), x.shape) : null;
    });
  },
  dispatches({ inputs, outputs: [y], attrs: { shape, dim } }) {
    const outer = sizeOf(shape.slice(0, dim)), total = y!.size / outer;
    let start = 0;
    return inputs.map((x) => {
      const run = x.size / outer, offset = start;
      start += run;
      return {
        kernel,
        constants: { T: x.dtype, SIZE: x.size, RUN: run, TOTAL: total, OFFSET: offset },
        bindings: [x, y!],
        grid: linearGrid(x.size),
      };
    });
  },
};

const stackOp = formOf(catOp, "StackBackward0");

/** Refuses tensors that differ in type, or in shape but for dimension `free`. */
function checkAlike(values: readonly Value[], free: number | null, action: string): void {
  const first = values[0]!;
  for (const one of values) {
    const fits = one.shape.length === first.shape.length &&
      one.shape.every((extent, i) => i === free || extent === first.shape[i]);
    if (fits && one.dtype === first.dtype) continue;
    const where = free === null ? "" : ` along dimension ${free}`;
    const [a, b] = [first, one].map(({ shape, dtype }) => `${text(shape)} of ${dtype}`);
    throw new ShapeError(`${action}: ${a} and ${b} do not join${where}`);
  }
}

/** The values one after the other along `dim`, as PyTorch's `cat`. */
export function cat(values: readonly Value[], dim: number): Value {
  const { shape } = values[0]!;
  if (shape.length === 0) throw new ShapeError("cat: tensors without dimensions do not join; use stack");
  const own = axis(dim, shape.length, "cat");
  checkAlike(values, own, "cat");
  const whole = shape.with(own, values.reduce((sum, one) => sum + one.shape[own]!, 0));
  return record(catOp, values, { shape: whole, dim: own })[0]!;
}

/** The values along a new dimension `dim`, as PyTorch's `stack`. */
export function stack(values: readonly Value[], dim: number): Value {
  const { shape } = values[0]!, own = axis(dim, shape.length + 1, "stack");
  checkAlike(values, null, "stack");
  return record(stackOp, values, { shape: shape.toSpliced(own, 0, values.length), dim: own })[0]!;
}
