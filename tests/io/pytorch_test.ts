/**
 * PyTorch's files: those that PyTorch saved are read bit for bit, PyTorch opens those that are written and computes the
 * same with them, and a hostile file does no more than raise a WeightsError of one line.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { WeightsError } from "../../src/errors.ts";
import { decodeWeights } from "../../src/io/formats.ts";
import { bool, call, global, int, text, tuple, withItems } from "../../src/io/pickle_writer.ts";
import { decodePytorch, encodePytorch } from "../../src/io/pytorch.ts";
import { bytesOf, type StoredTensor } from "../../src/io/stored_tensor.ts";
import { writeZip } from "../../src/io/zip.ts";
import { manualSeed, nn, tensor } from "../../src/mod.ts";
import { storedState } from "../../src/nn/files.ts";
import { withFolder } from "../data/fixtures.ts";
import { ROOT } from "../project/support.ts";
import { assertClose } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { python } from "../support/python.ts";
import { testWith } from "../support/tools.ts";
import { bits } from "../support/random.ts";
import { DICT, dictOf, filesOf, ints, packed, patched, SIX, tensorOf, TORCH_DTYPES } from "./pytorch_files.ts";

const GOLDEN = join(ROOT, "tests", "golden");

/** A tensor as Python describes it. */
interface Described {
  readonly dtype: string;
  readonly shape: number[];
  readonly hex: string;
}
type Table = Record<string, Described>;

function described(stored: StoredTensor): Described {
  const dtype = Object.keys(TORCH_DTYPES).find((name) => TORCH_DTYPES[name] === stored.dtype)!;
  return { dtype, shape: [...stored.shape], hex: bytesOf(stored).toHex() };
}

const tableOf = (tensors: ReadonlyMap<string, StoredTensor>): Table =>
  Object.fromEntries([...tensors].map(([name, stored]) => [name, described(stored)]));

for (const { file: name, tensors: expected } of readLines<{ file: string; tensors: Table }>("files/tensors.jsonl")) {
  Deno.test(`decodeWeights() reads ${name}.pth as PyTorch saved it, bit for bit and in order`, async () => {
    const { tensors, metadata } = await decodeWeights(await Deno.readFile(join(GOLDEN, "files", `${name}.pth`)), "a");
    assertEquals(tableOf(tensors), expected);
    assertEquals([...tensors.keys()], Object.keys(expected));
    assertEquals(metadata, {});
  });
}

Deno.test("decodePytorch() lets tensors of one storage share it", async () => {
  const { tensors } = await decodePytorch(await Deno.readFile(join(GOLDEN, "files", "views.pth")), "a");
  const dataOf = (name: string) => tensors.get(name)!.data, base = dataOf("base");
  const starts = ["middle", "row", "scalar", "parameter"].map((name) => {
    assert(dataOf(name).buffer === base.buffer, name);
    return (dataOf(name).byteOffset - base.byteOffset) / 4;
  });
  assertEquals(starts, [5, 6, 7, 2]);
});

/** Tensors of every type that PyTorch has, with odd bits. */
function example(): Map<string, StoredTensor> {
  const random = (size: number, seed: number) => new Uint8Array(bits(seed, size).buffer.slice(0, size));
  return new Map<string, StoredTensor>([
    ["double é", { dtype: "F64", shape: [2, 1, 2], data: new Float64Array(random(32, 1).buffer) }],
    ["float", { dtype: "F32", shape: [5], data: new Float32Array(random(20, 2).buffer) }],
    ["half", { dtype: "F16", shape: [3, 3], data: new Float16Array(random(18, 3).buffer) }],
    ["brain", { dtype: "BF16", shape: [7], data: new Uint16Array(random(14, 4).buffer) }],
    ["long", { dtype: "I64", shape: [], data: BigInt64Array.of(-(2n ** 63n)) }],
    ["int", { dtype: "I32", shape: [1, 2], data: Int32Array.of(-1, 2 ** 31 - 1) }],
    ["short", { dtype: "I16", shape: [2], data: Int16Array.of(-1, 7) }],
    ["char", { dtype: "I8", shape: [2], data: Int8Array.of(-1, 7) }],
    ["byte", { dtype: "U8", shape: [2], data: Uint8Array.of(255, 0) }],
    ["bool", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
    ["none", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
    // A view into a larger buffer, and one element many times more than a pickle's short integers hold.
    ["part", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2, 3, 4).subarray(1, 3) }],
    ["large", { dtype: "U8", shape: [300, 300], data: random(90_000, 5) }],
  ]);
}

