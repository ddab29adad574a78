/**
 * Drawing images in a terminal with coloured half-block characters.
 *
 * @module
 */
import type { RgbImage } from "./pixels.ts";

/**
 * Draws an image with half-block characters in 24-bit colour: each character shows two pixels, one above the other. An
 * image that is wider than `columns` is reduced to that width.
 *
 * @returns the lines; each ends with a code that resets the colours
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
      // If the number of rows is odd, the lower half of the last line has the terminal's background.
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
 * Draws images with captions for a terminal that is `columns` characters wide: as many side by side as fit, one character
 * per pixel of width. A single image that does not fit is reduced.
 *
 * @returns the lines
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
