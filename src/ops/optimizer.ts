/**
 * Optimizer updates: one op for all parameters of a group, which updates them where they lie. Parameters, gradients and
 * state are packed, each in one block, so that one kernel treats them as one array.
 *
 * @module
 */
import momentumSource from "../../shaders/sgd_momentum.wgsl" with { type: "text" };
import sgdSource from "../../shaders/sgd.wgsl" with { type: "text" };
import type { Storage } from "../gpu/memory.ts";
import { align } from "../gpu/memory.ts";
import { UNIFORM_BYTES } from "../gpu/uniforms.ts";
import { type Dispatch, type Op, record, type Value } from "../graph/node.ts";
import { linearGrid } from "./shape.ts";

const sgdKernel = { file: "sgd.wgsl", source: sgdSource };
const momentumKernel = { file: "sgd_momentum.wgsl", source: momentumSource };

export interface SgdAttrs {
  readonly count: number;
  readonly momentum: number;
  readonly dampening: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
}

/** Inputs: `count` parameters, as many gradients, the rate [1], and with momentum the buffers. */
const sgdOp: Op<SgdAttrs> = {
  name: "sgd",
  outputs: (
    inputs,
    { count, momentum },
  ) => [...inputs.slice(0, count), ...(momentum === 0 ? [] : inputs.slice(2 * count + 1))],
  overwrites: ({ attrs: { count, momentum } }) =>
    momentum === 0 ? range(0, count) : [...range(0, count), ...range(2 * count + 1, count)],
  packs: (
    { attrs: { count, momentum } },
  ) => [range(0, count), range(count, count), ...(momentum === 0 ? [] : [range(2 * count + 1, count)])],
  dispatches({ inputs, attrs }, { place, cpu }) {
    const { count, momentum, dampening, weightDecay, nesterov } = attrs;
    const rate = inputs[2 * count]!;
    const groups = [inputs.slice(0, count), inputs.slice(count, 2 * count), inputs.slice(2 * count + 1)]
      .filter((group) => group.length > 0).map((group) => group.map(place));
    const parts = runs(groups).flatMap((run) => cpu ? chunks(run) : [run]);
    return parts.map((storages): Dispatch => {
      const size = Math.ceil(storages[0]!.size / 16);
      const common = { SIZE: size, WEIGHT_DECAY: weightDecay };
      return momentum === 0
        ? { kernel: sgdKernel, constants: common, bindings: [...storages, rate], grid: linearGrid(size, 256) }
        : {
          kernel: momentumKernel,
          constants: {
            ...common,
            MOMENTUM: momentum,
            DAMPENING: dampening,
            NESTEROV: nesterov,
            APART: cpu,
            IN_PLACE: !cpu,
          },
          bindings: [...storages, rate, ...(cpu ? [storages[0]!, storages[2]!] : [])],
          grid: linearGrid(size, 256),
        };
    });
  },
};

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** Joins tensors that follow each other in every group: one range of each group's block for every such run. */
function runs(groups: readonly (readonly Storage[])[]): Storage[][] {
  const joined: { first: number; end: number }[] = [];
  groups[0]!.forEach((_, i) => {
    const last = joined.at(-1);
    const follows = last && groups.every((group) => {
      const before = group[i - 1]!, here = group[i]!;
      return here.block === before.block && here.offset === before.offset + align(before.size);
    });
    if (follows) last.end = i + 1;
    else joined.push({ first: i, end: i + 1 });
  });
  return joined.map(({ first, end }) =>
    groups.map((group) => {
      const { block, offset } = group[first]!, last = group[end - 1]!;
      return { block, offset, size: last.offset + last.size - offset };
    })
  );
}

/** Parts that fit uniform buffers. */
function chunks(storages: readonly Storage[]): Storage[][] {
  const { size } = storages[0]!;
  return Array.from({ length: Math.ceil(size / UNIFORM_BYTES) }, (_, i) =>
    storages.map(({ block, offset }) => ({
      block,
      offset: offset + i * UNIFORM_BYTES,
      size: Math.min(size - i * UNIFORM_BYTES, UNIFORM_BYTES),
    })));
}

/** The parameters and buffers after a step of SGD, as PyTorch defines it. */
export function sgd(
  parameters: readonly Value[],
  gradients: readonly Value[],
  rate: Value,
  buffers: readonly Value[],
  attrs: Omit<SgdAttrs, "count">,
): readonly Value[] {
  return record(sgdOp, [...parameters, ...gradients, rate, ...buffers], { ...attrs, count: parameters.length });
}
