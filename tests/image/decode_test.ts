/**
 * Image files to pixels, against what PIL and ImageMagick read from the same files; damaged and hostile files.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { decodeImage } from "../../src/image/decode.ts";
import { DataError } from "../../src/errors.ts";
import { bits } from "../support/random.ts";
import { deno, ROOT } from "../project/support.ts";
import { withFolder } from "../data/fixtures.ts";
import { testWith } from "../support/tools.ts";
import { readGolden } from "./image_golden.ts";
import { bmp, join as bytesOf, jpeg, png, webp } from "./image_makers.ts";

const { folder, files } = readGolden();
const read = (file: string) => Deno.readFileSync(join(folder, file));

for (const { file, width, height, pixels } of files) {
  Deno.test(`decodeImage() reads ${file} as PIL does, bit for bit`, async () => {
    assertEquals(await decodeImage(read(file), file), { width, height, data: pixels });
  });
}

await testWith("imagemagick", "decodeImage() reads what ImageMagick writes as it does", async (imageMagick) => {
  const temporary = await Deno.makeTempDir();
  const convert = async (...args: string[]) => {
    const { success, stdout } = await new Deno.Command(imageMagick, { args, cwd: temporary }).output();
    assert(success, args.join(" "));
    return stdout;
  };
  try {
    await convert("-seed", "7", "-size", "97x61", "plasma:fractal", "-depth", "8", "source.png");
    const kinds = [
      "png",
      "png -interlace PNG",
      "png -colors 200",
      "png -colorspace Gray",
      "bmp",
      "bmp -type Palette",
    ];
    for (
      const kind of [
        ...kinds,
        "jpg -quality 92",
        "jpg -interlace JPEG",
        "jpg -colorspace CMYK",
        "jpg -colorspace CMYK -interlace JPEG",
        "jpg -colorspace CMYK -quality 80 -sampling-factor 2x2",
        "jpg -colorspace CMYK -quality 80 -sampling-factor 2x1 -interlace JPEG",
        "webp",
        "webp -define webp:lossless=true",
      ]
    ) {
      const [ending, ...options] = kind.split(" "), file = join(temporary, `image.${ending}`);
      await convert("source.png", ...options, file);
      const { data } = await decodeImage(await Deno.readFile(file), kind);
      const expected = await convert(file, "-colorspace", "sRGB", "-depth", "8", "rgb:-");
      assertEquals(data.length, expected.length);
      const furthest = data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      assert(furthest <= (/jpg|webp$/.test(kind) ? 3 : 0), `${kind}: pixels differ by up to ${furthest}`);
    }
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
});

Deno.test("decodeImage() reads the kinds of BMP that no program here writes", async () => {
  const palette = Uint8Array.from({ length: 16 * 4 }, (_, i) => i % 4 === 3 ? 0 : i);
  const indices = async (bytes: Uint8Array) => {
    const { width, data } = await decodeImage(bytes, "x.bmp");
    const all = Array.from({ length: data.length / 3 }, (_, i) => (data[3 * i]! - 2) / 4);
    return Array.from({ length: all.length / width }, (_, y) => all.slice(y * width, (y + 1) * width));
  };
  // Run lengths of 4 bits: a run, single pixels, a move, the end of a row, the end of the image.
  const runs = Uint8Array.of(3, 0x12, 0, 0, 0, 5, 0x45, 0x67, 0x80, 0, 0, 0, 0, 2, 2, 0, 2, 0x9a, 0, 1);
  const painted = await indices(bmp(5, 3, 4, runs, { compression: 2, palette }));
  assertEquals(painted, [[0, 0, 9, 10, 0], [4, 5, 6, 7, 8], [1, 2, 1, 0, 0]]);
  // Rows downwards, of 4 bits and an odd width.
  const rows = Uint8Array.of(0x12, 0x30, 0, 0, 0x45, 0x60, 0, 0);
  assertEquals(await indices(bmp(3, -2, 4, rows, { palette })), [[1, 2, 3], [4, 5, 6]]);
  // 16 bits without masks have 5 of each colour.
  const five = await decodeImage(bmp(2, 1, 16, Uint8Array.of(0x1f, 0x7c, 0xe0, 0x03)), "x.bmp");
  assertEquals([...five.data], [255, 0, 255, 0, 255, 0]);
  // Of 32 bits without masks, the last byte is not alpha.
  assertEquals([...(await decodeImage(bmp(1, 1, 32, Uint8Array.of(3, 2, 1, 0)), "x.bmp")).data], [1, 2, 3]);
});

Deno.test("decodeImage() lays what is transparent on white: a colour of a PNG too", async () => {
  const lines = Uint8Array.of(0, 10, 20, 30, 40, 50, 60), colour = Uint8Array.of(0, 40, 0, 50, 0, 60);
  const { data } = await decodeImage(png(2, 1, lines, { more: [["tRNS", colour]] }), "x.png");
  assertEquals([...data], [10, 20, 30, 255, 255, 255]);
  const blended = await decodeImage(png(1, 1, Uint8Array.of(0, 100, 0, 255, 128), { type: 6 }), "x.png");
  assertEquals([...blended.data], [177, 127, 255]);
});

Deno.test("decodeImage() reads a noisy PNG of 21 MB", async () => {
  const side = 2650, line = side * 3 + 1, lines = new Uint8Array(side * line);
  for (let at = 0; at < lines.length; at += 65536) crypto.getRandomValues(lines.subarray(at, at + 65536));
  for (let y = 0; y < side; y++) lines[y * line] = 0;
  const bytes = png(side, side, lines, { level: 1 });
  assert(bytes.length > 20e6);
  const { width, height, data } = await decodeImage(bytes, "noise.png");
  assertEquals([width, height], [side, side]);
  for (const y of [0, 1, 1234, side - 1]) {
    assertEquals(data.subarray(y * side * 3, (y + 1) * side * 3), lines.subarray(y * line + 1, (y + 1) * line));
  }
});

/** A PNG of one pixel, whose image data is in these chunks. */
function pngOf(parts: readonly Uint8Array[]): Uint8Array {
  const whole = png(1, 1, Uint8Array.of(0, 1, 2, 3), { more: parts.map((part) => ["IDAT", part] as const) });
  // Without the chunk of the maker, which is in front of the last one: 12 bytes and its data.
  const length = deflateSync(Uint8Array.of(0, 1, 2, 3)).length + 12;
  return bytesOf(whole.subarray(0, -12 - length), whole.subarray(-12));
}

