/**
 * Images of the filters of the first convolution: one small image per filter, made from its weights.
 *
 * @module
 */
import { encode } from "fast-png";
import type { StoredFile } from "../io/stored_tensor.ts";

/** The most filters for which images are made. */
const MAX_FILTERS = 128;

/** The filters of a layer. */
export interface Filters {
  /** The name of the weight in the state dict. */
  readonly name: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** The number of filters in the layer. */
  readonly count: number;
  /** PNG images as data URIs: of all filters, or of the first ones if there are very many. */
  readonly images: readonly string[];
}

/**
 * The filters of the first weight [O, I, kh, kw] with one or three input channels; undefined if there is none. Grey is 0. All
 * filters have the same scale: the weight of the largest magnitude is black or white.
 */
export function filtersOf({ tensors }: Pick<StoredFile, "tensors">): Filters | undefined {
  for (const [name, { shape: [count = 0, channels = 0, height = 0, width = 0, ...more], data }] of tensors) {
    const pixels = height * width;
    if (more.length > 0 || pixels < 2 || (channels !== 1 && channels !== 3) || !(data instanceof Float32Array)) {
      continue;
    }
    const largest = data.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0) || 1;
    const images = Array.from({ length: Math.min(count, MAX_FILTERS) }, (_, filter) => {
      const rgb = new Uint8Array(pixels * 3);
      for (let i = 0; i < rgb.length; i++) {
        const channel = channels === 3 ? i % 3 : 0;
        const weight = data[(filter * channels + channel) * pixels + Math.floor(i / 3)]!;
        rgb[i] = Math.round(127.5 + 127.5 * weight / largest);
      }
      return `data:image/png;base64,${encode({ width, height, data: rgb, channels: 3 }).toBase64()}`;
    });
    return { name, width, height, count, images };
  }
  return undefined;
}
