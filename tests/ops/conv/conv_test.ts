/**
 * F.conv2d over odd shapes, and with what usually follows it.
 */
import { F } from "../../../src/mod.ts";
import { map, type Nd } from "../../support/array.ts";
import { checkOp, gradcheck } from "../../support/gradcheck.ts";
import { uniform } from "../../support/random.ts";
import type { Options } from "../../support/reference_ops.ts";
import { unary } from "../../support/reference.ts";
import { conv2d, maxPool2d } from "../../support/reference_conv.ts";

/** [what, x [N, C, H, W], w [O, C/groups, kh, kw], options]; every second case has no bias. */
const cases: [string, number[], number[], Options?][] = [
  ["1x1 kernel, batch 3", [3, 6, 4, 5], [16, 6, 1, 1]],
  ["one channel in", [1, 1, 7, 9], [6, 1, 3, 3], { padding: 1 }],
  ["LeNet's first layer, batch 5", [5, 3, 12, 12], [6, 3, 5, 5]],
  ["LeNet's second layer, batch 3", [3, 6, 9, 9], [16, 6, 5, 5]],
  ["27 products a sum", [1, 3, 6, 6], [7, 3, 3, 3]],
  ["one channel out", [3, 16, 5, 4], [1, 16, 3, 3]],
  ["one channel in and out, one pixel", [1, 1, 1, 1], [1, 1, 1, 1]],
  ["stride 2, padding 2", [3, 1, 9, 8], [7, 1, 5, 5], { stride: 2, padding: 2 }],
  ["stride and padding in pairs, 1x5 kernel", [1, 7, 5, 9], [6, 7, 1, 5], { stride: [1, 2], padding: [0, 2] }],
  ["stride and padding in pairs, 5x1 kernel", [2, 2, 9, 5], [3, 2, 5, 1], { stride: [2, 1], padding: [2, 0] }],
  ["stride that leaves the last rows out", [1, 2, 8, 8], [3, 2, 3, 3], { stride: 3 }],
  ["stride larger than the kernel", [2, 2, 8, 7], [3, 2, 2, 2], { stride: 3 }],
  ["1x1 kernel, stride 2", [2, 3, 5, 6], [4, 3, 1, 1], { stride: 2 }],
  ["padding 2 around a 1x1 kernel", [1, 2, 3, 3], [3, 2, 1, 1], { padding: 2 }],
  ["padding as large as the kernel", [1, 2, 4, 3], [2, 2, 3, 3], { padding: 3, stride: 2 }],
  ["kernel as large as the image", [2, 3, 5, 5], [1, 3, 5, 5]],
  ["kernel larger than the image", [1, 2, 3, 2], [3, 2, 5, 5], { padding: [1, 2] }],
  ["dilation 2", [2, 3, 9, 8], [4, 3, 3, 3], { dilation: 2, padding: 1 }],
  ["dilation and stride in pairs", [1, 2, 9, 8], [3, 2, 3, 2], { dilation: [2, 3], stride: [2, 1] }],
  ["groups 2", [3, 6, 5, 6], [16, 3, 3, 3], { groups: 2 }],
  ["depthwise", [1, 16, 6, 7], [16, 1, 3, 3], { groups: 16, padding: 1 }],
  ["depthwise with two filters a channel, stride 2", [2, 6, 5, 5], [12, 1, 3, 3], { groups: 6, stride: 2 }],
  ["1x1 kernel, groups 3", [2, 6, 3, 3], [9, 2, 1, 1], { groups: 3 }],
  ["every option", [2, 6, 9, 11], [9, 2, 3, 2], { groups: 3, stride: [2, 1], padding: [1, 2], dilation: [1, 2] }],
  ["batch 33", [33, 3, 7, 7], [6, 3, 3, 3]],
  ["32 channels", [2, 32, 8, 8], [32, 32, 3, 3], { padding: 1 }],
  ["wide image", [1, 4, 5, 67], [8, 4, 3, 3], { padding: 1 }],
];

cases.forEach(([what, x, w, options], i) => {
  const bias = i % 2 === 0 ? [uniform(30 + i, [w[0]!])] : [];
  Deno.test(`conv2d() and its gradients: ${what}${bias.length > 0 ? "" : ", no bias"}`, () =>
    checkOp("conv2d", [uniform(10 + i, x), uniform(20 + i, w, 0.5), ...bias], options));
});

const relu = (x: Nd) => map(x, unary.relu);

for (
  const [what, x, w, pool] of [
    ["as in LeNet", [2, 3, 8, 8], [6, 3, 5, 5], 2],
    ["odd image", [3, 2, 8, 9], [5, 2, 3, 3], 2],
    ["pool 3", [1, 2, 11, 10], [3, 2, 3, 3], 3],
  ] as const
) {
  Deno.test(`conv2d() then relu then max-pool: ${what}`, () =>
    gradcheck({
      inputs: [uniform(1, x), uniform(2, w, 0.5), uniform(3, [w[0]], 0.5)],
      op: (x, w, b) => F.maxPool2d(F.relu(F.conv2d(x, w, b)), pool),
      reference: (x, w, b) => maxPool2d(relu(conv2d(x, w, b)), pool).y,
    }));
}

Deno.test("conv2d() then relu then max-pool, where the relu is used again", () =>
  gradcheck({
    inputs: [uniform(4, [1, 2, 6, 6]), uniform(5, [3, 2, 3, 3]), uniform(6, [3])],
    op: (x, w, b) => {
      const y = F.relu(F.conv2d(x, w, b));
      return F.maxPool2d(y, 2).sum().add(y.mul(y));
    },
    reference: (x, w, b) => {
      const y = relu(conv2d(x, w, b)), total = maxPool2d(y, 2).y.data.reduce((a, v) => a + v, 0);
      return map(y, (v) => total + v * v);
    },
  }));

Deno.test("conv2d() of one tensor as input and weight adds both gradients", () =>
  gradcheck({
    inputs: [uniform(7, [2, 2, 3, 3])],
    op: (x) => F.conv2d(x, x, undefined, { padding: 1 }),
    reference: (x) => conv2d(x, x, undefined, { padding: 1 }),
  }));