Deno.test("decodeImage() reads a PNG whose data are in many chunks, some of them empty", async () => {
  const data = deflateSync(Uint8Array.of(0, 1, 2, 3)), none = new Uint8Array(0);
  const parts = [none, ...Array.from(data, (byte) => Uint8Array.of(byte)), none];
  assertEquals((await decodeImage(pngOf(parts), "a")).data, Uint8Array.of(1, 2, 3));
});

for (
  const [what, width, height, options, limit] of [
    ["of 16 bits and alpha", 3500, 3500, { depth: 16, type: 6 }, 6],
    ["that is tall", 200, 60_000, { depth: 1, type: 0 }, 6],
  ] as const
) {
  Deno.test({
    name: `decodeImage() takes at most ${limit} bytes a pixel for a PNG ${what} (on Linux)`,
    ignore: Deno.build.os !== "linux",
    fn: () =>
      withFolder(async (folder) => {
        const samples = options.type === 6 ? 4 : 1, line = 1 + Math.ceil(width * samples * options.depth / 8);
        const path = join(folder, "a.png");
        await Deno.writeFile(path, png(width, height, new Uint8Array(line * height), { ...options, level: 1 }));
        const program = join(ROOT, "tests/image/read_image.ts");
        const { code, stdout, stderr } = await deno("run", "--no-check", "-A", program, path);
        assertEquals(code, 0, stderr);
        const { size, error, grown } = JSON.parse(stdout);
        assertEquals(error, "");
        assert(grown <= limit * width * height + 2 * size + (64 << 20), `${grown}`);
      }),
  });
}

