/**
 * Resizing, against torchvision's on PIL images: the same bytes.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { fitImage } from "../../src/image/resize.ts";
import { bits } from "../support/random.ts";
import { readGolden } from "./image_golden.ts";

/** The image that `golden_images.py` resized. */
const source = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from(bits(width * 1000 + height, width * height * 3)), // Their lowest bytes.
});

for (const { resize: [width, height, size], crop, stretch } of readGolden().resized) {
  Deno.test(`fitImage() makes of ${width} x ${height} pixels the ${size} x ${size} that torchvision makes`, () => {
    const square = { width: size, height: size };
    assertEquals(fitImage(source(width, height), size, "stretch"), { ...square, data: stretch });
    assertEquals(fitImage(source(width, height), size, "crop"), { ...square, data: crop });
  });
}

Deno.test("fitImage() leaves an image of the right size as it is, bit for bit", () => {
  const image = source(32, 32);
  assertEquals(fitImage(image, 32, "crop"), image);
  assertEquals(fitImage(image, 32, "stretch"), image);
});

Deno.test("fitImage() computes only what it keeps of an image that is one pixel wide", () => {
  const { data } = fitImage({ width: 1, height: 10_000_000, data: new Uint8Array(30_000_000).fill(7) }, 32, "crop");
  assertEquals(data, new Uint8Array(32 * 32 * 3).fill(7));
});
