/**
 * F.convTranspose2d against PyTorch, and what it refuses.
 */
import { assertThrows } from "@std/assert";
import { F, nn, ShapeError, type Tensor, zeros } from "../../../src/mod.ts";
import { testGolden } from "../../support/spatial.ts";

testGolden("convTranspose2d", ([x, weight, bias], options) => F.convTranspose2d(x, weight, bias, options));

const x = zeros([1, 2, 3, 3]), w = zeros([2, 3, 2, 2]);
const wrong: [string, () => Tensor | nn.Module, string][] = [
  ["other channels", () => F.convTranspose2d(x, zeros([3, 2, 2, 2])), "convTranspose2d: the channels do not fit"],
  ["odd groups", () => F.convTranspose2d(x, w, null, { groups: 3 }), "convTranspose2d: the channels do not fit"],
  [
    "a matrix",
    () => F.convTranspose2d(x, zeros([2, 3])),
    "convTranspose2d: expected input [N, C, H, W] and weight [C, O/groups",
  ],
  ["a bias", () => F.convTranspose2d(x, w, zeros([2])), "convTranspose2d: bias [2] does not fit 3 output channels"],
  [
    "options for a bias",
    () => F.convTranspose2d(x, w, { stride: 2 } as never),
    "write convTranspose2d(x, weight, null, { stride",
  ],
  [
    "much padding",
    () => F.convTranspose2d(x, w, null, { padding: 2 }),
    "convTranspose2d: nothing is left within the padding [2, 2]",
  ],
  [
    "output padding",
    () => F.convTranspose2d(x, w, null, { outputPadding: 1 }),
    "outputPadding [1, 1] must be less than stride [1, 1]",
  ],
  ["groups", () => F.convTranspose2d(x, w, null, { groups: 0 }), "convTranspose2d: groups must be 1 or more, got 0"],
  ["an option", () => F.convTranspose2d(x, w, null, { output_padding: 1 } as never), 'unknown option "output_padding"'],
  ["channels", () => new nn.ConvTranspose2d(3, 4, 2, { groups: 2 }), "3 and 4 channels do not divide into 2 groups"],
  [
    "padding modes",
    () => new nn.ConvTranspose2d(3, 4, 2, { paddingMode: "reflect" } as never),
    'unknown option "paddingMode"',
  ],
];
for (const [what, run, message] of wrong) {
  Deno.test(`convTranspose2d() refuses ${what}`, () => {
    assertThrows(run, ShapeError, message);
  });
}
