/**
 * Inspecting a data set: counting its records, comparing its files with the official ones, selecting single records.
 *
 * @module
 */
import { basename, join } from "node:path";
import { UsageError } from "../errors.ts";
import { readArchive } from "../files/archive.ts";
import { CIFAR10_FILES, CIFAR10_FOLDER } from "./cifar.ts";
import type { Split } from "./dataset.ts";
import { fileChunks, sha256 } from "../files/read.ts";
import { permute, permuteKey } from "../random.ts";
import type { Batch } from "./records.ts";

/** Reads a whole split, which checks every record. @returns the number of records in each class, [classes]. */
export async function countClasses(split: Split, classes: number): Promise<number[]> {
  const counts = new Array<number>(classes).fill(0);
  for await (const { labels } of split.records()) for (const label of labels) counts[label]!++;
  return counts;
}

/** A data file, and the name of the official file that has the same bytes, if there is one. */
export interface IdentifiedFile {
  readonly name: string;
  readonly sha256: string;
  readonly official: string | undefined;
}

/**
 * Hashes the `.bin` files of a folder or an archive, or a single `.bin` file, and compares the hashes with the official ones.
 */
export async function identifyFiles(path: string): Promise<IdentifiedFile[]> {
  const found: IdentifiedFile[] = [];
  const add = async (name: string, bytes: AsyncIterable<Uint8Array>) => {
    if (!/\.bin$/i.test(name)) return;
    const hash = await sha256(bytes);
    found.push({ name, sha256: hash, official: CIFAR10_FILES.find((file) => file.sha256 === hash)?.name });
  };
  if ((await Deno.stat(path)).isDirectory) {
    const entries = [...Deno.readDirSync(path)];
    const names = entries.filter((entry) => entry.isFile).map(({ name }) => name).sort();
    for (const name of names) await add(name, fileChunks(join(path, name)));
    // As in `openDataset()`: the archive was unpacked into this folder.
    const unpacked = entries.some(({ name, isDirectory }) => isDirectory && name === CIFAR10_FOLDER);
    if (found.length === 0 && unpacked) return await identifyFiles(join(path, CIFAR10_FOLDER));
  } else if (/\.(tar\.gz|tgz)$/i.test(path)) {
    for await (const { name, body } of readArchive(path)) await add(name, body);
  } else {
    await add(basename(path), fileChunks(path));
  }
  return found;
}

/** Which records `selectRecords()` returns. */
export interface RecordSelection {
  /** The position of the first record, from 0. */
  readonly start: number;
  /** The number of records. */
  readonly count: number;
  /** If given, records are in the order of epoch `epoch` of a training run with this seed; else in the order of the files. */
  readonly seed?: number;
  /** Used only with a seed. Default 0. */
  readonly epoch?: number;
}

/**
 * Selects records of a split.
 *
 * @returns the batch, and for each of its records the index in the files
 * @throws {UsageError} if the split has fewer records
 */
export async function selectRecords(
  split: Split,
  { start, count, seed, epoch = 0 }: RecordSelection,
): Promise<{ batch: Batch; indices: number[] }> {
  if (start + count > split.count) {
    throw new UsageError(`records ${start} to ${start + count - 1} do not exist: the split has ${split.count} records`);
  }
  const key = seed === undefined ? undefined : permuteKey(seed, epoch);
  const indices = Array.from({ length: count }, (_, i) => {
    return key === undefined ? start + i : permute(start + i, split.count, key);
  });
  const positions = new Map(indices.map((index, position) => [index, position]));
  const last = Math.max(...indices);
  const labels = new Uint8Array(count);
  let pixels = new Uint8Array(0), first = 0;
  for await (const batch of split.records()) {
    const size = batch.pixels.length / batch.count;
    if (pixels.length === 0) pixels = new Uint8Array(count * size);
    for (let i = 0; i < batch.count; i++) {
      const position = positions.get(first + i);
      if (position === undefined) continue;
      labels[position] = batch.labels[i]!;
      pixels.set(batch.pixels.subarray(i * size, (i + 1) * size), position * size);
    }
    first += batch.count;
    if (first > last) break;
  }
  return { batch: { count, labels, pixels }, indices };
}
