/**
 * Opening a data set by name or by path. Opening checks names, sizes and (for the official set) checksums; labels are
 * checked while reading.
 *
 * @module
 */
import { basename, join } from "node:path";
import { DataError, UsageError } from "../errors.ts";
import { entriesInOrder, listArchive } from "../files/archive.ts";
import { cacheFolder, checkFiles } from "./cache.ts";
import { checkListSize, classNamesIn, numberedClasses, readClassNames } from "./class_names.ts";
import {
  CIFAR100_LAYOUT,
  CIFAR10_CLASSES,
  CIFAR10_FILES,
  CIFAR10_FOLDER,
  CIFAR10_LAYOUT,
  recordBytes,
  type RecordLayout,
} from "./cifar.ts";
import { fileChunks, fileSize, sha256 } from "../files/read.ts";
import { fileError } from "../files/file_error.ts";
import { incompleteRecord, readRecords } from "./records.ts";
import { fetchCifar10 } from "./fetch_cifar10.ts";
import type { Dataset, Split } from "./dataset.ts";
import { openSynthetic } from "./synthetic.ts";

/** Options of `openDataset`. */
export interface OpenOptions {
  /** The folder for downloaded data. Default: `cacheFolder()`. */
  readonly cacheDir?: string;
  /** Never use the network. Default false. */
  readonly offline?: boolean;
  /** Called with one line of text for each thing to report. */
  readonly log?: (line: string) => void;
  /** Called with the progress of a long action; each text replaces the one before it. */
  readonly progress?: (text: string) => void;
  /** The splits that will be read; the files of other splits may be missing. Default: both. */
  readonly need?: readonly ("train" | "test")[];
}

/**
 * Opens a data set.
 *
 * @param spec `cifar10` (downloaded into the cache if it is not there), `synthetic`, a folder of `.bin` files in the layout
 *   of CIFAR-10 or CIFAR-100, a `.tar.gz` of such a folder, or one `.bin` file, which is then used for both splits
 * @throws {UsageError} if `spec` is a single word, but not the name of a data set
 * @throws {DataError} if something is missing or malformed, or cannot be downloaded
 */
export async function openDataset(spec: string, options: OpenOptions = {}): Promise<Dataset> {
  if (spec === "cifar10") return await openCifar10(options);
  if (spec === "synthetic") return openSynthetic(options);
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(spec);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && /^[\w-]+$/.test(spec)) {
      throw new UsageError(
        `--data ${spec}: no such data set, file or folder; use cifar10, synthetic, a folder, a .tar.gz or a .bin file`,
      );
    }
    throw fileError("open data", spec, error);
  }
  if (info.isDirectory) return await openFolder(spec, options);
  if (/\.(tar\.gz|tgz)$/i.test(spec)) return await openArchive(spec, options);
  if (/\.bin$/i.test(spec)) return openFile(spec, info.size, options);
  throw new DataError(`${spec}: unknown kind of data; use a folder of .bin files, a .tar.gz or a .bin file`);
}

const needs = (options: OpenOptions, split: "train" | "test") => (options.need ?? ["train", "test"]).includes(split);

async function openCifar10(options: OpenOptions): Promise<Dataset> {
  const cache = options.cacheDir ?? cacheFolder(), folder = join(cache, CIFAR10_FOLDER);
  const wanted = CIFAR10_FILES.filter(({ name }) => needs(options, name === "test_batch.bin" ? "test" : "train"));
  const faults = await checkFiles(folder, wanted);
  if (faults.length > 0) {
    if (options.offline) {
      throw new DataError(
        `CIFAR-10 in the cache is not complete (${faults[0]!.text}), and --offline forbids downloading it: ` +
          `run \`wgrad data fetch\` once, or pass --data FILE`,
      );
    }
    for (const { kind, text } of faults) if (kind !== "missing") options.log?.(`data: ${text}: downloading it again`);
    await fetchCifar10(cache, options);
  }
  const dataset = folderDataset(
    "cifar10",
    folder,
    new Map(wanted.map((file) => [file.name, file.bytes])),
    options,
    CIFAR10_CLASSES,
  );
  const sums = CIFAR10_FILES.filter(({ name }) => name !== "test_batch.bin").map(({ sha256 }) => sha256);
  const train = { ...dataset.train, sha256: await sha256([new TextEncoder().encode(sums.join("\n"))]) };
  return { ...dataset, train, test: { ...dataset.test, sha256: CIFAR10_FILES.at(-1)!.sha256 } };
}

/** Finds the training files and the test files in a list of names, and the layout of their records. */
function recogniseFiles(names: Iterable<string>): { layout: RecordLayout; train: string[]; test: string[] } {
  const all = [...names], number = (name: string) => Number(/\d+/.exec(name));
  const train = all.filter((name) => /^data_batch_\d+\.bin$/.test(name)).sort((a, b) => number(a) - number(b));
  const test = all.filter((name) => name === "test_batch.bin");
  if (train.length + test.length > 0) return { layout: CIFAR10_LAYOUT, train, test };
  const only = (wanted: string) => all.filter((name) => name === wanted);
  return { layout: CIFAR100_LAYOUT, train: only("train.bin"), test: only("test.bin") };
}

const isRecordFile = (name: string) => /^(data_batch_\d+|test_batch|train|test)\.bin$/.test(name);

/**
 * Makes the splits of a folder or an archive.
 *
 * @param where the path of the folder or archive, for errors
 * @param sizes the size in bytes of each file, by its name
 * @param classes the names of the classes, if they are known
 * @param open reads the named files in order
 */
