/**
 * F.interpolate against PyTorch, and what it refuses.
 */
import { assertThrows } from "@std/assert";
import { F, ShapeError, zeros } from "../../../src/mod.ts";
import { testGolden } from "../../support/spatial.ts";

testGolden("interpolate", ([x], options) => F.interpolate(x, options));

const x = zeros([1, 2, 3, 4]);
const wrong: [string, Parameters<typeof F.interpolate>[1], string][] = [
  ["nothing", {}, "interpolate: expected either size or scaleFactor, got neither"],
  ["both", { size: 2, scaleFactor: 2 }, "interpolate: expected either size or scaleFactor, got both"],
  ["a mode", { size: 2, mode: "bilinear" as never }, 'interpolate: mode must be "nearest", got "bilinear"'],
  ["a size of 0", { size: [0, 2] }, "interpolate: size"],
  [
    "a negative factor",
    { scaleFactor: [1, -1] },
    "interpolate: expected a scaleFactor above 0, or two of them, got [1, -1]",
  ],
  ["a small factor", { scaleFactor: 0.2 }, "interpolate: scaleFactor [0.2, 0.2] leaves nothing of input [1, 2, 3, 4]"],
  ["alignCorners", { size: 2, alignCorners: true } as never, 'interpolate: unknown option "alignCorners"'],
];
for (const [what, options, message] of wrong) {
  Deno.test(`interpolate() refuses ${what}`, () => {
    assertThrows(() => F.interpolate(x, options), ShapeError, message);
  });
}

Deno.test("interpolate() refuses three dimensions", () => {
  assertThrows(
    () => F.interpolate(zeros([2, 3, 4]), { size: 2 }),
    ShapeError,
    "interpolate: expected input [N, C, H, W]",
  );
});
