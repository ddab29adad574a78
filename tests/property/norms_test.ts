/**
 * Gradients of normalisations, over random shapes and options, with weights and biases or without.
 */
import { F, type Tensor } from "../../src/mod.ts";
import { map, type Nd, reshape, zip } from "../support/array.ts";
import { toTensor } from "../support/gradcheck.ts";
import { binary, mean } from "../support/reference.ts";
import type { Options } from "../support/reference_ops.ts";
import { type Property, testProperties } from "./check.ts";
import type { Draw } from "./draw.ts";

/** x [N, C, …] with at least three values for each mean: of fewer, rounding leaves little. */
function input(layout: Draw): number[] {
  return [layout.int(2, 3), layout.int(1, 4), ...layout.shape(0, 1), layout.int(3, 5)];
}

/** x and, or not, a weight and a bias of a shape. */
function affine(layout: Draw, data: Draw, x: Nd, shape: readonly number[]): Nd[] {
  const count = layout.int(0, 2);
  return [x, ...[data.values(shape, 0.5, 2), data.values(shape)].slice(0, count)];
}

/** (x − mean) / √(variance + eps). */
function scaled(x: Nd, mean: Nd, variance: Nd, eps: number): Nd {
  return zip(zip(x, mean, binary.sub), map(variance, (v) => Math.sqrt(v + eps)), binary.div);
}

/** The same, by the statistics of x over `dim`. */
function normalized(x: Nd, dim: number[], { eps = 1e-5 }: Options): Nd {
  const center = mean(x, { dim, keepdim: true }), squares = map(zip(x, center, binary.sub), (v) => v * v);
  return scaled(x, center, mean(squares, { dim, keepdim: true }), eps);
}

/** x weight + bias, each viewed as `shape`. */
function shifted(x: Nd, shape: readonly number[], weight?: Nd, bias?: Nd): Nd {
  const y = weight ? zip(x, reshape(weight, shape), binary.mul) : x;
  return bias ? zip(y, reshape(bias, shape), binary.add) : y;
}

const ofChannels = ({ shape }: Nd) => shape.map((extent, i) => i === 1 ? extent : 1);
const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, i) => from + i);
const optional = (x: Tensor | undefined) => x ?? null;

const batchNorm: Property = {
  op: ([x, w, b]: Tensor[], options: Options) =>
    F.batchNorm(x!, null, null, optional(w), optional(b), { training: true, ...options }),
  draw(layout, data) {
    const x = data.values(input(layout));
    return { inputs: affine(layout, data, x, [x.shape[1]!]), options: layout.some({ eps: 0.1 }) };
  },
  reference: ([x, w, b], options) =>
    shifted(normalized(x!, [0, ...upTo(x!.shape.length, 2)], options), ofChannels(x!), w, b),
};

testProperties({
  "batchNorm, in training": batchNorm,
  "batchNorm, by running statistics": {
    op: ([x, w, b], { running, ...options }) => {
      const [center, variance] = running.map((one: Nd) => toTensor(one));
      return F.batchNorm(x!, center, variance, optional(w), optional(b), options);
    },
    draw(layout, data) {
      const drawn = batchNorm.draw(layout, data), channels = [drawn.inputs[0]!.shape[1]!];
      return {
        ...drawn,
        options: { ...drawn.options, running: [data.values(channels), data.values(channels, 0.5, 2)] },
      };
    },
    reference([x, w, b], { running, eps = 1e-5 }) {
      const [center, variance] = running.map((one: Nd) => reshape(one, ofChannels(x!)));
      return shifted(scaled(x!, center, variance, eps), ofChannels(x!), w, b);
    },
  },
  groupNorm: {
    op: ([x, w, b], { groups, ...options }) => F.groupNorm(x!, groups, optional(w), optional(b), options),
    draw(layout, data) {
      const x = data.values(input(layout)), channels = x.shape[1]!;
      const groups = layout.pick(upTo(channels + 1, 1).filter((count) => channels % count === 0));
      return { inputs: affine(layout, data, x, [channels]), options: { groups, ...layout.some({ eps: 0.1 }) } };
    },
    reference([x, w, b], { groups, ...options }) {
      const n = x!.shape[0]!, sets = reshape(x!, [n, groups, x!.data.length / n / groups]);
      return shifted(reshape(normalized(sets, [2], options), x!.shape), ofChannels(x!), w, b);
    },
  },
  layerNorm: {
    op: ([x, w, b], { shape, ...options }) => F.layerNorm(x!, shape, optional(w), optional(b), options),
    draw(layout, data) {
      const x = data.values(input(layout)), last = x.shape.slice(layout.int(1, x.shape.length - 1));
      const shape = last.length === 1 && layout.flip() ? last[0]! : last;
      return { inputs: affine(layout, data, x, last), options: { shape, ...layout.some({ eps: 0.1 }) } };
    },
    reference([x, w, b], { shape, ...options }) {
      const own = [shape].flat(), rank = x!.shape.length;
      return shifted(normalized(x!, upTo(rank, rank - own.length), options), own, w, b);
    },
  },
});
