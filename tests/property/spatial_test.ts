/**
 * Gradients of ops about height and width, and of those that join tensors and take them apart, over random shapes.
 */
import { cat, chunk, F, narrow, split, stack } from "../../src/mod.ts";
import { coordinates, filled, type Nd, nd, offsetOf, reshape, stridesOf } from "../support/array.ts";
import type { Options } from "../support/reference_ops.ts";
import { type Property, testProperties } from "./check.ts";
import type { Draw } from "./draw.ts";

const both = (value: unknown, otherwise: number) =>
  (typeof value === "number" ? [value, value] : value ?? [otherwise, otherwise]) as [number, number];

/** y of `shape`, each element the one of x at the coordinate that `from` gives; `otherwise` where it gives null. */
function gather(x: Nd, shape: number[], from: (at: number[]) => number[] | null, otherwise = 0): Nd {
  const strides = stridesOf(x.shape);
  const pick = (at: number[] | null) => at ? x.data[offsetOf(at, strides)]! : otherwise;
  return nd(shape, Array.from(coordinates(shape), (at) => pick(from(at))));
}

/** The means of windows of x [N, C, H, W]; `spans` has the start and end of each, by axis, and its divisor. */
function averages(x: Nd, spans: [start: number, end: number][][], divisor: (i: number, j: number) => number): Nd {
  const [n, c] = x.shape as [number, number], [down, across] = spans as [[number, number][], [number, number][]];
  const strides = stridesOf(x.shape), shape = [n, c, down.length, across.length];
  return nd(
    shape,
    Array.from(coordinates(shape), ([image, channel, i, j]) => {
      let total = 0;
      for (let row = down[i!]![0]; row < down[i!]![1]; row++) {
        for (let column = across[j!]![0]; column < across[j!]![1]; column++) {
          total += x.data[offsetOf([image!, channel!, row, column], strides)]!;
        }
      }
      return total / divisor(i!, j!);
    }),
  );
}

const avgPool2d: Property = {
  op: ([x], { kernel, ...options }) => F.avgPool2d(x!, kernel, options),
  draw(layout, data) {
    const kernel = layout.pair(1, 3), [kh, kw] = both(kernel, 1);
    const options = layout.some({
      stride: layout.pair(1, 3),
      padding: [layout.int(0, Math.floor(kh / 2)), layout.int(0, Math.floor(kw / 2))],
      ceilMode: layout.flip(),
      countIncludePad: layout.flip(),
      ...(layout.int(0, 3) === 0 ? { divisorOverride: 3 } : {}),
    });
    const size = [kh + layout.int(0, 4), kw + layout.int(0, 4)];
    return { inputs: [data.values([layout.int(1, 2), layout.int(1, 3), ...size])], options: { kernel, ...options } };
  },
  reference([x], options) {
    const { ceilMode = false, countIncludePad = true, divisorOverride } = options, size = x!.shape.slice(2);
    const kernel = both(options["kernel"], 1), stride = both(options["stride"] ?? kernel, 1);
    const padding = both(options["padding"], 0);
    const whole: number[][] = [];
    const spans = size.map((extent, axis) => {
      const k = kernel[axis]!, s = stride[axis]!, p = padding[axis]!;
      let count = (ceilMode ? Math.ceil : Math.floor)((extent + 2 * p - k) / s) + 1;
      if (ceilMode && (count - 1) * s >= extent + p) count--;
      const starts = Array.from({ length: count }, (_, i) => i * s - p);
      whole.push(starts.map((start) => Math.min(start + k, extent + p) - start));
      return starts.map((start): [number, number] => [Math.max(start, 0), Math.min(start + k, extent)]);
    });
    const inside = (axis: number, i: number) => spans[axis]![i]![1] - spans[axis]![i]![0];
    return averages(x!, spans, (i, j) => {
      return divisorOverride ?? (countIncludePad ? whole[0]![i]! * whole[1]![j]! : inside(0, i) * inside(1, j));
    });
  },
};

const image = (layout: Draw, least = 1) =>
  [layout.int(1, 2), layout.int(1, 3)].concat([0, 0].map(() => layout.int(least, 6)));

const adaptiveAvgPool2d: Property = {
  op: ([x], { size }) => F.adaptiveAvgPool2d(x!, size),
  draw: (layout, data) => ({ inputs: [data.values(image(layout))], options: { size: layout.pair(1, 7) } }),
  reference([x], { size }) {
    const spans = both(size, 1).map((count, axis) => {
      const extent = x!.shape[2 + axis]!;
      return Array.from({ length: count }, (_, i): [number, number] => {
        return [Math.floor(i * extent / count), Math.ceil((i + 1) * extent / count)];
      });
    });
    const length = (axis: number, i: number) => spans[axis]![i]![1] - spans[axis]![i]![0];
    return averages(x!, spans, (i, j) => length(0, i) * length(1, j));
  },
};

