import { assert, assertEquals, assertThrows } from "@std/assert";
import { CIFAR10_LAYOUT } from "../../src/data/cifar.ts";
import { ADVANCE, drawText, LINE_HEIGHT } from "../../src/image/font.ts";
import { drawInTerminal, halfBlocks } from "../../src/image/terminal.ts";
import { enlarge, makeGrid, withCaption } from "../../src/image/grid.ts";
import { imageOf } from "../../src/data/records.ts";
import { decodeRgbPng, encodeRgbPng } from "../../src/image/rgb_png.ts";
import type { RgbImage } from "../../src/image/pixels.ts";
import { DataError } from "../../src/errors.ts";
import { makeRecords } from "../data/fixtures.ts";

/** An image of one colour. */
const plain = (width: number, height: number, ...rgb: number[]): RgbImage => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => rgb[i % 3]!),
});

const pixel = ({ width, data }: RgbImage, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

Deno.test("encodeRgbPng() and decodeRgbPng() are inverse", () => {
  const image = { width: 5, height: 3, data: makeRecords(1).slice(0, 45) };
  assertEquals(decodeRgbPng(encodeRgbPng(image), "a.png"), image);
});

Deno.test("decodeRgbPng() refuses what is not an 8-bit RGB PNG, or is damaged", () => {
  assertThrows(() => decodeRgbPng(new Uint8Array(50), "a.png"), DataError, "a.png: not a readable PNG");
  const bytes = encodeRgbPng(plain(8, 8, 1, 2, 3));
  assertThrows(() => decodeRgbPng(bytes.subarray(0, 60), "a.png"), DataError, "a.png: not a readable PNG");
  const damaged = bytes.slice();
  damaged[45]! ^= 1;
  assertThrows(() => decodeRgbPng(damaged, "a.png"), DataError, "a.png: not a readable PNG");
});

Deno.test("imageOf() interleaves the planes of a record", () => {
  const records = makeRecords(2), pixels = new Uint8Array([...records.subarray(1, 3073), ...records.subarray(3074)]);
  const batch = { count: 2, labels: new Uint8Array(2), pixels };
  const image = imageOf(batch, 1, CIFAR10_LAYOUT.shape);
  assertEquals([image.width, image.height], [32, 32]);
  for (const [x, y] of [[0, 0], [31, 0], [0, 31], [13, 7]] as const) {
    assertEquals(pixel(image, x, y), [0, 1, 2].map((channel) => pixels[3072 + channel * 1024 + y * 32 + x]));
  }
  assertThrows(() => imageOf(batch, 2, CIFAR10_LAYOUT.shape), RangeError, "no image 2 in a batch of 2");
});

Deno.test("makeGrid() has the layout of torchvision's make_grid", () => {
  const images = Array.from({ length: 5 }, (_, i) => plain(4, 3, 50 + i, 0, 0));
  // torchvision: make_grid(tensor of [5, 3, 3, 4], nrow=3, padding=2) is [3, 12, 20].
  const grid = makeGrid(images, { columns: 3, padding: 2, background: 9 });
  assertEquals([grid.width, grid.height], [20, 12]);
  for (const [i, [x, y]] of [[2, 2], [8, 2], [14, 2], [2, 7], [8, 7]].entries()) {
    assertEquals(pixel(grid, x!, y!), [50 + i, 0, 0]);
    assertEquals(pixel(grid, x! + 3, y! + 2), [50 + i, 0, 0]);
    assertEquals(pixel(grid, x! - 1, y!), [9, 9, 9]);
    assertEquals(pixel(grid, x!, y! - 1), [9, 9, 9]);
  }
  assertEquals(pixel(grid, 14, 7), [9, 9, 9], "the rest of the last row is background");
  // Fewer images than columns: no empty columns.
  assertEquals(makeGrid(images.slice(0, 2), { columns: 8 }).width, 14);
  assertThrows(() => makeGrid([]), RangeError, "no images");
  assertThrows(() => makeGrid(images, { columns: 0 }), RangeError, "columns must be 1 or more");
  assertThrows(() => makeGrid([plain(1, 1, 0, 0, 0), plain(2, 1, 0, 0, 0)]), RangeError, "image 1 is 2 x 1");
});

Deno.test("enlarge() repeats pixels", () => {
  const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
  const large = enlarge(image, 3);
  assertEquals([large.width, large.height], [6, 3]);
  assertEquals([pixel(large, 2, 2), pixel(large, 3, 0)], [[1, 2, 3], [4, 5, 6]]);
});

Deno.test("withCaption() puts the text under the image, centred, each letter a different shape", () => {
  const image = plain(128, 10, 7, 7, 7), captioned = withCaption(image, "automobile", 2);
  assertEquals([captioned.width, captioned.height], [128, 10 + 2 * LINE_HEIGHT]);
  assertEquals(captioned.data.subarray(0, image.data.length), image.data);
  const strip = captioned.data.subarray(image.data.length);
  const lit = Array.from({ length: 128 }, (_, x) => strip.some((v, i) => v === 255 && Math.floor(i / 3) % 128 === x));
  const left = lit.indexOf(true), right = 127 - lit.lastIndexOf(true);
  assert(Math.abs(left - right) <= 2, `${left} left, ${right} right`);
  assertEquals(lit.lastIndexOf(true) - left + 1, (10 * ADVANCE - 1) * 2);
});

Deno.test("drawText() draws every glyph differently, small letters as capitals, and cuts off what does not fit", () => {
  const draw = (text: string, width = 5) => {
    const image = plain(width, 7, 0, 0, 0);
    drawText(image, text, 0, 0);
    return image.data.join();
  };
  const characters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ?"];
  assertEquals(new Set(characters.map((c) => draw(c))).size, characters.length);
  assertEquals(draw("q"), draw("Q"));
  assertEquals(draw("é"), draw("?"));
  assertEquals(draw("IX"), draw("I"));
  // The letter L, pixel by pixel.
  const image = plain(5, 7, 0, 0, 0);
  drawText(image, "L", 0, 0);
  const rows = Array.from(
    { length: 7 },
    (_, y) => Array.from({ length: 5 }, (_, x) => pixel(image, x, y)[0] ? "#" : ".").join(""),
  );
  assertEquals(rows, ["#....", "#....", "#....", "#....", "#....", "#....", "#####"]);
});

Deno.test("halfBlocks() draws two pixels a character, and changes colour only where it changes", () => {
  const image = { width: 2, height: 3, data: Uint8Array.from({ length: 18 }, (_, i) => i) };
  assertEquals(halfBlocks(image, 80), [
    "\x1b[38;2;0;1;2;48;2;6;7;8m▀\x1b[38;2;3;4;5;48;2;9;10;11m▀\x1b[0m",
    "\x1b[38;2;12;13;14;49m▀\x1b[38;2;15;16;17;49m▀\x1b[0m",
  ]);
  assertEquals(halfBlocks(plain(3, 2, 1, 1, 1), 80), ["\x1b[38;2;1;1;1;48;2;1;1;1m▀▀▀\x1b[0m"]);
});

Deno.test("halfBlocks() samples a wide image down to the columns there are", () => {
  const lines = halfBlocks(plain(100, 60, 1, 1, 1), 50);
  assertEquals(lines.length, 15);
  assertEquals(lines.map((line) => line.split("▀").length - 1), new Array(15).fill(50));
});

Deno.test("drawInTerminal() puts as many images side by side as fit, captions under them", () => {
  const images = [1, 2, 3].map((grey) => plain(32, 32, grey, grey, grey));
  const lines = drawInTerminal(images, ["cat", "ship", "a name that is far too long for its image"], 66);
  assertEquals(lines.length, 2 * 17);
  assertEquals(lines[0]!.split("▀").length - 1, 64);
  assertEquals(lines[16], "cat" + " ".repeat(31) + "ship");
  assertEquals(lines[33], "a name that is far too long for");
  assertEquals(drawInTerminal(images, ["a", "b", "c"], 65).length, 3 * 17);
});
