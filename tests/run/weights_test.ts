/**
 * Giving a model the tensors of files of other programs: types of elements that become f32 or u32, and those that cannot.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { WeightsError } from "../../src/errors.ts";
import type { StoredDtype, StoredTensor } from "../../src/io/stored_tensor.ts";
import { nn } from "../../src/mod.ts";
import { encodePytorch } from "../../src/io/pytorch.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { load } from "../../src/mod.ts";
import { readStored, storedState } from "../../src/nn/files.ts";
import { applyWeights, loadWeights, saveWeights } from "../../src/run/weights.ts";
import { withFolder } from "../data/fixtures.ts";

const floats = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) } as const;
const counted = { dtype: "I64", shape: [], data: BigInt64Array.of(3n) } as const;

/** The weights of a net of one BatchNorm1d(2) with one of them replaced. */
function stored(name: string, tensor: StoredTensor): Map<string, StoredTensor> {
  const names = ["weight", "bias", "running_mean", "running_var"];
  const all = new Map<string, StoredTensor>(names.map((name) => [name, floats]));
  return all.set("num_batches_tracked", counted).set(name, tensor);
}

const FLOATS: [dtype: StoredDtype, data: StoredTensor["data"], expected: number[]][] = [
  ["F64", Float64Array.of(0.1, -1e-300), [Math.fround(0.1), -0]],
  ["F64", Float64Array.of(Infinity, NaN), [Infinity, NaN]],
  ["F16", Float16Array.of(1.5, 2 ** -24), [1.5, 2 ** -24]],
  ["BF16", Uint16Array.of(0xc040, 0x7f80), [-3, Infinity]],
];

for (const [dtype, data, expected] of FLOATS) {
  Deno.test(`applyWeights() makes f32 of ${dtype} ${expected}`, async () => {
    const net = new nn.BatchNorm1d(2);
    applyWeights(net, stored("weight", { dtype, shape: [2], data }), "a.pth");
    assertEquals([...await net.weight!.data()], expected);
    assertEquals(await net.numBatchesTracked!.item(), 3);
  });
}

Deno.test("applyWeights() makes u32 of whole numbers of any type", async () => {
  for (const data of [Int32Array.of(7), Int16Array.of(7), Int8Array.of(7), Uint8Array.of(7), BigUint64Array.of(7n)]) {
    const dtype = `${data instanceof Uint8Array || data instanceof BigUint64Array ? "U" : "I"}${
      8 * data.BYTES_PER_ELEMENT
    }`;
    const net = new nn.BatchNorm1d(2);
    applyWeights(net, stored("num_batches_tracked", { dtype: dtype as StoredDtype, shape: [], data }), "a.pth");
    assertEquals(await net.numBatchesTracked!.item(), 7);
  }
});

const REFUSED: [name: string, tensor: StoredTensor, message: RegExp][] = [
  ["weight", { dtype: "F64", shape: [2], data: Float64Array.of(0, 1e300) }, /"weight" has 1e\+300, which is no f32$/],
  ["weight", { dtype: "I32", shape: [2], data: Int32Array.of(0, 1) }, /weight is u32 instead of f32$/],
  ["num_batches_tracked", { dtype: "F32", shape: [], data: Float32Array.of(3) }, /tracked is f32 instead of u32$/],
  ["num_batches_tracked", { dtype: "I32", shape: [], data: Int32Array.of(-3) }, /tracked" has -3, which is no u32$/],
  [
    "weight",
    { dtype: "F32", shape: [1, 2], data: Float32Array.of(1, 2) },
    /weight has shape \[1, 2\] instead of \[2\]$/,
  ],
  ["weight", { dtype: "F16", shape: [3], data: new Float16Array(3) }, /weight has shape \[3\] instead of \[2\]$/],
  ["more", { dtype: "U8", shape: [3, 3], data: new Uint8Array(9) }, /unexpected more$/],
  ["more", { dtype: "F32", shape: [0], data: new Float32Array(0) }, /"more" has no elements$/],
];

for (const [name, tensor, message] of REFUSED) {
  Deno.test(`applyWeights() refuses ${name} as ${tensor.dtype} [${tensor.shape}], and changes nothing`, async () => {
    const net = new nn.BatchNorm1d(2), before = [...await net.weight!.data()];
    const error = assertThrows(() => applyWeights(net, stored(name, tensor), "a.pth"), WeightsError);
    assert(error.message.startsWith("a.pth: ") && message.test(error.message), error.message);
    assertEquals([...await net.weight!.data()], before);
    assertEquals(await net.numBatchesTracked!.item(), 0);
  });
}

Deno.test("a saved file of weights has a checksum: it is refused if any byte was changed", () =>
  withFolder(async (folder) => {
    const path = join(folder, "model.safetensors"), net = nn.models.lenet();
    await saveWeights(net, path, { model: "lenet", normalize: "half" });
    const bytes = await Deno.readFile(path), length = 8 + new DataView(bytes.buffer).getUint32(0, true);
    const { model, module } = await loadWeights(path), { file } = await readStored(path);
    assertEquals([model, file.metadata.model, file.metadata.sha256], ["lenet", "lenet", undefined]);
    assert(/^\{"__metadata__":\{"sha256":"[0-9a-f]{64}",/.test(new TextDecoder().decode(bytes.subarray(8, 200))));
    assertEquals([...await module.parameters()[0]!.data()], [...await net.parameters()[0]!.data()]);
    // The first bytes say that there is a checksum.
    const start = `12345678{"__metadata__":{"sha256":"`.length;
    for (const at of [start, start + 63, start + 80, length - 20, length, length + 1000, bytes.length - 1]) {
      await Deno.writeFile(path, bytes.with(at, bytes[at]! ^ 1));
      await assertRejects(() => loadWeights(path), WeightsError);
    }
    // What was changed is a weight, so that only the checksum can tell.
    await Deno.writeFile(path, bytes.with(length + 1000, bytes[length + 1000]! ^ 1));
    await assertRejects(() => load(path), WeightsError, "was altered: its SHA-256 is not the one");
    // Files without one are read, also those of other programs that have something else of that name.
    const tensors = await storedState(net.stateDict());
    for (const other of [{}, { format: "pt", sha256: "abc" }]) {
      await Deno.writeFile(path, encodeSafetensors(tensors, other));
      assertEquals((await load(path)).size, tensors.size);
    }
  }));

Deno.test("names with a prefix of PyTorch's are refused with a hint, and read without it", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.pth"), tensors = await storedState(nn.models.lenet().stateDict());
    for (const prefix of ["module.", "_orig_mod.", "module._orig_mod."]) {
      const named = new Map(Array.from(tensors, ([name, stored]) => [prefix + name, stored]));
      await Deno.writeFile(path, encodePytorch(named));
      const { message } = await assertRejects(() => loadWeights(path), WeightsError);
      assert(message.endsWith(`start with ${prefix}, which wgrad import --strip-prefix ${prefix} leaves out`), message);
      const { module } = await loadWeights(path, {}, { stripPrefix: prefix });
      assertEquals((await storedState(module.stateDict())).get("fc1.bias"), tensors.get("fc1.bias"));
    }
    await assertRejects(
      () => loadWeights(path, {}, { stripPrefix: "net." }),
      WeightsError,
      'does not start with "net."',
    );
  }));

Deno.test("load() refuses a file with an empty tensor", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    const empty: StoredTensor = { dtype: "F32", shape: [0, 2], data: new Float32Array(0) };
    await Deno.writeFile(path, encodeSafetensors(new Map([["w", empty]])));
    await assertRejects(() => load(path), WeightsError, 'a.safetensors: "w" has no elements');
  }));