const interpolate: Property = {
  op: ([x], options) => F.interpolate(x!, options),
  draw(layout, data) {
    const factor = () => layout.pick([0.5, 1, 1.5, 2, 3]);
    const scaleFactor = layout.flip() ? factor() : [factor(), factor()];
    const options = layout.flip() ? { size: layout.pair(1, 8) } : { scaleFactor };
    return { inputs: [data.values(image(layout, 2))], options };
  },
  reference([x], { size, scaleFactor }) {
    const own = x!.shape.slice(2), factors = both(scaleFactor, 1);
    const to = size ? both(size, 1) : own.map((extent, axis) => Math.floor(extent * factors[axis]!));
    const source = (i: number, axis: number) => Math.floor(size ? i * own[axis]! / to[axis]! : i / factors[axis]!);
    return gather(x!, [...x!.shape.slice(0, 2), ...to], ([n, c, i, j]) => [n!, c!, source(i!, 0), source(j!, 1)]);
  },
};

/** The index in `extent` elements that index `i` beside or among them stands for; null outside of "constant". */
function padded(i: number, extent: number, mode: string): number | null {
  if (i >= 0 && i < extent) return i;
  if (mode === "replicate") return i < 0 ? 0 : extent - 1;
  if (mode === "reflect") return i < 0 ? -i : 2 * (extent - 1) - i;
  return mode === "circular" ? (i + extent) % extent : null;
}

const pad: Property = {
  op: ([x], { pads, ...options }) => F.pad(x!, pads, options),
  draw(layout, data) {
    const mode = layout.pick(["constant", "constant", "reflect", "replicate", "circular"]);
    if (mode === "constant") {
      const shape = layout.shape(1), count = layout.int(1, shape.length);
      const pads = Array.from({ length: 2 * count }, (_, i) => {
        return layout.int(shape.at(-1 - Math.floor(i / 2))! > 2 ? -1 : 0, 2);
      });
      return { inputs: [data.values(shape)], options: { pads, ...layout.some({ mode, value: 0.5 }) } };
    }
    const shape = [...layout.shape(1, 2), layout.int(2, 5), layout.int(2, 5)],
      count = shape.length === 3 ? layout.int(1, 2) : 2;
    return {
      inputs: [data.values(shape)],
      options: { mode, pads: Array.from({ length: 2 * count }, () => layout.int(0, 1)) },
    };
  },
  reference([x], { pads, mode = "constant", value = 0 }) {
    const before = x!.shape.map((_, axis) => pads[2 * (x!.shape.length - 1 - axis)] ?? 0);
    const shape = x!.shape.map((n, axis) => n + before[axis]! + (pads[2 * (x!.shape.length - 1 - axis) + 1] ?? 0));
    const from = (at: number[]) => at.map((i, axis) => padded(i - before[axis]!, x!.shape[axis]!, mode));
    return gather(x!, shape, (at) => from(at).includes(null) ? null : from(at) as number[], value);
  },
};

const convTranspose2d: Property = {
  op: ([x, w, b], options) => F.convTranspose2d(x!, w!, b ?? null, options),
  draw(layout, data) {
    const groups = layout.pick([1, 1, 2, 3]), kernel = [layout.int(1, 3), layout.int(1, 3)];
    const stride = layout.int(1, 3);
    const options = layout.some({
      groups,
      dilation: layout.pair(1, 2),
      padding: kernel.map((k) => layout.int(0, Math.floor((k - 1) / 2))),
    });
    const own = (options["groups"] ?? 1) as number, inputs = layout.int(1, 2) * own, outputs = layout.int(1, 2);
    const size = [layout.int(1, 4), layout.int(1, 4)];
    return {
      inputs: [
        data.values([layout.int(1, 2), inputs, ...size]),
        data.values([inputs, outputs, ...kernel]),
        ...(layout.flip() ? [data.values([outputs * own])] : []),
      ],
      options: { ...options, ...(stride > 1 ? { stride, outputPadding: layout.int(0, stride - 1) } : {}) },
    };
  },
  reference: ([x, w, b], options) => transposed(x!, w!, b, options),
};

/** Each element of x, times the kernel, added to y where it falls. */
function transposed(x: Nd, w: Nd, b: Nd | undefined, options: Options): Nd {
  const [n, c, ...size] = x.shape as [number, number, number, number], { groups = 1 } = options;
  const [, perGroup, ...kernel] = w.shape as [number, number, number, number];
  const [s, p, d, extra] = [
    both(options["stride"], 1),
    both(options["padding"], 0),
    both(options["dilation"], 1),
    both(options["outputPadding"], 0),
  ];
  const to = size.map((extent, i) => (extent - 1) * s[i]! - 2 * p[i]! + d[i]! * (kernel[i]! - 1) + extra[i]! + 1);
  const y = filled([n, perGroup * groups, ...to]), strides = stridesOf(y.shape), weights = stridesOf(w.shape);
  let i = 0;
  for (const [image, channel, row, column] of coordinates(x.shape)) {
    const value = x.data[i++]!, group = Math.floor(channel! / (c / groups));
    for (const [o, u, v] of coordinates([perGroup, ...kernel])) {
      const at = [row! * s[0] - p[0] + u! * d[0], column! * s[1] - p[1] + v! * d[1]];
      if (at.some((k, axis) => k < 0 || k >= to[axis]!)) continue;
      const place = offsetOf([image!, group * perGroup + o!, ...at], strides);
      y.data[place]! += value * w.data[offsetOf([channel!, o!, u!, v!], weights)]!;
    }
  }
  const plane = to[0]! * to[1]!;
  return b ? nd(y.shape, y.data.map((value, k) => value + b.data[Math.floor(k / plane) % b.data.length]!)) : y;
}