Deno.test("encodePytorch() writes what decodePytorch() reads, bit for bit, the same bytes each time", async () => {
  const bytes = await encodePytorch(example());
  assertEquals(bytes, await encodePytorch(example()));
  assertEquals((await decodePytorch(bytes, "a")).tensors, example());
  // Also where the bytes do not start at the beginning of their buffer.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assertEquals((await decodePytorch(shifted.subarray(3), "a")).tensors, example());
  const wrong = new Map<string, StoredTensor>([["a b", { dtype: "U32", shape: [1], data: new Uint32Array(1) }]]);
  const { message } = assertThrows(() => encodePytorch(wrong), WeightsError);
  assertEquals(message, '"a b" is U32, which PyTorch does not support');
});

await testWith(
  "torch",
  "PyTorch opens what encodePytorch() writes, with weights_only, every type bit for bit",
  () =>
    withFolder(async (folder) => {
      await Deno.writeFile(join(folder, "a.pth"), await encodePytorch(example()));
      const program = `
import json, sys, zipfile
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from golden_files import described
import torch
state = torch.load("a.pth", weights_only=True)
assert type(state).__name__ == "OrderedDict" and zipfile.ZipFile("a.pth").testzip() is None
data, offsets = open("a.pth", "rb").read(), []
for info in zipfile.ZipFile("a.pth").infolist():
    at = info.header_offset
    offsets.append(at + 30 + int.from_bytes(data[at + 26:at + 28], "little") + int.from_bytes(data[at + 28:at + 30], "little"))
print(json.dumps([{name: described(tensor) for name, tensor in state.items()}, offsets]))`;
      const [table, offsets] = JSON.parse(await python(program, folder, GOLDEN));
      assertEquals(table, tableOf(example()));
      assertEquals(Object.keys(table), [...example().keys()]);
      // As PyTorch's own: what maps a file into memory wants aligned storages.
      assertEquals(offsets.filter((offset: number) => offset % 64 !== 0), []);
    }),
);

