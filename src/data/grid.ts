/**
 * Batches as pictures: records to images, images to a grid with captions, and a drawing for the terminal. The bytes of a
 * record are the pixels before normalisation, so there is nothing to undo.
 *
 * @module
 */
import { ADVANCE, drawText, LINE_HEIGHT } from "../image/font.ts";
import type { RgbImage } from "../image/rgb.ts";
import type { Batch } from "./records.ts";

/** Image `index` of a batch of RGB records, its planes interleaved. */
export function imageOf(batch: Batch, index: number, shape: readonly [number, number, number]): RgbImage {
  const [channels, height, width] = shape, pixels = height * width;
  if (channels !== 3) throw new RangeError(`an RGB image has 3 channels, not ${channels}`);
  if (!(index >= 0 && index < batch.count)) throw new RangeError(`no image ${index} in a batch of ${batch.count}`);
  const planes = batch.pixels.subarray(index * 3 * pixels, (index + 1) * 3 * pixels);
  const data = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let channel = 0; channel < 3; channel++) data[3 * i + channel] = planes[channel * pixels + i]!;
  }
  return { width, height, data };
}

/** An image with every pixel turned into `factor` × `factor` pixels. */
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

/** An image with a line of text under it, centred; letters are `scale` pixels for each of the font's. */
export function withCaption(image: RgbImage, text: string, scale = 2): RgbImage {
  const result = blank(image.width, image.height + LINE_HEIGHT * scale);
  result.data.set(image.data);
  const length = ([...text].length * ADVANCE - 1) * scale;
  drawText(result, text, Math.max(0, Math.floor((image.width - length) / 2)), image.height + scale, scale);
  return result;
}

/** Options of `makeGrid`. */
export interface GridOptions {
  /** Images in a row; default 8. */
  readonly columns?: number;
  /** Pixels around each image; default 2. */
  readonly padding?: number;
  /** Grey level of the padding, 0 to 255; default 0. */
  readonly background?: number;
}

/**
 * Lays images of one size out in a grid, row by row, as torchvision's `make_grid` does: with padding around each, the last
 * row filled up with background.
 */
export function makeGrid(
  images: readonly RgbImage[],
  { columns = 8, padding = 2, background = 0 }: GridOptions = {},
): RgbImage {
  const first = images[0];
  if (!first) throw new RangeError("makeGrid: no images");
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

/**
 * Draws an image with half-block characters in 24-bit colour: a character is two pixels, one above the other. An image
 * wider than `columns` is sampled down to that width. Returns one string a line, each ending in a colour reset.
 */
export function halfBlocks(image: RgbImage, columns: number): string[] {
  const width = Math.max(1, Math.min(image.width, columns)), step = image.width / width;
  const height = Math.max(1, Math.round(image.height / step));
  const colour = (x: number, y: number) => {
    const column = Math.min(image.width - 1, Math.floor((x + 0.5) * step));
    const row = Math.min(image.height - 1, Math.floor((y + 0.5) * step));
    return image.data.subarray((row * image.width + column) * 3, (row * image.width + column) * 3 + 3).join(";");
  };
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let line = "", last = "";
    for (let x = 0; x < width; x++) {
      // An odd last row has nothing below it: the terminal's own background.
      const below = y + 1 < height ? `48;2;${colour(x, y + 1)}` : "49";
      const codes = `\x1b[38;2;${colour(x, y)};${below}m`;
      line += (codes === last ? "" : codes) + "▀";
      last = codes;
    }
    lines.push(line + "\x1b[0m");
  }
  return lines;
}

/**
 * Draws images with their captions as lines for a terminal of `columns` characters: as many side by side as fit, at one
 * character for each pixel of width; a single image that does not fit is sampled down.
 */
export function drawInTerminal(images: readonly RgbImage[], captions: readonly string[], columns: number): string[] {
  const cell = images[0]!.width + 2, across = Math.max(1, Math.floor((columns + 2) / cell));
  const lines: string[] = [];
  for (let first = 0; first < images.length; first += across) {
    const row = images.slice(first, first + across);
    const strips = row.map((image) => halfBlocks(image, columns));
    for (const [y] of strips[0]!.entries()) lines.push(strips.map((strip) => strip[y]!).join("  "));
    lines.push(
      captions.slice(first, first + across).map((text) => text.slice(0, cell - 2).padEnd(cell)).join("").trimEnd(),
    );
  }
  return lines;
}

function blank(width: number, height: number, grey = 0): RgbImage {
  return { width, height, data: new Uint8Array(width * height * 3).fill(grey) };
}
