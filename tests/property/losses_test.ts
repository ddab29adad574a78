/**
 * Gradients of losses, over random shapes and options, weights and targets included.
 */
import { F, type Tensor } from "../../src/mod.ts";
import { map, type Nd, nd, sumTo, zip } from "../support/array.ts";
import { toTensor } from "../support/gradcheck.ts";
import { binary, logSoftmax, mean, sum } from "../support/reference.ts";
import type { Options } from "../support/reference_ops.ts";
import { type Property, testProperties } from "./check.ts";
import type { Draw } from "./draw.ts";

const reduction = ["mean", "sum", "none"];
const reduced = (losses: Nd, { reduction = "mean" }: Options) =>
  reduction === "none" ? losses : reduction === "sum" ? sum(losses) : mean(losses);

/** Options whose arrays are tensors. */
const given = (options: Options) =>
  Object.fromEntries(Object.entries(options).map(([key, value]) => [key, value?.shape ? toTensor(value) : value]));

/** A loss of differences, of arguments that are broadcast together: `loss` of a difference, and its derivative. */
function difference(
  op: (x: Tensor, y: Tensor, options: Options) => Tensor,
  loss: (d: number, options: Options) => number,
  slope: (d: number, options: Options) => number,
  more: (layout: Draw) => object = () => ({}),
): Property {
  const term = (f: typeof loss, options: Options) => (x: Nd, y: Nd) => zip(x, y, (a, b) => f(a - b, options));
  return {
    op: ([x, y], options) => op(x!, y!, options),
    draw(layout, data) {
      const [a, b] = layout.broadcast(3);
      return {
        inputs: [data.values(a), data.values(b)],
        options: layout.some({ reduction: layout.pick(reduction), ...more(layout) }),
      };
    },
    reference: ([x, y], options) => reduced(term(loss, options)(x!, y!), options),
    gradients(dy, [x, y], options) {
      const d = term(slope, options)(x!, y!), mean = options["reduction"] ?? "mean";
      const dx = zip(d, mean === "mean" ? map(dy, (v) => v / d.data.length) : dy, binary.mul);
      return [sumTo(dx, x!.shape), sumTo(map(dx, (v) => -v), y!.shape)];
    },
  };
}

/** Σ over classes, of the losses of labels; ignored ones count nothing. p [N, C, …]: log-probabilities. */
function ofLabels(p: Nd, labels: Nd, options: Options): Nd {
  const { weight, ignoreIndex, labelSmoothing = 0 } = options, classes = p.shape[1]!;
  const inner = p.data.length / p.shape[0]! / classes, weightOf = (c: number): number => weight ? weight.data[c] : 1;
  const rows = Array.from(labels.data, (label, row) => {
    if (label === ignoreIndex) return { loss: 0, weight: 0 };
    const at = (c: number) => p.data[(Math.floor(row / inner) * classes + c) * inner + row % inner]!;
    const all = Array.from({ length: classes }, (_, c) => weightOf(c) * at(c)).reduce((a, b) => a + b, 0);
    const loss = -(1 - labelSmoothing) * weightOf(label) * at(label) - labelSmoothing / classes * all;
    return { loss, weight: weightOf(label) };
  });
  const losses = nd(labels.shape, rows.map(({ loss }) => loss));
  if (options["reduction"] === "none") return losses;
  const count = rows.reduce((total, { weight }) => total + weight, 0);
  return map(sum(losses), (total) => options["reduction"] === "sum" ? total : total / count);
}

const probabilities: Property["reference"] = ([x, t], options) => {
  const { weight, labelSmoothing = 0 } = options, classes = x!.shape[1]!;
  const smooth = map(t!, (v) => v * (1 - labelSmoothing) + labelSmoothing / classes);
  const weighted = zip(smooth, logSoftmax(x!, 1), binary.mul);
  const column = weight && nd([classes, ...x!.shape.slice(2).map(() => 1)], weight.data);
  return reduced(map(sum(column ? zip(weighted, column, binary.mul) : weighted, { dim: 1 }), (v) => -v), options);
};

/** Scores [N, C, …] with labels, or with probabilities of the same shape. */
const classes = (
  soft: boolean,
  op: Property["op"],
  reference: Property["reference"],
  smoothing: boolean,
): Property => ({
  op: op!,
  ...(soft ? {} : { integer: 1 }),
  draw(layout, data) {
    const [n, c, ...inner] = layout.shape(2, 4), rows = [n!, ...inner], ignored = !soft && layout.flip();
    const labels = data.whole(rows, c!);
    // Never the first: of nothing there is no mean.
    if (ignored) labels.data.forEach((_, i) => i > 0 && data.flip() && (labels.data[i] = 255));
    const options = {
      ...layout.some({
        reduction: layout.pick(reduction),
        weight: data.values([c!], 0.5, 2),
        ...(smoothing ? { labelSmoothing: 0.25 } : {}),
      }),
      ...(ignored ? { ignoreIndex: 255 } : {}),
    };
    const scores = data.values([n!, c!, ...inner]);
    return { inputs: [scores, soft ? data.values(scores.shape, 0, 1) : labels], options };
  },
  reference: reference!,
});

const crossEntropy: Property["op"] = ([x, y], options) => F.crossEntropy(x!, y!, given(options));

testProperties({
  mseLoss: difference(F.mseLoss, (d) => d * d, (d) => 2 * d),
  l1Loss: difference(F.l1Loss, Math.abs, Math.sign),
  smoothL1Loss: difference(
    F.smoothL1Loss,
    (d, { beta = 1 }) => Math.abs(d) < beta ? d * d / 2 / beta : Math.abs(d) - beta / 2,
    (d, { beta = 1 }) => Math.abs(d) < beta ? d / beta : Math.sign(d),
    (layout) => ({ beta: layout.pick([0.5, 2]) }),
  ),
  huberLoss: difference(
    F.huberLoss,
    (d, { delta = 1 }) => Math.abs(d) <= delta ? d * d / 2 : delta * (Math.abs(d) - delta / 2),
    (d, { delta = 1 }) => Math.abs(d) <= delta ? d : delta * Math.sign(d),
    (layout) => ({ delta: layout.pick([0.5, 2]) }),
  ),
  crossEntropy: classes(false, crossEntropy, ([x, y], o) => ofLabels(logSoftmax(x!, 1), y!, o), true),
  "crossEntropy, probabilities": classes(true, crossEntropy, probabilities, true),
  nllLoss: classes(false, ([p, y], o) => F.nllLoss(p!, y!, given(o)), ([p, y], o) => ofLabels(p!, y!, o), false),
  binaryCrossEntropyWithLogits: {
    op: ([x, t], options) => F.binaryCrossEntropyWithLogits(x!, t!, given(options)),
    draw(layout, data) {
      const shape = layout.shape(), part = shape.slice(layout.int(0, shape.length));
      const options = layout.some({
        reduction: layout.pick(reduction),
        weight: data.values(part, 0.5, 2),
        posWeight: data.values(part, 0.5, 2),
      });
      return { inputs: [data.values(shape), data.values(shape, 0, 1)], options };
    },
    reference([x, t], options) {
      const { weight = nd([], [1]), posWeight = nd([], [1]) } = options;
      const first = zip(zip(t!, posWeight, binary.mul), map(x!, (v) => Math.log1p(Math.exp(-v))), binary.mul);
      const second = zip(t!, x!, (t, x) => (1 - t) * Math.log1p(Math.exp(x)));
      return reduced(zip(zip(first, second, binary.add), weight, binary.mul), options);
    },
  },
});
