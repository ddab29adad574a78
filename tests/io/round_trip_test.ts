/**
 * What is written can be read: for every format, tensors of any names and counts are either refused when they are written, or
 * read back bit for bit.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { WeightsError } from "../../src/errors.ts";
import { decodeWeights, encodeWeights, FORMATS } from "../../src/io/formats.ts";
import { encodeNpz } from "../../src/io/npz.ts";
import { encodePytorch } from "../../src/io/pytorch.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { bytesOf, type StoredTensor } from "../../src/io/stored_tensor.ts";
import { Draw } from "../property/draw.ts";

const one = (value: number): StoredTensor => ({ dtype: "F32", shape: [1], data: Float32Array.of(value) });

/** Parts of names: ordinary ones, and those that a format gives a meaning. */
const PARTS = [
  ..."a,.,/,..,../,\\,:,C:,__metadata__,__proto__,constructor,0,12,é,日本,😀, ,\",',\0,\x1b[31m,\n,\x85,\ud800,\u202e"
    .split(","),
  "",
  "data.pkl",
  ".npy",
  "x".repeat(300),
];

const textOf = (tensors: ReadonlyMap<string, StoredTensor>) =>
  [...tensors].map(([name, stored]) => [name, stored.dtype, stored.shape, bytesOf(stored).toHex()]);

for (const format of FORMATS) {
  Deno.test(`${format}: what encodeWeights() writes, decodeWeights() reads, for any names`, async () => {
    const draw = new Draw(31);
    let written = 0;
    for (let i = 0; i < 600; i++) {
      const names = Array.from(
        { length: draw.int(0, 3) },
        () => Array.from({ length: draw.int(1, 3) }, () => draw.pick(PARTS)).join(""),
      );
      const tensors = new Map(names.map((name, i) => [name, one(i)]));
      let bytes: Uint8Array;
      try {
        bytes = await encodeWeights(format, { tensors, metadata: {} });
      } catch (error) {
        if (!(error instanceof WeightsError)) throw new Error(JSON.stringify(names), { cause: error });
        // deno-lint-ignore no-control-regex
        assert(!/[\x00-\x1f\x7f-\x9f\u202e]/.test(error.message), JSON.stringify(error.message));
        continue;
      }
      assertEquals(textOf((await decodeWeights(bytes, "FILE")).tensors), textOf(tensors), JSON.stringify(names));
      written++;
    }
    assert(written > 100 && written < 550, `${written}`);
  });

  Deno.test(`${format}: what encodeWeights() writes, decodeWeights() reads, for any count`, async () => {
    for (const count of [1, 2999, 4000, 12_000, 20_000, 30_001]) {
      const tensors = new Map(Array.from({ length: count }, (_, i) => [`features.${i}.weight`, one(i)]));
      let bytes: Uint8Array;
      try {
        bytes = await encodeWeights(format, { tensors, metadata: {} });
      } catch (error) {
        if (!(error instanceof WeightsError)) throw error;
        assert(count > (format === "pth" ? 4000 : 20_000), `${count}: ${error.message}`);
        continue;
      }
      const read = (await decodeWeights(bytes, "FILE")).tensors;
      assertEquals(read.size, count);
      assertEquals(read.get(`features.${count - 1}.weight`)?.data[0], count - 1);
    }
  });
}

Deno.test("the encoders name what they refuse", () => {
  const named = (name: string) => new Map([[name, one(1)]]);
  const cases: [() => unknown, string][] = [
    [() => encodeSafetensors(named("__metadata__")), 'the name "__metadata__" is reserved'],
    [() => encodeSafetensors(named("a\x9b")), String.raw`the name "a\u009b" has control characters`],
    [() => encodePytorch(named("a\nb")), String.raw`the name "a\nb" has control characters`],
    [() => encodeNpz(named("../x")), '"../x" cannot be the name of an array in a .npz file: it is a path'],
    [() => encodeNpz(new Map()), "there are no tensors to write"],
  ];
  for (const [encode, message] of cases) assertThrows(encode, WeightsError, message);
});
