/**
 * cat, stack, narrow, split and chunk against PyTorch, and what they refuse.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { cat, chunk, narrow, ShapeError, split, stack, tensor, zeros } from "../../../src/mod.ts";
import { testGolden } from "../../support/spatial.ts";

testGolden("cat", (inputs, { dim }) => cat(inputs, dim));
testGolden("stack", (inputs, { dim }) => stack(inputs, dim));
testGolden("narrow", ([x], { dim, start, length }) => narrow(x, dim, start, length));
testGolden("split", ([x], { sizes, dim }) => cat(split(x, sizes, dim).reverse(), dim));
testGolden("chunk", ([x], { chunks, dim }) => cat(chunk(x, chunks, dim).reverse(), dim));

Deno.test("cat() and its like count dimensions from 0 by default, and take u32", async () => {
  const [a, b] = [tensor(Uint32Array.of(1, 2)), tensor(Uint32Array.of(4294967295))];
  assertEquals(await cat([a, b]).data(), Uint32Array.of(1, 2, 4294967295));
  assertEquals(stack([a, a]).shape, [2, 2]);
  assertEquals(await narrow(cat([a, b]), 0, 2, 1).data(), Uint32Array.of(4294967295));
  assertEquals(split(zeros([5, 2]), 2).map((part) => part.shape[0]), [2, 2, 1]);
  assertEquals(chunk(zeros([5, 2]), 4).map((part) => part.shape[0]), [2, 2, 1]);
});

Deno.test("cat() of one tensor twice, of the result of another, and of more than a kernel binds", async () => {
  const x = tensor([1, 2], { requiresGrad: true }), many = cat(Array.from({ length: 12 }, () => x));
  cat([many, x.mul(3)]).backward(tensor(Array.from({ length: 26 }, (_, i) => i)));
  assertEquals([...await x.grad!.data()], [132 + 72, 144 + 75]);
  assertEquals([...await many.data()], Array.from({ length: 24 }, (_, i) => 1 + i % 2));
});

Deno.test("split() and narrow() have PyTorch's names of gradients", () => {
  const x = zeros([4], { requiresGrad: true });
  const name = (x: { gradFn: { name: string } | null }) => x.gradFn!.name;
  assertEquals([narrow(x, 0, 1, 2), split(x, 2)[0]!, chunk(x, 2)[1]!, split(x, [1, 3])[1]!].map(name), [
    "SliceBackward0",
    "SplitBackward0",
    "SplitBackward0",
    "SplitWithSizesBackward0",
  ]);
});

const x = zeros([2, 3]);
const wrong: [string, () => unknown, string][] = [
  ["nothing", () => cat([]), "cat: expected an array of tensors, got an empty array"],
  ["a tensor", () => cat(x as never), "cat: expected an array of tensors, got a Tensor"],
  ["a number", () => stack([x, 1 as never]), "stack: expected a Tensor, got 1"],
  ["other shapes", () => cat([x, zeros([2, 4])]), "cat: [2, 3] of f32 and [2, 4] of f32 do not join along dimension 0"],
  ["other ranks", () => cat([x, zeros([3])], 1), "do not join along dimension 1"],
  ["other types", () => cat([x, zeros([2, 3], { dtype: "u32" })]), "[2, 3] of f32 and [2, 3] of u32 do not join"],
  ["scalars", () => cat([tensor(1), tensor(2)]), "cat: tensors without dimensions do not join; use stack"],
  ["a dimension", () => cat([x, x], 2), "cat: dimension 2 is out of range"],
  ["other stacks", () => stack([x, zeros([1, 3])]), "stack: [2, 3] of f32 and [1, 3] of f32 do not join"],
  ["a stack's dimension", () => stack([x, x], 3), "stack: dimension 3 is out of range"],
  ["a start", () => narrow(x, 1, 3, 1), "narrow: 1 elements from 3 on are not in dimension 1 of [2, 3]"],
  ["a length", () => narrow(x, 1, 1, 3), "narrow: 3 elements from 1 on are not in dimension 1 of [2, 3]"],
  ["length 0", () => narrow(x, 0, 0, 0), "narrow: 0 elements from 0 on"],
  ["parts of 0", () => split(x, 0), "split: expected a length of 1 or more, or a list of them, got [0]"],
  ["a text", () => split(x, "2" as never), 'split: expected a length of 1 or more, or a list of them, got "2"'],
  ["a wrong sum", () => split(x, [1, 1], 1), "split: [1, 1] do not add up to 3, the extent of dimension 1"],
  ["parts of a scalar", () => split(tensor(1), 1), "split: a tensor without dimensions has no parts"],
  ["no chunks", () => chunk(x, 0), "chunk: expected a number of chunks of 1 or more, got 0"],
];
for (const [what, run, message] of wrong) {
  Deno.test(`cat() and its like refuse ${what}`, () => {
    assertThrows(run, ShapeError, message);
  });
}
