/**
 * `wgrad data fetch|verify|show`: downloads a data set, checks it, or shows some of its images.
 *
 * @module
 */
import { printable } from "../foreign_text.ts";
import { join, resolve } from "node:path";
import { cacheFolder, checkFiles } from "../data/cache.ts";
import { CIFAR10_FILES, CIFAR10_FOLDER } from "../data/cifar.ts";
import type { Dataset } from "../data/dataset.ts";
import { openDataset } from "../data/open_dataset.ts";
import { writeAtomically } from "../files/write.ts";
import { drawInTerminal } from "../image/terminal.ts";
import { enlarge, makeGrid, withCaption } from "../image/grid.ts";
import { imageOf } from "../data/records.ts";
import { countClasses, identifyFiles, selectRecords } from "../data/inspect.ts";
import { encodeRgbPng } from "../image/rgb_png.ts";
import { fetchCifar10 } from "../data/fetch_cifar10.ts";
import { DATA_MEANINGS } from "../config/meanings.ts";
import { DataError, UsageError } from "../errors.ts";
import { defineCommand, type Parsed } from "./flags.ts";
import { Output, terminalColumns } from "./output.ts";

const FLAGS = [
  {
    name: "data",
    kind: "string",
    value: "DATA",
    default: "cifar10",
    help: "The data set",
    meanings: DATA_MEANINGS,
  },
  { name: "offline", kind: "boolean", help: "Never use the network" },
  { name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr" },
  { name: "force", kind: "boolean", help: "Download again, even if the data are in the cache", group: "fetch" },
  {
    name: "split",
    kind: "choice",
    choices: ["train", "test"],
    default: "train",
    help: "The split to show",
    group: "show",
  },
  {
    name: "batch-size",
    kind: "integer",
    min: 1,
    max: 1024,
    default: 4,
    help: "How many images to show",
    group: "show",
  },
  { name: "start", kind: "integer", min: 0, default: 0, help: "Position of the first image, from 0", group: "show" },
  {
    name: "seed",
    kind: "integer",
    min: 0,
    max: 4294967295,
    help: "Use the order of the first epoch of a run with this seed (default: the order of the files)",
    group: "show",
  },
  { name: "columns", kind: "integer", min: 1, max: 128, default: 8, help: "Images per row of the PNG", group: "show" },
  { name: "out", kind: "string", value: "FILE.png", default: "batch.png", help: "PNG file to write", group: "show" },
] as const;

type Args = Parsed<typeof FLAGS>;
type Values = Args["values"];

/** The flags that belong to a single action. */
const ACTION_FLAGS: Readonly<Record<string, readonly string[]>> = {
  fetch: ["force"],
  show: ["split", "batchSize", "start", "seed", "columns", "out"],
};

/** `wgrad data`. */
export const command = defineCommand({
  name: "data",
  summary: "Fetch, verify or show a data set",
  description:
    "fetch downloads CIFAR-10 into the cache. verify reads a whole data set and compares it with the official " +
    "checksums. show writes some images with their labels to a PNG, and draws them in the terminal.",
  positional: [{ name: "ACTION", choices: ["fetch", "verify", "show"], help: "fetch, verify or show" }],
  flags: FLAGS,
  examples: [
    ["wgrad data fetch", "Download CIFAR-10, so that later runs need no network"],
    ["wgrad data verify --data cifar-10-binary.tar.gz", "Check an archive that was downloaded by hand"],
    ["wgrad data show --seed 0 --batch-size 4", "Show the first batch that a training run with seed 0 sees"],
  ],
  async run(args: Args): Promise<number> {
    const action = args.positional[0]!;
    for (const [owner, keys] of Object.entries(ACTION_FLAGS)) {
      const stray = owner === action ? undefined : keys.find((key) => args.given.has(key));
      if (stray) {
        const flag = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        throw new UsageError(`--${flag} belongs to \`wgrad data ${owner}\`, not to \`${action}\``);
      }
    }
    const output = new Output(args.values);
    const actions: Record<string, (values: Values, output: Output) => Promise<object>> = { fetch, verify, show };
    output.json(await actions[action]!(args.values, output));
    return 0;
  },
});

async function fetch({ data, offline, force }: Values, { say, progress }: Output): Promise<object> {
  if (data !== "cifar10") throw new UsageError(`data fetch: only cifar10 can be downloaded, not --data ${data}`);
  if (force && offline) throw new UsageError("data fetch: --force needs the network, but --offline forbids it");
  const cache = cacheFolder(), folder = join(cache, CIFAR10_FOLDER);
  if (force) await fetchCifar10(cache, { log: say, progress, force });
  else await openDataset(data, { cacheDir: cache, offline, log: say, progress });
  progress("");
  say(`data: CIFAR-10 is complete in ${folder}`);
  return { data, folder, files: CIFAR10_FILES.length, bytes: CIFAR10_FILES.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function verify({ data }: Values, { say, progress }: Output): Promise<object> {
  const files: { name: string; official: boolean }[] = [];
  if (data === "cifar10") {
    const folder = join(cacheFolder(), CIFAR10_FOLDER), faults = await checkFiles(folder, CIFAR10_FILES);
    for (const { text } of faults) say(`data: ${text}`);
    if (faults.length > 0) {
      throw new DataError(
        `CIFAR-10 in the cache: ${faults.length} of 6 files are missing or damaged, the first: ${faults[0]!.text}; ` +
          `run \`wgrad data fetch\` to download them again`,
      );
    }
    for (const { name } of CIFAR10_FILES) files.push({ name, official: true });
  }
  // Verifying never downloads: missing files are an error.
  const dataset = await openDataset(data, { offline: true, log: say, progress });
  if (data !== "cifar10" && !dataset.synthetic) {
    for (const { name, official } of await identifyFiles(data)) files.push({ name, official: official === name });
  }
  for (const { name, official } of files) {
    say(`${printable(name, 200)}: ${official ? "the official file" : "not an official file"}`);
  }
  // All six files, each under its own name.
  const official = CIFAR10_FILES.every(({ name }) => files.some((file) => file.name === name && file.official));
  const result: Record<string, unknown> = { data, official, files };
  for (const split of ["train", "test"] as const) {
    const counts = await countClasses(dataset[split], dataset.classes.length);
    const byName = Object.fromEntries(dataset.classes.map((name, label) => [name, counts[label]!]));
    say(`${split}: ${dataset[split].count} records: ${summary(dataset, counts)}`);
    result[split] = { records: dataset[split].count, classes: byName };
  }
  progress("");
  say(`data: ${data} is complete${official ? ", and it is the official CIFAR-10" : ""}`);
  return result;
}

/** The number of records per class in one line; if there are many classes, only the smallest and the largest number. */
function summary({ classes }: Dataset, counts: readonly number[]): string {
  if (classes.length <= 10) return classes.map((name, label) => `${name} ${counts[label]}`).join(", ");
  return `${classes.length} classes of ${Math.min(...counts)} to ${Math.max(...counts)}`;
}

async function show(values: Values, { say, progress }: Output): Promise<object> {
  const { data, offline, json, split, batchSize, start, seed, columns, out } = values;
  const dataset = await openDataset(data, { offline, log: say, progress, need: [split] });
  const selection = { start, count: batchSize, ...(seed === undefined ? {} : { seed }) };
  const { batch, indices } = await selectRecords(dataset[split], selection);
  progress("");
  const images = indices.map((_, i) => imageOf(batch, i, dataset.shape));
  const labels = [...batch.labels].map((label) => dataset.classes[label]!);
  if (!json && Deno.stdout.isTerminal() && !Deno.noColor) {
    for (const line of drawInTerminal(images, labels, terminalColumns())) console.log(line);
  } else {
    say(labels.map((name, i) => `${name} (${indices[i]})`).join("  "));
  }
  const tiles = images.map((image, i) => withCaption(enlarge(image, 4), labels[i]!));
  await writeAtomically(out, encodeRgbPng(makeGrid(tiles, { columns, padding: 4 })));
  say(`data: wrote ${batchSize} images of the ${split} set of ${dataset.name} to ${resolve(out)}`);
  return { data, split, indices, labels, out };
}
