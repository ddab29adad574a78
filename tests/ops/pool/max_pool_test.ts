/**
 * F.maxPool2d: overlap, padding, gaps, images that the windows do not divide, and ties.
 */
import { checkOp } from "../../support/gradcheck.ts";
import { uniform, whole } from "../../support/random.ts";
import type { Options } from "../../support/reference_ops.ts";

const cases: [string, number[], Options][] = [
  ["kernel 2", [3, 6, 8, 6], { kernel: 2 }],
  ["kernel 2, odd image", [1, 5, 7, 9], { kernel: 2 }],
  ["kernel 2, stride 1", [2, 1, 4, 5], { kernel: 2, stride: 1 }],
  ["kernel 2, stride 3: gaps", [1, 2, 9, 8], { kernel: 2, stride: 3 }],
  ["kernel 3, stride 2, padding 1", [5, 3, 7, 8], { kernel: 3, stride: 2, padding: 1 }],
  ["kernel 3, stride 1, padding 1", [1, 2, 5, 4], { kernel: 3, stride: 1, padding: 1 }],
  ["kernel 3, image 8", [2, 3, 8, 8], { kernel: 3 }],
  ["kernel 5, stride 1, padding 2", [1, 1, 6, 5], { kernel: 5, stride: 1, padding: 2 }],
  ["kernel 1, stride 2", [2, 2, 5, 4], { kernel: 1, stride: 2 }],
  ["kernel as large as the image", [3, 7, 4, 4], { kernel: 4 }],
  ["pairs", [1, 3, 6, 9], { kernel: [2, 3], stride: [1, 2], padding: [1, 0] }],
];

for (const [what, shape, options] of cases) {
  Deno.test(`maxPool2d() and its gradient: ${what}`, () => checkOp("maxPool2d", [uniform(1, shape)], options));
  Deno.test(`maxPool2d() sends the gradient of a tie to the first maximum: ${what}`, () =>
    checkOp("maxPool2d", [whole(2, shape, 1)], options, { smooth: false }));
}
