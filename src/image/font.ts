/**
 * A font of 5 × 7 pixels for captions: capital letters, digits and a few signs. Small letters are drawn as capitals.
 *
 * @module
 */
import type { RgbImage } from "./pixels.ts";

/** Seven rows per glyph, from the top. A row is one digit in base 32; its five bits are the pixels from left to right. */
const GLYPHS: Readonly<Record<string, string>> = {
  "A": "ehhvhhh",
  "B": "uhhuhhu",
  "C": "ehggghe",
  "D": "uhhhhhu",
  "E": "vgguggv",
  "F": "vgguggg",
  "G": "ehgnhhe",
  "H": "hhhvhhh",
  "I": "e44444e",
  "J": "72222ic",
  "K": "hikokih",
  "L": "ggggggv",
  "M": "hrllhhh",
  "N": "hpljhhh",
  "O": "ehhhhhe",
  "P": "uhhuggg",
  "Q": "ehhhlid",
  "R": "uhhukih",
  "S": "fgge11u",
  "T": "v444444",
  "U": "hhhhhhe",
  "V": "hhhhha4",
  "W": "hhhllla",
  "X": "hha4ahh",
  "Y": "hha4444",
  "Z": "v1248gv",
  "0": "ehjlphe",
  "1": "4c4444e",
  "2": "eh168gv",
  "3": "u11e11u",
  "4": "26aiv22",
  "5": "vgu11he",
  "6": "68guhhe",
  "7": "v124888",
  "8": "ehhehhe",
  "9": "ehhf12c",
  "-": "000v000",
  "_": "000000v",
  ".": "00000cc",
  " ": "0000000",
  "?": "eh12404",
};

/** The distance from one character to the next, and the height of a line, in pixels before scaling. */
export const ADVANCE = 6, LINE_HEIGHT = 9;

/**
 * Draws one line of white text into an image, with its top left corner at (left, top), each font pixel `scale` pixels
 * wide and high. A character that is not in the font is drawn as "?". Text outside of the image is cut off.
 */
export function drawText(image: RgbImage, text: string, left: number, top: number, scale = 1): void {
  for (const [position, character] of [...text.toUpperCase()].entries()) {
    const glyph = GLYPHS[character] ?? GLYPHS["?"]!;
    for (let y = 0; y < 7 * scale; y++) {
      const bits = parseInt(glyph[Math.floor(y / scale)]!, 32);
      for (let x = 0; x < 5 * scale; x++) {
        if (((bits >> (4 - Math.floor(x / scale))) & 1) === 0) continue;
        const column = left + position * ADVANCE * scale + x, row = top + y;
        if (column < 0 || column >= image.width || row < 0 || row >= image.height) continue;
        image.data.fill(255, (row * image.width + column) * 3, (row * image.width + column) * 3 + 3);
      }
    }
  }
}