const pixel = Uint8Array.of(0, 1, 2, 3);
const HOSTILE: readonly (readonly [what: string, bytes: Uint8Array, error: RegExp])[] = [
  ["no bytes", new Uint8Array(0), /not a readable image: the file is empty$/],
  ["text", new TextEncoder().encode("hello"), /not a readable image: it is not a PNG, JPEG, WebP or BMP image$/],
  ["a PNG of 10 gigapixels", png(100_000, 100_000, pixel), /100000 x 100000 pixels; the limit is 67 megapixels$/],
  ["a PNG of 1 x 100 million pixels", png(1, 100_000_000, pixel), /the limit is 67 megapixels$/],
  ["a PNG of 1 x 70,000 pixels", png(1, 70_000, pixel), /1 x 70000 pixels; the limit of a side is 65535$/],
  [
    "a PNG of 64 megapixels in 100 bytes",
    png(8000, 8000, pixel),
    /far more than a real picture in a file of \d+ bytes$/,
  ],
  ["a PNG without image data", pngOf([]), /not a readable PNG: /],
  ["a PNG of no pixels", png(0, 1, pixel), /no pixels: 0 x 1$/],
  [
    "a PNG that inflates to more than its size",
    png(1, 1, new Uint8Array(1e8)),
    /not a readable PNG: .* more data than the 4 bytes/,
  ],
  [
    "a PNG that inflates to less than its size",
    png(2, 1, pixel),
    /not a readable PNG: it has 4 of the 7 bytes that its size needs$/,
  ],
  ["a PNG with a filter that does not exist", png(1, 1, Uint8Array.of(9, 1, 2, 3)), /filter 9 does not exist$/],
  ["a PNG of 3 bits", png(1, 1, pixel, { depth: 3 }), /colour type 2 of 3 bits does not exist$/],
  ["a PNG without its palette", png(1, 1, Uint8Array.of(0, 1), { type: 3 }), /no palette$/],
  [
    "a PNG with a colour beyond its palette",
    png(1, 1, Uint8Array.of(0, 1), { type: 3, more: [["PLTE", Uint8Array.of(1, 2, 3)]] }),
    /colour 1 is not in its palette$/,
  ],
  ["a PNG that was cut short", read("rgb.png").subarray(0, 600), /the file ends inside its chunk "IDAT"$/],
  ["a PNG with a changed byte", read("rgb.png").with(300, 0), /checksum of its chunk "IDAT" is wrong$/],
  ["a JPEG that was cut short", read("base.jpg").subarray(0, -40), /not a readable JPEG: Premature end of JPEG file$/],
  ["a JPEG that was cut in its header", read("base.jpg").subarray(0, 40), /the file is cut off$/],
  ["a CMYK JPEG that was cut short", read("cmyk.jpg").subarray(0, -40), /the file is cut off|a scan ends early$/],
  ["a CMYK JPEG without a scan", jpeg(1, 1, 4, Uint8Array.of(0xff, 0xda)), /the file is cut off$/],
  [
    "a CMYK JPEG of 25 megapixels",
    jpeg(5000, 5000, 4, bytesOf(Uint8Array.of(0xff, 0xda, 0, 2), new Uint8Array(30_000))),
    /it has more than 16 megapixels, the limit for CMYK$/,
  ],
  [
    "a JPEG of 4 gigapixels",
    jpeg(65500, 65500, 3, Uint8Array.of(0xff, 0xda)),
    /65500 x 65500 pixels; the limit is 67 megapixels/,
  ],
  [
    "a JPEG of 9 megapixels in a few bytes",
    jpeg(3000, 3000, 3, Uint8Array.of(0xff, 0xda)),
    /far more than a real picture/,
  ],
  [
    "a JPEG of 94 scans",
    jpeg(1, 1, 3, bytesOf(...Array.from({ length: 94 }, () => Uint8Array.of(0xff, 0xda, 0, 2)))),
    /94 scans; the limit is 32$/,
  ],
  [
    "a JPEG of 200 scans",
    jpeg(1, 1, 3, bytesOf(...Array.from({ length: 200 }, () => Uint8Array.of(0xff, 0xda, 0, 2)))),
    /200 scans; the limit is 32$/,
  ],
  [
    "a WebP of 268 megapixels",
    webp("VP8L", Uint8Array.of(0x2f, 255, 255, 255, 15)),
    /16384 x 16384 pixels; the limit is 67/,
  ],
  ["a WebP that is an animation", webp("VP8X", Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0)), /an animation/],
  ["a WebP that was cut short", read("lossy.webp").subarray(0, 100), /the file ends at byte 100 of \d+$/],
  ["a BMP of 4 gigapixels", bmp(65536, 65536, 24, pixel), /65536 x 65536 pixels; the limit is 67 megapixels/],
  [
    "a BMP of 64 megapixels in 56 bytes",
    bmp(8000, 8000, 8, Uint8Array.of(0, 1), { compression: 1 }),
    /far more than a real picture in a file of 56 bytes$/,
  ],
  ["a BMP of a width below 0", bmp(-5, 1, 24, pixel), /the BMP is -5 pixels wide$/],
  [
    "a BMP that was cut short",
    read("rgb24.bmp").subarray(0, -40),
    /not a readable BMP: the file ends inside its rows$/,
  ],
  ["a BMP of 7 bits", bmp(1, 1, 7, pixel), /7 bits per pixel with compression 0 are not supported$/],
];

