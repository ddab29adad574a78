/**
 * Files of weights that were changed anywhere: each is an error of one line, or, where the change hits nothing that
 * matters, read as before. And no file takes more memory than twice its size and 64 MiB.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { WeightsError } from "../../src/errors.ts";
import { decodeWeights } from "../../src/io/formats.ts";
import { encodeNpz } from "../../src/io/npz.ts";
import { int } from "../../src/io/pickle_writer.ts";
import { encodePytorch } from "../../src/io/pytorch.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { bytesOf, elementCount, type StoredFile, type StoredTensor } from "../../src/io/stored_tensor.ts";
import { writeZip } from "../../src/io/zip.ts";
import { concat, withFolder } from "../data/fixtures.ts";
import { deno, ROOT } from "../project/support.ts";
import { Draw } from "../property/draw.ts";
import { bits } from "../support/random.ts";
import { dictOf, filesOf, ints, packed, tensorOf } from "./pytorch_files.ts";

const random = (seed: number, count: number) => new Float32Array(bits(seed, count).buffer);
const SMALL = new Map<string, StoredTensor>([
  ["conv.weight", { dtype: "F32", shape: [4, 3, 3, 3], data: random(1, 108) }],
  ["conv.bias", { dtype: "F32", shape: [4], data: random(2, 4) }],
  ["bn.num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(7n) }],
]);

/** Small files of each format. Those with checksums are never read as anything but what they were. */
const FILES: [name: string, checksums: boolean, bytes: Uint8Array][] = [
  ["safetensors", false, encodeSafetensors(SMALL, { format: "pt", model: "lenet" })],
  ["a .pth file of wgrad", true, await encodePytorch(SMALL)],
  ["a .pth file of PyTorch", true, await Deno.readFile(join(ROOT, "tests/golden/files/net.pth"))],
  ["a .npz file", true, await encodeNpz(SMALL)],
  ["a packed .npz file", true, await packed([["w.npy", npyOf(await encodeNpz(SMALL))]])],
];

/** The first file of an archive that is not packed. */
function npyOf(archive: Uint8Array): Uint8Array {
  const view = new DataView(archive.buffer), start = 30 + view.getUint16(26, true) + view.getUint16(28, true);
  return archive.slice(start, start + view.getUint32(18, true));
}

/** Bytes with one thing changed: a bit or a byte, a part cut out, put in, doubled, exchanged or filled. */
function corrupted(bytes: Uint8Array, draw: Draw): Uint8Array<ArrayBuffer> {
  const from = draw.int(0, bytes.length - 1), to = Math.min(bytes.length, from + draw.pick([1, 2, 4, 8, 64, 1000]));
  const part = bytes.slice(from, to), before = bytes.subarray(0, from), after = bytes.subarray(to);
  switch (draw.int(0, 7)) {
    case 0:
      part[0]! ^= 1 << draw.int(0, 7);
      return concat(before, part, after);
    case 1:
      return concat(before, part.map(() => draw.int(0, 255)), after);
    case 2:
      return concat(before, part.fill(draw.pick([0, 0xff, 0x7f, 0x80])), after);
    case 3:
      return concat(before, after);
    case 4:
      return concat(before, part, part, after);
    case 5:
      return concat(before);
    case 6: {
      const other = draw.int(0, bytes.length - part.length), copy = new Uint8Array(bytes);
      copy.copyWithin(from, other, other + part.length);
      return copy;
    }
    default:
      return concat(before, new Uint8Array(draw.int(1, 100)).map(() => draw.int(0, 255)), part, after);
  }
}

const textOf = ({ tensors }: StoredFile) =>
  JSON.stringify([...tensors].map(([name, one]) => [name, one.dtype, one.shape, bytesOf(one).toHex()]));

for (const [name, checksums, bytes] of FILES) {
  Deno.test(`1,000 corruptions of ${name} are an error each, or hit nothing that matters`, async () => {
    const whole = textOf(await decodeWeights(bytes, "FILE")), draw = new Draw(5);
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const changed = corrupted(bytes, draw);
      try {
        const read = await decodeWeights(changed, "FILE");
        if (checksums) assertEquals(textOf(read), whole, `corruption ${i}`);
        for (const { shape, data } of read.tensors.values()) assertEquals(elementCount(shape), data.length);
      } catch (error) {
        if (!(error instanceof WeightsError)) throw new Error(`corruption ${i}`, { cause: error });
        assert(/^FILE (is|has) [^\n]{1,400}$/.test(error.message), error.message);
        refused++;
      }
    }
    assert(refused > (checksums ? 700 : 400), `${refused} were refused`);
  });
}

/** A file of safetensors whose header is this. */
function headed(json: string): Uint8Array {
  const bytes = new TextEncoder().encode(`12345678${json}`);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  return bytes;
}

