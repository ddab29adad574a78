/**
 * Gradients of products, convolutions and pools, over random shapes and options.
 */
import type { Nd } from "../support/array.ts";
import { type Property, testProperties } from "./check.ts";

/** A number or two, as two. */
const both = (value: unknown) => (typeof value === "number" ? [value, value] : value ?? [0, 0]) as number[];

const conv2d: Property = {
  draw(layout, data) {
    const groups = layout.pick([1, 1, 2, 3]), kernel = [layout.int(1, 3), layout.int(1, 3)];
    const options = layout.some({
      stride: layout.pair(1, 3),
      padding: layout.pair(0, 2),
      dilation: layout.pair(1, 2),
      groups,
    });
    const own = (options["groups"] ?? 1) as number, [ph, pw] = both(options["padding"]);
    const size = kernel.map((k, i) => {
      const dilation = (both(options["dilation"] ?? 1))[i]!;
      return Math.max(1, dilation * (k - 1) + 1 - 2 * [ph, pw][i]!) + layout.int(0, 4);
    });
    const inputs = layout.int(1, 2) * own, outputs = layout.int(1, 2) * own;
    const bias: Nd[] = layout.flip() ? [data.values([outputs])] : [];
    return {
      inputs: [
        data.values([layout.int(1, 2), inputs, ...size]),
        data.values([outputs, inputs / own, ...kernel]),
        ...bias,
      ],
      options,
    };
  },
};

const maxPool2d: Property = {
  draw(layout, data) {
    const kernel = layout.pair(1, 3), [kh, kw] = both(kernel);
    const padding = [layout.int(0, Math.floor(kh! / 2)), layout.int(0, Math.floor(kw! / 2))];
    const size = [kh! + layout.int(0, 4), kw! + layout.int(0, 4)];
    return {
      inputs: [data.values([layout.int(1, 2), layout.int(1, 3), ...size])],
      options: { kernel, ...layout.some({ stride: layout.pair(1, 3), padding }) },
    };
  },
};

const matmul: Property = {
  draw(layout, data) {
    const [m, k, n] = [layout.extent(), layout.extent(), layout.extent()], [a, b] = layout.broadcast(2);
    const left = layout.int(0, 5) === 0 ? [k] : [...a, m, k];
    const right = layout.int(0, 5) === 0 ? [k] : [...b, k, n];
    return { inputs: [data.values(left), data.values(right)] };
  },
};

const linear: Property = {
  draw(layout, data) {
    const [inputs, outputs] = [layout.extent(), layout.extent()];
    const bias = layout.flip() ? [data.values([outputs])] : [];
    return { inputs: [data.values([...layout.shape(0, 3), inputs]), data.values([outputs, inputs]), ...bias] };
  },
};

testProperties({ matmul, linear, conv2d, maxPool2d });
