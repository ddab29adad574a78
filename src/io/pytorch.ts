/**
 * PyTorch's `.pth` files, as written by `torch.save(net.state_dict())` since version 1.6: a zip archive with a pickle that
 * describes the tensors, and one file for each storage, which is the memory that tensors are views of. No code in a file is
 * run: see `pickle.ts`.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import { printable, quote } from "../foreign_text.ts";
import { OPAQUE, unpickle } from "./pickle.ts";
import { bool, call, global, int, persistent, pickle, text, tuple, withItems } from "./pickle_writer.ts";
import {
  areWholeNumbers,
  ARRAY_TYPES,
  bytesOf,
  checkName,
  checkWritable,
  elementCount,
  elementsAt,
  gather,
  type Layout,
  type StoredDtype,
  type StoredFile,
  type StoredTensor,
} from "./stored_tensor.ts";
import { Archive, writeZip } from "./zip.ts";

/** The element types, by the names of PyTorch's storage classes. */
const STORAGES: Readonly<Record<string, StoredDtype>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** The keys under which a checkpoint may store the state dict of the model. */
const STATE_KEYS = ["state_dict", "model_state_dict", "model"];

/** A storage that a pickle refers to. `length` is its number of elements, as the pickle states it. */
class Storage {
  constructor(readonly dtype: StoredDtype, readonly key: string, readonly length: number) {}
}

/** A tensor in a pickle: a view of a storage. */
class View implements Layout {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}

  /** Whether the elements are stored one after the other in row-major order. */
  get contiguous(): boolean {
    let step = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== step) return false;
      step *= this.shape[axis]!;
    }
    return true;
  }
}

/**
 * Functions and types for what checkpoints hold beside a state dict: sets, paths, sparse tensors, counters of schedules,
 * numbers of NumPy. None of them is called; each gives an object that is not read.
 */
const IGNORED: readonly string[] = [
  ...["__builtin__", "builtins"].flatMap((module) =>
    [
      "set",
      "frozenset",
      "list",
      "dict",
      "tuple",
      "int",
      "float",
      "bool",
      "str",
      "bytes",
      "bytearray",
      "complex",
      "slice",
    ]
      .map((name) => `${module}.${name}`)
  ),
  ...["pathlib", "pathlib._local"].flatMap((module) =>
    ["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"].map((name) => `${module}.${name}`)
  ),
  ..."Size,device,float64,float32,float16,bfloat16,int64,int32,int16,int8,uint8,bool,complex64,complex128".split(",")
    .map((name) => `torch.${name}`),
  "torch.serialization._get_layout",
  "torch._utils._rebuild_sparse_tensor",
  "torch._utils._rebuild_sparse_csr_tensor",
  "collections.Counter",
  "collections.defaultdict",
  "collections.deque",
  "argparse.Namespace",
  "datetime.datetime",
  "datetime.timedelta",
  "_codecs.encode",
  "numpy.dtype",
  "numpy.ndarray",
  ...["numpy.core.multiarray", "numpy._core.multiarray"].flatMap((module) => [
    `${module}.scalar`,
    `${module}._reconstruct`,
  ]),
];

/** The functions and types that a pickle may name. */
const GLOBALS: Readonly<Record<string, unknown>> = {
  ...Object.fromEntries(IGNORED.map((name) => [name, () => OPAQUE])),
  ...Object.fromEntries(Object.entries(STORAGES).map(([name, dtype]) => [`torch.${name}`, dtype])),
  "collections.OrderedDict": (args: readonly unknown[]) => {
    if (args.length > 0) throw new Error("its pickle makes an OrderedDict that is not empty");
    return new Map();
  },
  "torch._utils._rebuild_tensor_v2": (args: readonly unknown[]) => {
    const [storage, offset, shape, strides, , , metadata] = args;
    const valid = storage instanceof Storage && areWholeNumbers([offset]) && areWholeNumbers(shape) &&
      areWholeNumbers(strides) &&
      shape.length === strides.length && shape.length <= 64;
    if (!valid) throw new Error("its pickle has a tensor with an invalid storage, shape or strides");
    // Bits that change what the elements mean, such as "neg" for values that are stored with the opposite sign.
    if (args.length > 7 || !isEmpty(metadata)) {
      throw new Error(
        "its pickle has a tensor with metadata, such as the bit for negated values: save it after .clone()",
      );
    }
    if (elementCount(shape) === Infinity) {
      throw new Error(
        `unpacking it needs far more bytes than the file has: it has a tensor of shape [${shape.join(", ")}]`,
      );
    }
    const last = shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, offset as number);
    if (elementCount(shape) > 0 && !(last < storage.length)) {
      throw new Error(`a tensor of shape [${shape.join(", ")}] ends after the end of storage ${quote(storage.key)}`);
    }
    // Copied, because the pickle can change these lists later.
    return new View(storage, offset as number, [...shape], [...strides]);
  },
  "torch._utils._rebuild_parameter": ([view]: readonly unknown[]) => {
    if (!(view instanceof View)) throw new Error("its pickle has a parameter that is not a tensor");
    return view;
  },
};

/** Whether metadata of a tensor say nothing. */
function isEmpty(metadata: unknown): boolean {
  return metadata === undefined || metadata === null || (metadata instanceof Map && metadata.size === 0);
}