for (const [what, bytes, error] of HOSTILE) {
  Deno.test(`decodeImage() refuses ${what}`, async () => {
    const { message } = await assertRejects(() => decodeImage(bytes, "file.x"), DataError);
    assert(message.startsWith("file.x: not a readable ") && error.test(message), message);
  });
}

Deno.test("decodeImage() makes of 1,000 damaged files an image or an error, and works after each", async () => {
  const kinds = [
    "rgb.png",
    "palette4.png",
    "interlaced.png",
    "base.jpg",
    "progressive.jpg",
    "lossy.webp",
    "alpha.webp",
  ];
  kinds.push("alpha_lossless.webp", "rgb24.bmp", "rle8.bmp", "rgb565.bmp", "orientation6.jpg");
  let decoded = 0, refused = 0;
  for (let i = 0; i < 1000; i++) {
    const random = bits(500_000 + i, 40), bytes = read(kinds[i % kinds.length]!), whole = bytes.length;
    const changes = random[0]! % 8, end = random[1]! % 4 === 0 ? random[2]! % whole : whole;
    for (let k = 0; k <= changes; k++) bytes[random[3 + 2 * k]! % whole] = random[4 + 2 * k]! & 255;
    try {
      const { width, height, data } = await decodeImage(bytes.subarray(0, end), "damaged");
      assertEquals(data.length, width * height * 3);
      decoded++;
    } catch (error) {
      assert(error instanceof DataError && !error.message.includes("\n"), String(error));
      refused++;
    }
  }
  assert(decoded > 50 && refused > 500, `${decoded} decoded, ${refused} refused`);
  for (const { file, pixels } of files) assertEquals((await decodeImage(read(file), file)).data, pixels);
});

Deno.test("decodeImage() reads a CMYK JPEG of PIL to the colours that it was made from, and damaged ones to an error at most", async () => {
  const bytes = read("cmyk.jpg"), { width, height, data } = await decodeImage(bytes, "cmyk.jpg");
  const made = files.find(({ file }) => file === "rgb.png")!;
  assertEquals([width, height], [made.width, made.height]);
  const mean = data.reduce((sum, value, i) => sum + Math.abs(value - made.pixels[i]!), 0) / data.length;
  assert(mean < 40, `the pixels differ by ${mean} on average`); // They are noise, which JPEG smooths.
  const random = bits(11, 4 * 500);
  let refused = 0;
  for (let i = 0; i < 500; i++) {
    const [at, value, end, cut] = random.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    const changed = bytes.with(at % bytes.length, value & 255);
    await decodeImage(cut % 4 === 0 ? changed.subarray(0, end % bytes.length) : changed, "x.jpg").catch((error) => {
      if (!(error instanceof DataError)) throw error;
      refused++;
    });
  }
  assert(refused > 100, `${refused} of 500 were refused`);
});
