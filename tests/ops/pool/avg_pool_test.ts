/**
 * F.avgPool2d and F.adaptiveAvgPool2d against PyTorch, and what they refuse.
 */
import { assertThrows } from "@std/assert";
import { F, ShapeError, type Tensor, zeros } from "../../../src/mod.ts";
import { testGolden } from "../../support/spatial.ts";

testGolden("avgPool2d", ([x], { kernel, ...options }) => F.avgPool2d(x, kernel, options));
testGolden("adaptiveAvgPool2d", ([x], { outputSize }) => F.adaptiveAvgPool2d(x, outputSize));

const x = zeros([1, 2, 5, 6]);
const wrong: [string, () => Tensor, string][] = [
  ["three dimensions", () => F.avgPool2d(zeros([2, 5, 6]), 2), "avgPool2d: expected input [N, C, H, W], got [2, 5, 6]"],
  [
    "a large kernel",
    () => F.avgPool2d(x, 7),
    "avgPool2d: the kernel [7, 7] is larger than the padded input [1, 2, 5, 6]",
  ],
  [
    "much padding",
    () => F.avgPool2d(x, 3, { padding: 2 }),
    "avgPool2d: padding [2, 2] is more than half of the kernel [3, 3]",
  ],
  [
    "divisor 0",
    () => F.avgPool2d(x, 2, { divisorOverride: 0 }),
    "divisorOverride must be a whole number other than 0, got 0",
  ],
  ["ceil_mode", () => F.avgPool2d(x, 2, { ceil_mode: true } as never), 'avgPool2d: unknown option "ceil_mode"'],
  ["ceilMode 1", () => F.avgPool2d(x, 2, { ceilMode: 1 as never }), "avgPool2d: ceilMode must be true or false, got 1"],
  ["stride 0", () => F.avgPool2d(x, 2, { stride: 0 }), "avgPool2d: stride"],
  ["size 0", () => F.adaptiveAvgPool2d(x, 0), "adaptiveAvgPool2d: expected a size of 1 or more"],
  ["three sizes", () => F.adaptiveAvgPool2d(x, [1, 2, null] as never), "(null: as it is), got [1,2,null]"],
];
for (const [what, run, message] of wrong) {
  Deno.test(`avgPool2d() and adaptiveAvgPool2d() refuse ${what}`, () => {
    assertThrows(run, ShapeError, message);
  });
}