// --- joining and taking apart ----------------------------------------------------------------------------------------

/** Arrays one behind the other along dimension `axis`. */
function joined(parts: readonly Nd[], axis: number): Nd {
  const ends = parts.map((_, k) => parts.slice(0, k + 1).reduce((sum, part) => sum + part.shape[axis]!, 0));
  const shape = parts[0]!.shape.with(axis, ends.at(-1)!);
  return nd(
    shape,
    Array.from(coordinates(shape), (at) => {
      const k = ends.findIndex((end) => at[axis]! < end), part = parts[k]!;
      return part.data[offsetOf(at.with(axis, at[axis]! - (ends[k - 1] ?? 0)), stridesOf(part.shape))]!;
    }),
  );
}

/** `length` elements along `axis`. */
const cut = (x: Nd, axis: number, start: number, length: number) =>
  gather(x, x.shape.with(axis, length), (at) => at.with(axis, at[axis]! + start));

const front = (dim: number, rank: number) => dim < 0 ? dim + rank : dim;

const joining: Record<string, Property> = {
  cat: {
    op: (inputs, { dim }) => cat(inputs, dim),
    draw(layout, data) {
      const shape = layout.shape(1), dim = layout.dim(shape), axis = front(dim, shape.length);
      const inputs = Array.from({ length: layout.int(1, 4) }, () => data.values(shape.with(axis, layout.extent())));
      return { inputs, options: { dim } };
    },
    reference: (inputs, { dim }) => joined(inputs, front(dim, inputs[0]!.shape.length)),
  },
  stack: {
    op: (inputs, { dim }) => stack(inputs, dim),
    draw(layout, data) {
      const shape = layout.shape(0, 3), inputs = Array.from({ length: layout.int(1, 4) }, () => data.values(shape));
      return { inputs, options: { dim: layout.int(-shape.length - 1, shape.length) } };
    },
    reference(inputs, { dim }) {
      const { shape } = inputs[0]!, axis = front(dim, shape.length + 1);
      return joined(inputs.map((x) => reshape(x, shape.toSpliced(axis, 0, 1))), axis);
    },
  },
  narrow: {
    op: ([x], { dim, start, length }) => narrow(x!, dim, start, length),
    draw(layout, data) {
      const shape = layout.shape(1), dim = layout.dim(shape), extent = shape.at(dim)!, length = layout.int(1, extent);
      const start = layout.int(0, extent - length);
      return {
        inputs: [data.values(shape)],
        options: { dim, length, start: layout.flip() && start ? start - extent : start },
      };
    },
    reference([x], { dim, start, length }) {
      const axis = front(dim, x!.shape.length);
      return cut(x!, axis, start < 0 ? start + x!.shape[axis]! : start, length);
    },
  },
  // Joined again, in reverse, but for the first part: nothing flows into that, if there are others.
  split: parts(({ size, dim }, x) => split(x, size, dim), ({ size }) => size),
  chunk: parts(({ size, dim }, x) => chunk(x, size, dim), ({ size }, extent) => Math.ceil(extent / size)),
};

function parts(
  op: (options: Options, x: Parameters<typeof split>[0]) => ReturnType<typeof split>,
  lengthOf: (options: Options, extent: number) => number,
): Property {
  const rest = <T>(all: T[]) => all.length > 1 ? all.slice(1).reverse() : all;
  return {
    op: ([x], options) => cat(rest(op(options, x!)), options["dim"]),
    draw(layout, data) {
      const shape = layout.shape(1), dim = layout.dim(shape);
      return { inputs: [data.values(shape)], options: { dim, size: layout.int(1, shape.at(dim)!) } };
    },
    reference([x], options) {
      const axis = front(options["dim"], x!.shape.length), extent = x!.shape[axis]!, length = lengthOf(options, extent);
      const starts = Array.from({ length: Math.ceil(extent / length) }, (_, i) => i * length);
      return joined(rest(starts.map((start) => cut(x!, axis, start, Math.min(length, extent - start)))), axis);
    },
  };
}

testProperties({ avgPool2d, adaptiveAvgPool2d, interpolate, pad, convTranspose2d, ...joining });
