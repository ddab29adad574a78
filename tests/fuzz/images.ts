/**
 * Readers of pictures: PNG, JPEG, WebP and BMP.
 *
 * @module
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { decodeImage } from "../../src/image/decode.ts";
import { ROOT } from "../project/support.ts";
import type { Draw } from "../property/draw.ts";
import { damage, flipBit } from "./mutate.ts";
import type { Target } from "./target.ts";

/** What a picture may take: 16 bytes for each pixel of the largest that is read from a file of this size. */
const MORE = 16 * 2 ** 22;

const folder = join(ROOT, "tests/golden/images");

function filesOf(ending: string): Uint8Array<ArrayBuffer>[] {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(ending)).sort();
  return names.map((name) => Deno.readFileSync(join(folder, name)));
}

/** A PNG whose checksums are all right, as far as its chunks can be followed. */
function withChecksums(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}

function target(name: string, ending: string): Target {
  // CMYK colours are refused.
  const seeds = filesOf(ending).filter((_, i, all) => all.length > 0 && i < 12), isPng = ending === ".png";
  const damaged = (seed: number, draw: Draw) => {
    // Each bit of a PNG is covered: its signature too, since it is no picture without one.
    if (isPng && draw.flip()) return { bytes: flipBit(seeds[seed]!, draw), covered: true };
    const bytes = damage(seeds[seed]!, draw, seeds);
    return { bytes: isPng ? withChecksums(bytes) : bytes, covered: false };
  };
  return {
    name,
    seeds: seeds.length,
    damaged: (seed, draw) => draw ? damaged(seed, draw) : { bytes: seeds[seed]!, covered: isPng },
    async read(bytes) {
      const { width, height, data } = await decodeImage(bytes, "FILE");
      if (data.length !== width * height * 3) throw new TypeError("the picture has the wrong length");
      return `${width} ${height} ${crc32(data)}`;
    },
    more: MORE,
  };
}

/** The readers of pictures. */
export function imageTargets(): Target[] {
  return [target("png", ".png"), target("jpeg", ".jpg"), target("webp", ".webp"), target("bmp", ".bmp")];
}