await testWith(
  "torch",
  "PyTorch's logits with exported weights are those of wgrad within 1e-5",
  () =>
    withFolder(async (folder) => {
      manualSeed(11);
      const net = nn.models.lenet(), x = Float32Array.from({ length: 4 * 3 * 1024 }, (_, i) => Math.sin(i * i));
      await Deno.writeFile(join(folder, "net.pth"), await encodePytorch(await storedState(net.stateDict())));
      await Deno.writeFile(join(folder, "x.bin"), new Uint8Array(x.buffer));
      const program = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from golden_modules import Net
import torch
net = Net()
print(net.load_state_dict(torch.load("net.pth", weights_only=True)), file=sys.stderr)
x = torch.frombuffer(bytearray(open("x.bin", "rb").read()), dtype=torch.float32).reshape(4, 3, 32, 32)
print(json.dumps(net(x).tolist()))`;
      const expected = (JSON.parse(await python(program, folder, GOLDEN)) as number[][]).flat();
      const logits = await net.forward(tensor(x, { shape: [4, 3, 32, 32] })).data();
      assertClose(logits, expected, { rtol: 0, atol: 1e-5 });
      assert(Math.max(...expected) - Math.min(...expected) > 0.1);
    }),
);

Deno.test("decodePytorch() reads archives that are packed, and checkpoints with one state dict", async () => {
  const expected = new Map<string, StoredTensor>([["w", {
    dtype: "F32",
    shape: [2, 3],
    data: new Float32Array(SIX.buffer),
  }]]);
  assertEquals((await decodePytorch(await packed(filesOf()), "a")).tensors, expected);
  const state = dictOf({ w: tensorOf() });
  for (const key of ["state_dict", "model_state_dict", "model"]) {
    const value = dictOf({ epoch: int(3), [key]: state, optimizer: dictOf({ w: tensorOf() }) });
    assertEquals((await decodePytorch(await writeZip(filesOf(value)), "a")).tensors, expected, key);
  }
  // Tensors beside the state dict, and extents of 1 with odd strides, as PyTorch has them at times.
  const value = dictOf({ loss: tensorOf({ shape: ints(), strides: ints() }), model: state });
  assertEquals((await decodePytorch(await writeZip(filesOf(value)), "a")).tensors, expected);
  const odd = dictOf({ w: tensorOf({ shape: ints(1, 6, 1), strides: ints(99, 1, 77) }) });
  assertEquals((await decodePytorch(await writeZip(filesOf(odd)), "a")).tensors.get("w")!.shape, [1, 6, 1]);
});

Deno.test("decodePytorch() reads a tensor with empty metadata", () => {
  for (const args of [[DICT], [[0x4e]]]) assertEquals(decodePytorch(metadata(...args), "a").tensors.size, 1);
});

await testWith(
  "torch",
  "decodePytorch() reads files of names of every length, and the state dict of a checkpoint with other objects",
  () =>
    withFolder(async (folder) => {
      const program = `
import argparse, collections, numpy, pathlib, torch
state = {"w": torch.arange(6.0).reshape(2, 3)}
for length in range(1, 61):
    torch.save(state, "n" * length + ".pth")
others = {"set": {1, 2}, "frozen": frozenset([1]), "path": pathlib.Path("/tmp/x"), "sparse": torch.eye(3).to_sparse(),
    "csr": torch.eye(3).to_sparse_csr(), "counter": collections.Counter({30: 1}), "device": torch.device("cpu"),
    "size": torch.Size([1, 2]), "dtype": torch.float32, "bytes": b"ab", "default": collections.defaultdict(list, a=[1]),
    "scalar": numpy.float64(3), "array": numpy.arange(3), "args": argparse.Namespace(lr=0.1), "long": 2**70}
torch.save({"model": state, **others}, "checkpoint.pth")
torch.save({"state_dict": state, **others}, "fourth.pth", pickle_protocol=4)`;
      await python(program, folder);
      const names = [...Array(60).keys()].map((i) => "n".repeat(i + 1)).concat("checkpoint", "fourth");
      for (const name of names) {
        const { tensors } = decodePytorch(await Deno.readFile(join(folder, `${name}.pth`)), name);
        assertEquals([...tensors.keys()], ["w"], name);
        assertEquals(tensors.get("w"), { dtype: "F32", shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) }, name);
      }
    }),
);

Deno.test("decodePytorch() is not misled by a shape that a pickle changes once it was checked", async () => {
  // The shape is a list that is put into the memo; once the tensor is in the dict, a 100 is appended to it.
  const shape = [0x5d, 0x71, 7, 0x28, ...int(2), ...int(3), 0x65], changed = [0x68, 7, ...int(100), 0x61, 0x62];
  const file = await writeZip(filesOf([...dictOf({ w: tensorOf({ shape }) }), ...changed]));
  assertEquals((await decodePytorch(file, "a")).tensors.get("w")!.shape, [2, 3]);
});

const negative = [0x4a, 0xff, 0xff, 0xff, 0xff], huge = [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0x80, 0];
const one = (parts: Parameters<typeof tensorOf>[0]) => writeZip(filesOf(dictOf({ w: tensorOf(parts) })));
const evil = (name: string) => Deno.readFile(join(GOLDEN, "files", `${name}.pth`));
const metadata = (...args: number[][]) =>
  writeZip(filesOf(dictOf({ w: [...tensorOf().slice(0, -2), ...args.flat(), 0x74, 0x52] })));
const HOSTILE: [what: string, bytes: () => Uint8Array | Promise<Uint8Array>, message: RegExp][] = [
  ["a call of os.system", () => evil("evil_system"), /its pickle names "posix.system", which tensors do not need/],
  ["a call of eval", () => evil("evil_eval"), /its pickle names "__builtin__.eval"/],
  ["a whole module", () => evil("evil_module"), /its pickle names "torch.nn.modules.linear.Linear"/],
  [
    "GLOBAL os system",
    () => writeZip(filesOf(dictOf({ w: call(global("os", "system"), text("id")) }))),
    /its pickle names "os.system", which tensors do not need, so it is not run: save only a state_dict\(\)$/,
  ],
  ["a storage of complex numbers", () => one({ type: global("torch", "ComplexFloatStorage") }), /"torch.ComplexFloat/],
  ["no pickle", () => writeZip(filesOf(DICT, { "a/data.pkl": undefined })), /0 files named data\.pkl/],
  ["two pickles", () => writeZip(filesOf(DICT, { "b/data.pkl": SIX })), /2 files named data\.pkl/],
  [
    "big-endian numbers",
    () => writeZip(filesOf(undefined, { "a/byteorder": new TextEncoder().encode("big") })),
    /little/,
  ],
  ["no dict", () => writeZip(filesOf(tensorOf())), /not contain a dict of tensors: save net\.state_dict\(\)/],
  ["an empty dict", () => writeZip(filesOf(DICT)), /no dict that holds only tensors/],
  ["a dict of numbers", () => writeZip(filesOf(dictOf({ epoch: int(3) }))), /no dict that holds only tensors/],
  [
    "a name that is a number",
    () => writeZip(filesOf([...DICT, ...int(1), ...tensorOf(), 0x73])),
    /no dict that holds only tensors/,
  ],
  [
    "two state dicts",
    () => writeZip(filesOf(dictOf({ model: dictOf({ w: tensorOf() }), state_dict: dictOf({ w: tensorOf() }) }))),
    /more than one dict of tensors/,
  ],
  [
    "a name with an escape sequence",
    () => writeZip(filesOf(dictOf({ "\x1b[31m\n": tensorOf() }))),
    /the name "\\u001b\[31m\\n" has control characters/,
  ],
  ...["../../evil", "/etc/passwd", "C:\\evil"].map((name): [string, () => Uint8Array, RegExp] => [
    `a file called ${name}`,
    () => writeZip(filesOf(undefined, { [name]: SIX })),
    /Unsafe filename$/,
  ]),
  ["no storage", () => writeZip(filesOf(undefined, { "a/data/0": undefined })), /the file "a\/data\/0" is missing/],
  [
    "a storage outside the archive",
    () => one({ key: text("../../../etc/passwd") }),
    /the file "a\/data\/\.\.\/\.\.\/\.\.\/etc\/passwd" is missing/,
  ],
  ["a storage cut short", () => writeZip(filesOf(undefined, { "a/data/0": SIX.subarray(1) })), /has 23 bytes for 6/],
  ["another length", () => one({ length: int(7) }), /"a\/data\/0" has 24 bytes for 7 elements of F32/],
  ["another type", () => one({ type: global("torch", "HalfStorage") }), /has 24 bytes for 6 elements of F16/],
  ["another outer object", () => one({ kind: text("module") }), /something that is not a storage/],
  ["a type that is no storage", () => one({ type: text("Float") }), /something that is not a storage/],
  ["a key that is a number", () => one({ key: int(0) }), /something that is not a storage/],
  ["a negative length", () => one({ length: negative }), /something that is not a storage/],
  ["a length past 2^63", () => one({ length: huge }), /something that is not a storage/],
  ["a negative offset", () => one({ offset: negative }), /with an invalid storage, shape or strides/],
  ["an offset past 2^63", () => one({ offset: huge }), /with an invalid storage, shape or strides/],
  ["a negative extent", () => one({ shape: tuple(negative, int(3)) }), /with an invalid storage, shape or strides/],
  [
    "an extent that is true",
    () => one({ shape: tuple(bool(true), int(3)) }),
    /with an invalid storage, shape or strides/,
  ],
  ["a negative stride", () => one({ strides: tuple(negative, int(1)) }), /with an invalid storage, shape or strides/],
  ["strides of fewer axes", () => one({ strides: ints(1) }), /with an invalid storage, shape or strides/],
  ["a shape that is no tuple", () => one({ shape: int(6), strides: int(1) }), /invalid storage, shape or strides/],
  [
    "65 axes",
    () => one({ shape: ints(...Array(65).fill(1)), strides: ints(...Array(65).fill(1)) }),
    /invalid storage, shape or strides/,
  ],
  [
    "a tensor that is no view",
    () => writeZip(filesOf(dictOf({ w: call(global("torch._utils", "_rebuild_tensor_v2")) }))),
    /with an invalid storage, shape or strides/,
  ],
  [
    "a parameter of a number",
    () => writeZip(filesOf(dictOf({ w: call(global("torch._utils", "_rebuild_parameter"), int(1)) }))),
    /a parameter that is not a tensor/,
  ],
  [
    "a dict of something",
    () => writeZip(filesOf(call(global("collections", "OrderedDict"), DICT))),
    /an OrderedDict that is not empty/,
  ],
  [
    "values of the opposite sign",
    () => metadata(withItems(DICT, [[text("neg"), bool(true)]])),
    /bit for negated values/,
  ],
  ["metadata of another kind", () => metadata(bool(true)), /metadata, such as/],
  ["an eighth argument", () => metadata(DICT, DICT), /metadata, such as/],
  [
    "a shape of no elements whose product is past 2^1000",
    () => one({ shape: ints(...Array(20).fill(2 ** 53 - 1), 0), strides: ints(...Array(21).fill(1)) }),
    /unpacking it needs far more bytes/,
  ],
  ["a shape too large", () => one({ shape: ints(2, 4) }), /shape \[2, 4\] ends after the end of storage "0"/],
  ["an offset too large", () => one({ offset: int(1) }), /ends after the end of storage "0"/],
  ["a stride too large", () => one({ strides: ints(4, 1) }), /ends after the end of storage "0"/],
  ["a stride past 2^53", () => one({ strides: ints(2 ** 53 - 1, 1) }), /ends after the end of storage "0"/],
  [
    "a scalar behind the end",
    () => one({ offset: int(6), shape: ints(), strides: ints() }),
    /ends after the end of storage "0"/,
  ],
  [
    "one element a trillion times",
    () => one({ shape: ints(2 ** 40), strides: ints(0) }),
    /unpacking it needs far more bytes/,
  ],
  [
    "one element 2^104 times",
    () => one({ shape: ints(2 ** 52, 2 ** 52), strides: ints(0, 0) }),
    /unpacking it needs far more bytes/,
  ],
  ["many tensors that are large together", () => {
    const part = tensorOf({ shape: ints(2 ** 20), strides: ints(0) });
    return writeZip(filesOf(dictOf(Object.fromEntries([..."abcdefgh"].map((name) => [name, part])))));
  }, /unpacking it needs far more bytes/],
  [
    "a bomb of zeros",
    () =>
      packed(
        filesOf(dictOf({ w: tensorOf({ length: int(5e6), shape: ints(5e6), strides: ints(1) }) }), {
          "a/data/0": new Uint8Array(2e7),
        }),
      ),
    /"a\/data\/0": unpacking it needs far more bytes/,
  ],
  [
    "a bomb of a pickle",
    () => packed(filesOf(DICT, { "a/data.pkl": new Uint8Array(1e7).fill(0x4e) })),
    /its pickle has 10000000 bytes; the limit is 2000000/,
  ],
  ["an encrypted archive", () => packed(filesOf(), "secret"), /contains encrypted entry/],
  [
    "an archive cut short",
    async () => (await writeZip(filesOf())).subarray(0, 300),
    /End of central directory not found/,
  ],
  ["bytes of a storage that were changed", async () => {
    const bytes = await writeZip(filesOf()),
      at = bytes.findIndex((_, i) => SIX.every((byte, j) => bytes[i + j] === byte));
    bytes[at + 2]! ^= 1;
    return bytes;
  }, /"a\/data\/0": its checksum is wrong/],
  [
    "an entry larger than it is",
    async () => patched(await writeZip(filesOf()), "PK\x01\x02", 1, 24, 0, 0, 0, 0x40),
    /"a\/data\/0": /,
  ],
  [
    "an entry packed larger than the file",
    async () => patched(await writeZip(filesOf()), "PK\x01\x02", 1, 20, 0, 0, 0, 0x40),
    /"a\/data\/0": /,
  ],
  [
    "entries at one place",
    async () => patched(await writeZip(filesOf(undefined, { "a/data/1": SIX })), "PK\x01\x02", 1, 42, 0, 0, 0, 0),
    /"a\/data\/0": /,
  ],
  [
    "an unknown way of packing",
    async () => patched(await writeZip(filesOf()), "PK\x01\x02", 1, 10, 99),
    /"a\/data\/0": /,
  ],
  ["a name twice", async () => {
    const bytes = await writeZip(filesOf(undefined, { "a/data/1": SIX }));
    // The name in the directory, 46 bytes behind its beginning.
    return patched(bytes, "PK\x01\x02", 3, 46 + "a/data/".length, 0x30);
  }, /it contains "a\/data\/0" twice/],
  [
    "the format before PyTorch 1.6",
    () => Uint8Array.fromHex("80028a0a6cfc9c46f9206aa850192e80024d"),
    /not recognized/,
  ],
];

for (const [what, bytes, message] of HOSTILE) {
  Deno.test(`decodePytorch() refuses ${what}`, async () => {
    const file = await bytes(), error = assertThrows(() => decodePytorch(file, "a.pth"), WeightsError);
    assert(error.message.startsWith("a.pth is not a valid PyTorch file: "), error.message);
    assert(message.test(error.message), error.message);
    assert(!error.message.includes("\n") && error.message.length < 400, error.message);
  });
}