/** An archive of a pickle of these bytes, packed. */
const pickled = (letters: string) =>
  packed([["a/data.pkl", Uint8Array.from(letters, (letter) => letter.charCodeAt(0))]]);

/** An archive of so many empty files of one name, which has a directory. */
function archiveOf(count: number): Uint8Array {
  const one = writeZip([["a/data/0", new Uint8Array(0)]]),
    { length } = one,
    end = new DataView(one.buffer, length - 22);
  const start = end.getUint32(16, true), entry = one.subarray(start, length - 22);
  end.setUint16(8, count, true);
  end.setUint16(10, count, true);
  end.setUint32(12, entry.length * count, true);
  return concat(one.subarray(0, start), ...Array<Uint8Array>(count).fill(entry), one.subarray(length - 22));
}

const large = () => {
  return new Map<string, StoredTensor>([["w", { dtype: "F32", shape: [4 << 20], data: random(3, 4 << 20) }]]);
};
const vector = (length: number, stride: number) =>
  dictOf({ w: tensorOf({ length: int(length), shape: ints(length), strides: ints(stride) }) });

/** What takes memory: sound files of 16 MB, and small ones that are made to. */
const HUNGRY: [what: string, bytes: () => Uint8Array | Promise<Uint8Array>, message: RegExp][] = [
  ["sound safetensors", () => encodeSafetensors(large()), /^$/],
  ["a sound .pth file", () => encodePytorch(large()), /^$/],
  ["a sound .npz file", () => encodeNpz(large()), /^$/],
  ["a packed .pth file", () => {
    const data = new Uint8Array(large().get("w")!.data.buffer);
    return packed(filesOf(vector(4 << 20, 1), { "a/data/0": data }));
  }, /^$/],
  ["a header of objects", () => headed(`{"a":[${"{},".repeat(333_000)}1]}`), /no valid shape or byte range/],
  ["a header of names", () => {
    return headed(`{${Array.from({ length: 100_000 }, (_, i) => `"${i.toString(36)}":1`).join()}}`);
  }, /no valid shape or byte range/],
  [
    "a longer header",
    () => headed(`{"a":[${"{},".repeat(3_000_000)}1]}`),
    /its header has 9000009 bytes; the limit is 5000000/,
  ],
  ["a pickle of dicts", () => pickled("}".repeat(1_900_000)), /far more objects/],
  ["a pickle of texts", () => pickled("X\x02\0\0\0ab".repeat(280_000)), /./],
  ["a pickle of nothing", () => pickled(`](${"N".repeat(1_900_000)}e`), /far more objects/],
  [
    "twelve megabytes of zeros, packed",
    () => packed(filesOf(vector(3 << 20, 1), { "a/data/0": new Uint8Array(12 << 20) })),
    /^$/,
  ],
  [
    "one element four million times",
    () => writeZip(filesOf(dictOf({ w: tensorOf({ shape: ints(4_190_000), strides: ints(0) }) }))),
    /^$/,
  ],
  ["an archive of twenty thousand files", () => {
    return writeZip(Array.from({ length: 20_000 }, (_, i) => [`a/data/${i}`, new Uint8Array(0)] as const));
  }, /0 files named data.pkl/],
  ["an archive of forty thousand files", () => archiveOf(40_000), /more than 30000 files, or/],
  ["a header of 25,000 tensors", () => {
    const tensor: StoredTensor = { dtype: "U8", shape: [1], data: Uint8Array.of(1) };
    return encodeSafetensors(new Map(Array.from({ length: 25_000 }, (_, i) => [i.toString(36), tensor])));
  }, /^$/],
  ["a pickle whose shape has a product past 2^1000", () => {
    return writeZip(
      filesOf(
        dictOf({
          w: tensorOf({ shape: ints(...Array(20).fill(2 ** 53 - 1), 0), strides: ints(...Array(21).fill(1)) }),
        }),
      ),
    );
  }, /unpacking it needs far more bytes/],
];

for (const [what, bytes, message] of HUNGRY) {
  Deno.test({
    name: `reading ${what} takes no more memory than twice its size and 64 MiB (on Linux)`,
    ignore: Deno.build.os !== "linux",
    fn: () =>
      withFolder(async (folder) => {
        const path = join(folder, "file");
        await Deno.writeFile(path, await bytes());
        const { code, stdout, stderr } = await deno(
          "run",
          "--no-check",
          "-A",
          join(ROOT, "tests/io/read_weights.ts"),
          path,
        );
        assertEquals(code, 0, stderr);
        const { size, error, grown } = JSON.parse(stdout);
        assert(message.test(error), error);
        assert(grown <= 2 * size + (64 << 20), `${grown} bytes for ${size}`);
      }),
  });
}