function splitsOf(
  where: string,
  sizes: ReadonlyMap<string, number>,
  options: OpenOptions,
  classes: readonly string[] | undefined,
  open: (names: readonly string[]) => AsyncIterable<{ name: string; body: AsyncIterable<Uint8Array> }>,
): { layout: RecordLayout; train: Split; test: Split } {
  const { train, test, ...found } = recogniseFiles(sizes.keys()), layout = withClasses(found.layout, classes);
  const missing = [
    ...(needs(options, "train") && train.length === 0 ? ["data_batch_1.bin … (or train.bin)"] : []),
    ...(needs(options, "test") && test.length === 0 ? ["test_batch.bin (or test.bin)"] : []),
  ];
  if (missing.length > 0) {
    const found = [...sizes.keys()].join(", ") || "no data files";
    throw new DataError(
      `${where}: ${missing.join(" and ")} is missing; found: ${found}. A CIFAR-10 folder or archive ` +
        `contains data_batch_1.bin to data_batch_5.bin and test_batch.bin`,
    );
  }
  const split = (names: readonly string[], used: boolean): Split => {
    if (!used) return { count: 0, async *records() {} };
    let count = 0;
    for (const name of names) {
      const bytes = sizes.get(name)!;
      if (bytes % recordBytes(layout) !== 0) throw incompleteRecord(join(where, name), bytes, layout);
      count += bytes / recordBytes(layout);
    }
    if (count === 0) throw new DataError(`${join(where, names[0]!)}: byte 0: the file is empty`);
    return {
      count,
      async *records() {
        for await (const { name, body } of open(names)) yield* readRecords(body, layout, join(where, name));
      },
    };
  };
  return { layout, train: split(train, needs(options, "train")), test: split(test, needs(options, "test")) };
}

/** The names of the classes that the labels of a layout number, where no file names them. */
function numberedClassesOf({ labels }: RecordLayout): readonly string[] {
  return numberedClasses(labels.at(-1)!.classes);
}

/** A layout whose labels number these classes. */
function withClasses(layout: RecordLayout, classes: readonly string[] | undefined): RecordLayout {
  if (!classes) return layout;
  return { ...layout, labels: layout.labels.with(-1, { ...layout.labels.at(-1)!, classes: classes.length }) };
}

function folderDataset(
  name: string,
  folder: string,
  sizes: ReadonlyMap<string, number>,
  options: OpenOptions,
  classes?: readonly string[],
): Dataset {
  const { layout, train, test } = splitsOf(folder, sizes, options, classes, async function* (files) {
    for (const file of files) yield { name: file, body: fileChunks(join(folder, file)) };
  });
  return {
    name,
    classes: classes ?? numberedClassesOf(layout),
    shape: layout.shape,
    synthetic: false,
    train,
    test,
  };
}

/** The files in the official folders that list the class names, one per line. */
const NAME_LISTS = ["batches.meta.txt", "fine_label_names.txt"];

async function openFolder(folder: string, options: OpenOptions): Promise<Dataset> {
  const sizes = new Map<string, number>();
  let classes: readonly string[] | undefined;
  try {
    for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      if (NAME_LISTS.includes(name)) classes = await readClassNames(join(folder, name));
      const bytes = isRecordFile(name) ? await fileSize(join(folder, name)) : undefined;
      if (bytes !== undefined) sizes.set(name, bytes);
    }
    if (sizes.size === 0 && await fileSize(join(folder, CIFAR10_FOLDER, "test_batch.bin")) !== undefined) {
      return await openFolder(join(folder, CIFAR10_FOLDER), options); // the unpacked archive
    }
  } catch (error) {
    throw fileError("read", folder, error);
  }
  return folderDataset(folder, folder, sizes, options, classes);
}

async function openArchive(path: string, options: OpenOptions): Promise<Dataset> {
  options.progress?.(`reading ${basename(path)}`);
  const sizes = await listArchive(path, (name) => isRecordFile(name) || NAME_LISTS.includes(name));
  let classes: readonly string[] | undefined;
  for (const list of NAME_LISTS) {
    const bytes = sizes.get(list);
    if (bytes === undefined) continue;
    checkListSize(bytes, join(path, list));
    sizes.delete(list);
    for await (const { body } of entriesInOrder(path, [list])) {
      classes = classNamesIn(await new Response(ReadableStream.from(body)).text(), join(path, list));
    }
  }
  const { layout, train, test } = splitsOf(path, sizes, options, classes, (files) => entriesInOrder(path, files));
  return {
    name: path,
    classes: classes ?? numberedClassesOf(layout),
    shape: layout.shape,
    synthetic: false,
    train,
    test,
  };
}

function openFile(path: string, bytes: number, options: OpenOptions): Dataset {
  // A size that is a multiple of both record sizes is a multiple of 3073 * 3074 bytes; it is read as CIFAR-10.
  const couldBe100 = bytes > 0 && bytes % recordBytes(CIFAR100_LAYOUT) === 0;
  const layout = couldBe100 && bytes % recordBytes(CIFAR10_LAYOUT) !== 0 ? CIFAR100_LAYOUT : CIFAR10_LAYOUT;
  if (bytes === 0) throw new DataError(`${path}: byte 0: the file is empty`);
  if (bytes % recordBytes(layout) !== 0) throw incompleteRecord(path, bytes, layout);
  options.log?.(`data: ${path} is a single file: it is used as the training set and as the test set`);
  const split: Split = {
    count: bytes / recordBytes(layout),
    records: () => readRecords(fileChunks(path), layout, path),
  };
  const classes = numberedClassesOf(layout);
  return { name: path, classes, shape: layout.shape, synthetic: false, train: split, test: split };
}
