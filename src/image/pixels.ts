/**
 * The types of decoded images.
 *
 * @module
 */

/** An image with interleaved channels, R G B R G B …, rows downwards. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height * width * 3] */
  readonly data: Uint8Array;
}

/** Pixels as R G B A R G B A …, rows downwards. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** [height * width * 4] */
  readonly data: Uint8Array;
}