function storageOf([kind, dtype, key, , length]: readonly unknown[]): Storage {
  const known = typeof dtype === "string" && Object.hasOwn(ARRAY_TYPES, dtype);
  if (kind !== "storage" || !known || typeof key !== "string" || !areWholeNumbers([length])) {
    throw new Error("its pickle refers to something that is not a storage");
  }
  return new Storage(dtype as StoredDtype, key, length as number);
}

/**
 * Decodes a `.pth` file: a state dict, or a checkpoint that has one under the key `state_dict`, `model_state_dict` or `model`.
 * Tensors that share a storage in the file share memory here too.
 *
 * @param where the file's name, for errors
 * @throws {WeightsError} if the file is damaged or big-endian, its pickle uses an opcode or a global that tensors do not need, a
 * tensor exceeds its storage, or the tensors have far more bytes than the file
 */
export function decodePytorch(bytes: Uint8Array, where: string): StoredFile {
  try {
    return { tensors: readTensors(bytes), metadata: {} };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeightsError(`${where} is not a valid PyTorch file: ${printable(why)}`);
  }
}

function readTensors(bytes: Uint8Array): Map<string, StoredTensor> {
  const archive = Archive.open(bytes);
  const folders = archive.names.flatMap((name) => /^([^/]*\/|)data\.pkl$/.exec(name)?.[1] ?? []);
  if (folders.length !== 1) throw new Error(`it has ${folders.length} files named data.pkl; expected one`);
  const folder = folders[0]!, order = `${folder}byteorder`;
  if (archive.size(order) !== undefined && new TextDecoder().decode(archive.read(order)) !== "little") {
    throw new Error("its numbers are not little-endian");
  }
  const root = unpickle(archive.read(`${folder}data.pkl`), { globals: GLOBALS, persistent: storageOf });

  const storages = new Map<string, Uint8Array<ArrayBuffer>>(), tensors = new Map<string, StoredTensor>();
  for (const [name, view] of stateDict(root)) {
    checkName(name);
    const { storage: { dtype, key, length }, shape, offset } = view, size = ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
    const path = `${folder}data/${key}`;
    let storage = storages.get(key);
    if (!storage) storages.set(key, storage = archive.read(path));
    if (storage.length !== length * size) {
      throw new Error(`${quote(path)} has ${storage.length} bytes for ${length} elements of ${dtype}`);
    }
    let data = storage.subarray(offset * size);
    if (!view.contiguous) {
      archive.countMemory(elementCount(shape) * size);
      data = gather(storage, size, view);
    }
    tensors.set(name, { dtype, shape, data: elementsAt(dtype, data, elementCount(shape)) });
  }
  return tensors;
}

/** Finds the state dict: the object itself, or the value of one of `STATE_KEYS`. */
function stateDict(root: unknown): Map<string, View> {
  if (!(root instanceof Map)) throw new Error("it does not contain a dict of tensors: save net.state_dict()");
  const found = isState(root) ? [root] : STATE_KEYS.map((key) => root.get(key)).filter(isState);
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? "no dict that holds only tensors" : "more than one dict of tensors";
  throw new Error(`it has ${what}, at its top or as ${STATE_KEYS.join(", ")}: save net.state_dict()`);
}

function isState(value: unknown): value is Map<string, View> {
  return value instanceof Map && value.size > 0 &&
    [...value].every(([name, item]) => typeof name === "string" && item instanceof View);
}

/**
 * Encodes a state dict for `torch.load(file, weights_only=True)`. Equal tensors give equal bytes.
 *
 * @throws {WeightsError} if a tensor is U16, U32 or U64, which PyTorch does not support, or `decodePytorch()` would refuse the
 * file
 */
export function encodePytorch(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array {
  const orderedDict = call(global("collections", "OrderedDict"));
  const items: [number[], number[]][] = [], files: [string, Uint8Array][] = [];
  checkWritable(tensors);
  for (const [name, stored] of tensors) {
    const { dtype, shape, data } = stored, key = `${items.length}`;
    const type = Object.keys(STORAGES).find((type) => STORAGES[type] === dtype);
    if (!type) throw new WeightsError(`${quote(name)} is ${dtype}, which PyTorch does not support`);
    const storage = tuple(text("storage"), global("torch", type), text(key), text("cpu"), int(data.length));
    const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
    const sizes = [shape, strides].map((numbers) => tuple(...numbers.map(int)));
    const rebuild = global("torch._utils", "_rebuild_tensor_v2");
    items.push([text(name), call(rebuild, persistent(storage), int(0), ...sizes, bool(false), orderedDict)]);
    files.push([`archive/data/${key}`, bytesOf(stored)]);
  }
  const utf8 = new TextEncoder(), description = pickle(withItems(orderedDict, items));
  try {
    // Reading has limits, which more tensors than any network has can exceed.
    unpickle(description, { globals: GLOBALS, persistent: storageOf });
    return writeZip([
      ["archive/data.pkl", description],
      ["archive/byteorder", utf8.encode("little")],
      ...files,
      ["archive/version", utf8.encode("3\n")],
    ]);
  } catch (error) {
    const why = printable(error instanceof Error ? error.message : String(error));
    throw new WeightsError(`these ${tensors.size} tensors cannot be written as .pth: ${why}; use .safetensors`);
  }
}
