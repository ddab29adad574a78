/**
 * The types of decoded images.
 *
 * @module
 */

/** An image whose pixels are stored as R G B R G B …, row by row from the top. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3], values from 0 to 255. */
  readonly data: Uint8Array;
}

/** An image whose pixels are stored as R G B A R G B A …, row by row from the top. Alpha 255 is opaque. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 4], values from 0 to 255. */
  readonly data: Uint8Array;
}
