/**
 * F.pad, and padding of convolutions, against PyTorch, and what they refuse.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { F, nn, ShapeError, type Tensor, tensor, zeros } from "../../../src/mod.ts";
import { testGolden } from "../../support/spatial.ts";

testGolden("pad", ([x], { pads, ...options }) => F.pad(x, pads, options));
testGolden("conv2d", ([x, weight, bias], options) => F.conv2d(x, weight, bias, options));
testGolden("Conv2d", ([x, weight, bias], options) => {
  const [out, channels, ...kernel] = weight.shape as [number, number, number, number];
  const module = new nn.Conv2d(channels, out, kernel, options);
  return Object.assign(module, { weight, bias }).forward(x);
});

Deno.test("pad() with infinity, which no kernel holds as a constant, and of u32", async () => {
  const around = await F.pad(tensor([1, 2]), [1, 1], { value: -Infinity }).data();
  assertEquals([...around], [-Infinity, 1, 2, -Infinity]);
  assertEquals(
    await F.pad(tensor(Uint32Array.of(7, 8)), [0, 1], { value: 4294967295 }).data(),
    Uint32Array.of(7, 8, 4294967295),
  );
});

Deno.test("pad() by nothing changes nothing", async () => {
  assertEquals([...await F.pad(tensor([[1, 2]]), [0, 0, 0, 0]).data()], [1, 2]);
});

const x = zeros([1, 2, 3, 4]), w = zeros([1, 2, 3, 3]);
const wrong: [string, () => Tensor | nn.Module, string][] = [
  ["one number", () => F.pad(x, [1]), "pad: expected [left, right] or [left, right, top, bottom] in integers, got [1]"],
  ["a number", () => F.pad(x, 1 as never), "in integers, got 1"],
  ["halves", () => F.pad(x, [0.5, 1]), "in integers, got [0.5, 1]"],
  ["ten numbers", () => F.pad(x, new Array(10).fill(1)), "there are more than two numbers for each dimension"],
  ["all cut off", () => F.pad(x, [-2, -2]), "pad of [1, 2, 3, 4] by [-2, -2]: nothing would be left"],
  [
    "a mode",
    () => F.pad(x, [1, 1], { mode: "mirror" as never }),
    "pad: mode must be one of constant, reflect, replicate, circular",
  ],
  ["a text", () => F.pad(x, [1, 1], { value: "1" as never }), 'pad: value must be a number, got "1"'],
  ["a value", () => F.pad(x, [1, 1, 1, 1], { mode: "reflect", value: 1 }), 'pad: mode "reflect" takes no value, got 1'],
  [
    "6 reflected",
    () => F.pad(x, [1, 1, 1, 1, 1, 1], { mode: "reflect" }),
    'mode "reflect" takes [left, right] with 2 or 3',
  ],
  ["2 of 4-D", () => F.pad(x, [1, 1], { mode: "circular" }), 'mode "circular" takes [left, right] with 2 or 3'],
  [
    "far mirrors",
    () => F.pad(x, [0, 0, 3, 0], { mode: "reflect" }),
    'mode "reflect" takes 0 to 2 in dimension 2, got 3',
  ],
  [
    "far circles",
    () => F.pad(x, [0, 5, 0, 0], { mode: "circular" }),
    'mode "circular" takes 0 to 4 in dimension 3, got 5',
  ],
  ["cut edges", () => F.pad(x, [0, 0, -1, 0], { mode: "replicate" }), 'mode "replicate" takes 0 or more, got -1'],
  [
    "u32 edges",
    () => F.pad(zeros([1, 1, 2], { dtype: "u32" }), [1, 1], { mode: "replicate" }),
    "expected a tensor of f32",
  ],
  [
    "'full'",
    () => F.conv2d(x, w, null, { padding: "full" as never }),
    'padding must be numbers, "same" or "valid", got "full"',
  ],
  [
    "same, stride 2",
    () => F.conv2d(x, w, null, { padding: "same", stride: 2 }),
    'padding "same" takes stride 1, got [2, 2]',
  ],
  [
    "a padding mode",
    () => new nn.Conv2d(1, 1, 3, { paddingMode: "wrap" as never }),
    "Conv2d: paddingMode must be zeros",
  ],
];
for (const [what, run, message] of wrong) {
  Deno.test(`pad() and padding of convolutions refuse ${what}`, () => {
    assertThrows(run, ShapeError, message);
  });
}
