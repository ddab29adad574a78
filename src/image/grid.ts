/**
 * Putting images together: enlarging one, writing a caption under it, and laying many out in a grid.
 *
 * @module
 */
import { ADVANCE, drawText, LINE_HEIGHT } from "./font.ts";
import type { RgbImage } from "./pixels.ts";

/** Enlarges an image: each pixel becomes `factor` × `factor` pixels. */
export function enlarge({ width, height, data }: RgbImage, factor: number): RgbImage {
  const result = blank(width * factor, height * factor);
  for (let y = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * 3;
      result.data.set(data.subarray(from, from + 3), (y * result.width + x) * 3);
    }
  }
  return result;
}

/** Adds a centred line of text below an image; each pixel of the font is `scale` × `scale` pixels. */
export function withCaption(image: RgbImage, text: string, scale = 2): RgbImage {
  const result = blank(image.width, image.height + LINE_HEIGHT * scale);
  result.data.set(image.data);
  const length = ([...text].length * ADVANCE - 1) * scale;
  drawText(result, text, Math.max(0, Math.floor((image.width - length) / 2)), image.height + scale, scale);
  return result;
}

/** Options of `makeGrid`. */
export interface GridOptions {
  /** The number of images per row. Default 8. */
  readonly columns?: number;
  /** The width of the border around each image, in pixels. Default 2. */
  readonly padding?: number;
  /** The grey level of the border, 0 to 255. Default 0. */
  readonly background?: number;
}

/**
 * Arranges images of the same size in a grid, row by row, as torchvision's `make_grid` does: with a border around each; empty
 * cells of the last row have the colour of the border.
 *
 * @throws {RangeError} if there are no images, or they differ in size
 */
export function makeGrid(
  images: readonly RgbImage[],
  { columns = 8, padding = 2, background = 0 }: GridOptions = {},
): RgbImage {
  const first = images[0];
  if (!first) throw new RangeError("makeGrid: there are no images");
  if (!Number.isInteger(columns) || columns < 1) {
    throw new RangeError(`makeGrid: columns must be 1 or more: ${columns}`);
  }
  const { width, height } = first, across = Math.min(columns, images.length);
  const grid = blank(
    across * (width + padding) + padding,
    Math.ceil(images.length / across) * (height + padding) + padding,
    background,
  );
  for (const [i, image] of images.entries()) {
    if (image.width !== width || image.height !== height) {
      throw new RangeError(
        `makeGrid: image ${i} is ${image.width} x ${image.height}, the first is ${width} x ${height}`,
      );
    }
    const left = padding + (i % across) * (width + padding);
    const top = padding + Math.floor(i / across) * (height + padding);
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(y * width * 3, (y + 1) * width * 3);
      grid.data.set(row, ((top + y) * grid.width + left) * 3);
    }
  }
  return grid;
}

/** An image of one grey level. */
function blank(width: number, height: number, grey = 0): RgbImage {
  return { width, height, data: new Uint8Array(width * height * 3).fill(grey) };
}
