/**
 * NumPy's files: NumPy reads what is written and what NumPy wrote is read, bit for bit; anything else in such an archive
 * is an error of one line.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { WeightsError } from "../../src/errors.ts";
import { decodeWeights } from "../../src/io/formats.ts";
import { decodeNpz, encodeNpz } from "../../src/io/npz.ts";
import { bytesOf, type StoredTensor } from "../../src/io/stored_tensor.ts";
import { writeZip } from "../../src/io/zip.ts";
import { concat, withFolder } from "../data/fixtures.ts";
import { python } from "../support/python.ts";
import { testWith } from "../support/tools.ts";
import { bits } from "../support/random.ts";
import { packed, patched } from "./pytorch_files.ts";

/** Tensors of every type that NumPy has, with odd bits. */
function example(): Map<string, StoredTensor> {
  const random = (size: number, seed: number) => bits(seed, size).buffer.slice(0, size);
  return new Map<string, StoredTensor>([
    ["a.double", { dtype: "F64", shape: [2, 1, 2], data: new Float64Array(random(32, 1)) }],
    ["a.float", { dtype: "F32", shape: [5], data: new Float32Array(random(20, 2)) }],
    ["half é", { dtype: "F16", shape: [3, 3], data: new Float16Array(random(18, 3)) }],
    ["long", { dtype: "I64", shape: [], data: BigInt64Array.of(-(2n ** 63n)) }],
    ["int", { dtype: "I32", shape: [1, 2], data: Int32Array.of(-1, 2 ** 31 - 1) }],
    ["short", { dtype: "I16", shape: [2], data: Int16Array.of(-1, 7) }],
    ["char", { dtype: "I8", shape: [2], data: Int8Array.of(-1, 7) }],
    ["ulong", { dtype: "U64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) }],
    ["uint", { dtype: "U32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) }],
    ["ushort", { dtype: "U16", shape: [1], data: Uint16Array.of(65535) }],
    ["byte", { dtype: "U8", shape: [2], data: Uint8Array.of(255, 0) }],
    ["bool", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
    ["none", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
    ["axes", { dtype: "F32", shape: Array(30).fill(1), data: Float32Array.of(NaN) }],
  ]);
}

Deno.test("decodeNpz() gives back bit for bit what encodeNpz() was given, packed or not", async () => {
  const bytes = await encodeNpz(example());
  assertEquals(bytes, await encodeNpz(example()));
  assertEquals(await decodeNpz(bytes, "a"), { tensors: example(), metadata: {} });
  assertEquals((await decodeWeights(bytes, "a")).tensors, example());
  const brain = new Map<string, StoredTensor>([["a b", { dtype: "BF16", shape: [1], data: new Uint16Array(1) }]]);
  const { message } = assertThrows(() => encodeNpz(brain), WeightsError);
  assertEquals(message, '"a b" is BF16, which NumPy does not support');
});

await testWith(
  "numpy",
  "NumPy reads what encodeNpz() writes, and what NumPy writes of it is read",
  () =>
    withFolder(async (folder) => {
      await Deno.writeFile(join(folder, "a.npz"), await encodeNpz(example()));
      const program = `
import json, numpy as np
arrays = dict(np.load("a.npz", allow_pickle=False))
np.savez("saved.npz", **arrays)
np.savez_compressed("packed.npz", **arrays)
print(json.dumps({name: [str(one.dtype), list(one.shape), one.tobytes().hex()] for name, one in arrays.items()}))`;
      const table = JSON.parse(await python(program, folder));
      const names: Record<string, string> = { F: "float", I: "int", U: "uint", B: "bool" };
      const expected = [...example()].map(([name, one]) => {
        const type = names[one.dtype[0]!] + (one.dtype === "BOOL" ? "" : one.dtype.slice(1));
        return [name, [type, one.shape, bytesOf(one).toHex()]];
      });
      assertEquals(Object.entries(table), expected);
      for (const file of ["saved.npz", "packed.npz"]) {
        assertEquals((await decodeNpz(await Deno.readFile(join(folder, file)), file)).tensors, example(), file);
      }
    }),
);

/** A `.npy` file with this header, and so many bytes of elements. */
function npy(header: string, size: number, start = "\x93NUMPY\x01\0"): Uint8Array {
  const head = `${start}${String.fromCharCode(header.length & 255, header.length >> 8)}${header}`;
  return concat(Uint8Array.from(head, (letter) => letter.charCodeAt(0)), new Uint8Array(size));
}
const header = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
const one = (bytes: Uint8Array) => writeZip([["w.npy", bytes]]);

Deno.test("decodeNpz() reads versions 2 and 3, and a vector in Fortran order", async () => {
  for (const version of [2, 3]) {
    const text = header("<f4", "(2,)", "True");
    const file = npy(`\0\0${text}`, 8, `\x93NUMPY${String.fromCharCode(version)}\0`);
    file[8] = text.length, file[9] = 0;
    assertEquals((await decodeNpz(await one(file), "a")).tensors.get("w")!.shape, [2]);
  }
});

await testWith(
  "numpy",
  "decodeNpz() reads arrays in Fortran order and big-endian ones as NumPy does",
  () =>
    withFolder(async (folder) => {
      const program = `
import json, numpy as np
a = np.arange(24).reshape(2, 3, 4)
arrays = {f"{t}{o}": np.asarray(a, dtype=t, order=o) for t in [">f4", "<f4", ">f8", ">f2", ">i8", ">u2", "|i1"] for o in "CF"}
arrays["nan"] = np.frombuffer(bytes([0x7f, 0xa0, 0, 1]), dtype=">f4")
arrays["none"] = np.zeros((2, 0, 3), dtype=">f4", order="F")
np.savez("a.npz", **arrays)
print(json.dumps({name: [list(one.shape), np.ascontiguousarray(one).astype(one.dtype.newbyteorder("<")).tobytes().hex()]
  for name, one in arrays.items()}))`;
      const expected = JSON.parse(await python(program, folder));
      const { tensors } = decodeNpz(await Deno.readFile(join(folder, "a.npz")), "a");
      // NumPy's own conversion makes a signalling NaN quiet; these are the bits of the file.
      expected.nan[1] = "0100a07f";
      assertEquals(
        Object.fromEntries([...tensors].map(([name, one]) => [name, [one.shape, bytesOf(one).toHex()]])),
        expected,
      );
    }),
);

const HOSTILE: [what: string, bytes: () => Uint8Array | Promise<Uint8Array>, message: RegExp][] = [
  ["no arrays", () => writeZip([]), /it contains no arrays/],
  [
    "another file",
    () => writeZip([["w.npy", npy(header("<f4", "()"), 4)], ["x.txt", new Uint8Array(1)]]),
    /"x\.txt" is not a \.npy/,
  ],
  [
    "a name with an escape sequence",
    () => writeZip([["\x1b[31m.npy", npy(header("<f4", "()"), 4)]]),
    /control characters/,
  ],
  ["an array of objects", () => one(npy(header("|O", "()"), 4)), /is not an array of plain numbers/],
  ["a byte that is big-endian", () => one(npy(header(">u1", "()"), 1)), /is not an array of plain numbers/],
  ["numbers of no byte order", () => one(npy(header("|f4", "()"), 4)), /is not an array of plain numbers/],
  ["a shape of no elements, but a product past 2^64", () => {
    return one(npy(header("<f4", "(0, 4294967296, 4294967296)"), 0));
  }, /"w\.npy" has 0 bytes for shape/],
  [
    "an array that is marked as a folder",
    () => patched(one(npy(header("<f4", "()"), 4)), "PK\x01\x02", 0, 38, 0x10),
    /"w\.npy" is marked as a folder, but is a file/,
  ],
  [
    "an array that is marked as a folder of Unix",
    () => patched(patched(one(npy(header("<f4", "()"), 4)), "PK\x01\x02", 0, 5, 3), "PK\x01\x02", 0, 38, 0, 0, 0, 0x40),
    /"w\.npy" is marked as a folder, but is a file/,
  ],
  ["complex numbers", () => one(npy(header("<c8", "()"), 8)), /is not an array of plain numbers/],
  ["records", () => one(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (), }\n", 4)), /plain numbers/],
  ["a call", () => one(npy("__import__('os').system('id')\n", 4)), /is not an array of plain numbers: "__import__/],
  ["a negative extent", () => one(npy(header("<f4", "(-1,)"), 4)), /is not an array of plain numbers/],
  ["an extent past 2^53", () => one(npy(header("<f4", "(9007199254740993,)"), 4)), /is not an array of plain numbers/],
  ["a product past 2^64", () => one(npy(header("<f4", "(4294967296, 4294967296, 2)"), 8)), /has 8 bytes for shape/],
  ["a shape too large", () => one(npy(header("<f4", "(3,)"), 8)), /"w\.npy" has 8 bytes for shape \[3\] of F32/],
  ["a shape too small", () => one(npy(header("<f4", "(1,)"), 8)), /"w\.npy" has 8 bytes for shape \[1\] of F32/],
  ["a header longer than the file", () => one(npy(header("<f4", "()"), 0).slice(0, 40)), /plain numbers/],
  ["an empty file", () => one(new Uint8Array(0)), /is not a \.npy file of version 1 to 3/],
  ["version 4", () => one(npy(header("<f4", "()"), 4, "\x93NUMPY\x04\0")), /is not a \.npy file of version 1 to 3/],
  [
    "a bomb of zeros",
    () => packed([["w.npy", npy(header("<f4", "(5000000,)"), 2e7)]]),
    /unpacking it needs far more bytes/,
  ],
  ["no archive", () => new Uint8Array(100), /End of central directory not found/],
];

for (const [what, bytes, message] of HOSTILE) {
  Deno.test(`decodeNpz() refuses ${what}`, async () => {
    const file = await bytes(), error = assertThrows(() => decodeNpz(file, "a.npz"), WeightsError);
    assert(error.message.startsWith("a.npz is not a valid .npz file: "), error.message);
    assert(message.test(error.message), error.message);
    assert(!error.message.includes("\n") && error.message.length < 400, error.message);
  });
}
