/**
 * Readers of weights: safetensors, checkpoints, pickles, zip archives, `.npz` and `.pth`.
 *
 * @module
 */
import { join } from "node:path";
import { decodeWeights } from "../../src/io/formats.ts";
import { encodeNpz } from "../../src/io/npz.ts";
import { unpickle } from "../../src/io/pickle.ts";
import { encodePytorch } from "../../src/io/pytorch.ts";
import { encodeSafetensors, encodeWithSum } from "../../src/io/safetensors.ts";
import { bytesOf as elementBytes, elementCount, type StoredTensor } from "../../src/io/stored_tensor.ts";
import { Archive, writeZip } from "../../src/io/zip.ts";
import { decodeCheckpoint, encodeCheckpoint, type RunState } from "../../src/run/checkpoint.ts";
import { concat } from "../data/fixtures.ts";
import { packed } from "../io/pytorch_files.ts";
import { ROOT } from "../project/support.ts";
import type { Draw } from "../property/draw.ts";
import { bits } from "../support/random.ts";
import { bytesOf, damage, type Damaged, damageJson, flipBit } from "./mutate.ts";
import type { Target } from "./target.ts";

const random = (seed: number, count: number) => new Float32Array(bits(seed, count).buffer);
const TENSORS = new Map<string, StoredTensor>([
  ["conv.weight", { dtype: "F32", shape: [4, 3, 3], data: random(1, 36) }],
  ["conv.bias", { dtype: "F32", shape: [4], data: random(2, 4) }],
  ["none", { dtype: "F16", shape: [0, 4], data: new Float16Array(0) }],
  ["bn.num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(7n) }],
]);
const PYTORCH = await Promise.all(
  ["net", "views", "checkpoint", "evil_system"].map((name) =>
    Deno.readFile(join(ROOT, `tests/golden/files/${name}.pth`))
  ),
);

const COUNTS = { steps: 1, images: 4, correct: 2 }, PART = { ...COUNTS, sum: 1, loss: 1 };
const STATE: RunState = {
  ...{ step: 5, epoch: 1, stepInEpoch: 5, ofEpoch: PART, printed: PART, noted: PART, seconds: 1, rateScale: 1 },
  ...{ restores: 0, schedule: null, rng: [0, 0, 0], best: { step: 5, loss: 1, accuracy: 0.5 } },
  ...{
    config: { lr: 0.1 },
    kernels: { a: "b" },
    data: { images: 42, sha256: "0" },
    metrics: { bytes: 3, sha256: "0" },
  },
};
const CHECKPOINT = new Map<string, StoredTensor>([["model.a", { dtype: "F32", shape: [50], data: random(3, 50) }]]);
const LABELS = { model: "lenet", normalize: "half" } as const;

/** Tensors as a text, whose shapes must fit their data. */
function textOf({ tensors }: { readonly tensors: ReadonlyMap<string, StoredTensor> }): string {
  return JSON.stringify([...tensors].map(([name, stored]) => {
    if (elementCount(stored.shape) !== stored.data.length) throw new TypeError(`${name} has the wrong length`);
    return [name, stored.dtype, stored.shape, elementBytes(stored).toHex()];
  }));
}

/** A file of safetensors: the header and the rest. */
function split(bytes: Uint8Array): { header: string; rest: Uint8Array } {
  const end = 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { header: new TextDecoder().decode(bytes.subarray(8, end)), rest: bytes.subarray(end) };
}

/** A file of safetensors with another header, whose length is right. */
function withHeader(header: Uint8Array, rest: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setUint32(0, header.length, true);
  return concat(length, header, rest);
}

/** A state or a header of safetensors is damaged, and the length of the header, and the checksum if there is one, made right. */
function safetensorsTarget(): Target {
  const plain = encodeSafetensors(TENSORS, { format: "pt" }), summed = encodeWithSum(TENSORS, { format: "pt" });
  return {
    name: "safetensors",
    seeds: 2,
    damaged(seed, draw) {
      const bytes = [plain, summed][seed]!;
      if (!draw) return { bytes, covered: seed === 1 };
      const action = draw.int(0, 4);
      // The start of the file says that there is a checksum.
      if (seed === 1 && action < 2) {
        return { bytes: concat(bytes.subarray(0, 34), flipBit(bytes.subarray(34), draw)), covered: true };
      }
      if (action === 0) return { bytes: damage(bytes, draw), covered: false };
      const { header, rest } = split(bytes);
      return { bytes: withHeader(damageJson(JSON.parse(header), draw), rest), covered: false };
    },
    read: async (bytes) => textOf(await decodeWeights(bytes, "FILE")),
  };
}

function checkpointTarget(): Target {
  const sound = encodeCheckpoint({ state: STATE, tensors: CHECKPOINT }, LABELS);
  return {
    name: "checkpoint",
    seeds: 1,
    damaged(_, draw) {
      if (!draw) return { bytes: sound, covered: true };
      if (draw.flip()) {
        const bytes = damage(sound, draw);
        // What is cut or put in before the checksum can make it another file.
        return { bytes, covered: bytes.length === sound.length };
      }
      const state = new TextDecoder().decode(damageJson(STATE, draw)), metadata = { ...LABELS, checkpoint: state };
      return { bytes: encodeWithSum(CHECKPOINT, metadata), covered: false };
    },
    read(bytes) {
      const checkpoint = decodeCheckpoint(bytes, "FILE");
      return textOf(checkpoint) + JSON.stringify(checkpoint.state);
    },
  };
}

/** Errors of readers without a name of a file: their callers add it, and make them typed. */
const isPlainError = (error: unknown) => error instanceof Error && error.constructor === Error;

function pickleTarget(): Target {
  const seeds = [encodePytorch(TENSORS), ...PYTORCH].map((bytes) => {
    const archive = Archive.open(bytes);
    return archive.read(archive.names.find((name) => name.endsWith("data.pkl"))!);
  });
  const storages = ["Float", "Double", "Half", "Long", "Int"].map((name) => [`torch.${name}Storage`, name]);
  const globals = {
    ...Object.fromEntries(storages),
    "collections.OrderedDict": () => new Map(),
    "torch._utils._rebuild_tensor_v2": () => 1,
    "torch._utils._rebuild_parameter": () => 1,
  };
  return {
    name: "pickle",
    seeds: seeds.length,
    damaged: (seed, draw) => ({
      bytes: draw ? damage(seeds[seed]!, draw, seeds) : new Uint8Array(seeds[seed]!),
      covered: false,
    }),
    read(bytes) {
      unpickle(bytes, { globals, persistent: () => 1 });
    },
    allows: isPlainError,
  };
}

async function zipTarget(): Promise<Target> {
  const files = [["a.npy", bytesOf("hello")], ["b/c", new Uint8Array(0)]] as const;
  const seeds = [new Uint8Array(writeZip(files)), new Uint8Array(await packed(files)), ...PYTORCH];
  return {
    name: "zip",
    seeds: seeds.length,
    damaged: (seed, draw) => ({
      bytes: draw ? damage(seeds[seed]!, draw, seeds) : seeds[seed]!,
      covered: true,
    }),
    read(bytes) {
      const archive = Archive.open(bytes);
      return JSON.stringify(archive.names.map((name) => [name, archive.read(name).toHex()]));
    },
    allows: isPlainError,
  };
}

/** The archives of `.npz` and `.pth`: as a whole, or with one of their files damaged and a right checksum. */
async function archiveTarget(name: string, sound: readonly Uint8Array[]): Promise<Target> {
  const seeds = sound.map((bytes) => new Uint8Array(bytes));
  const contents = seeds.map((bytes) => {
    const archive = Archive.open(bytes);
    return archive.names.map((name): [string, Uint8Array] => [name, archive.read(name)]);
  });
  const inner = async (files: readonly [string, Uint8Array][], draw: Draw): Promise<Damaged> => {
    const at = draw.int(0, Math.min(files.length - 1, 3));
    const changed = files.map((file, i): [string, Uint8Array] => i === at ? [file[0], damage(file[1], draw)] : file);
    const bytes = draw.int(0, 9) === 0 ? await packed(changed) : writeZip(changed);
    return { bytes: new Uint8Array(bytes), covered: false };
  };
  await decodeWeights(seeds[0]!, "FILE");
  return {
    name,
    seeds: seeds.length,
    damaged(seed, draw) {
      if (!draw) return { bytes: seeds[seed]!, covered: true };
      return draw.flip() ? inner(contents[seed]!, draw) : { bytes: damage(seeds[seed]!, draw, seeds), covered: true };
    },
    read: async (bytes) => textOf(await decodeWeights(bytes, "FILE")),
  };
}

/** The readers of weights. */
export async function weightsTargets(): Promise<Target[]> {
  const npz = encodeNpz(TENSORS), npy = Archive.open(npz).read("conv.weight.npy");
  return [
    safetensorsTarget(),
    checkpointTarget(),
    pickleTarget(),
    await zipTarget(),
    await archiveTarget("npz", [npz, await packed([["w.npy", npy]])]),
    await archiveTarget("pth", [encodePytorch(TENSORS), ...PYTORCH.slice(0, 3)]),
  ];
}
