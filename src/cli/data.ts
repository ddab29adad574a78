/**
 * `wgrad data fetch|verify|show`: gets a data set, checks it, and shows a batch of it.
 *
 * @module
 */
import { join } from "node:path";
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
import { DataError, UsageError } from "../errors.ts";
import { defineCommand, type Parsed } from "./flags.ts";
import { Output, terminalColumns } from "./output.ts";

const FLAGS = [
  {
    name: "data",
    kind: "string",
    value: "DATA",
    default: "cifar10",
    help: "cifar10, synthetic, a folder of .bin files, a .tar.gz, or one .bin file",
  },
  { name: "offline", kind: "boolean", help: "Never use the network" },
  { name: "json", kind: "boolean", help: "End stdout with one JSON object; all else goes to stderr" },
  { name: "force", kind: "boolean", help: "Fetch again what is already in the cache", group: "fetch" },
  { name: "split", kind: "choice", choices: ["train", "test"], default: "train", help: "Part to show", group: "show" },
  {
    name: "batch-size",
    kind: "integer",
    min: 1,
    max: 1024,
    default: 4,
    help: "Images to show",
    group: "show",
  },
  { name: "start", kind: "integer", min: 0, default: 0, help: "Place of the first image", group: "show" },
  {
    name: "seed",
    kind: "integer",
    min: 0,
    max: 4294967295,
    help: "Show them in the order of the first epoch of a run with this seed (default: in the order of the files)",
    group: "show",
  },
  { name: "columns", kind: "integer", min: 1, max: 128, default: 8, help: "Images in a row of the PNG", group: "show" },
  { name: "out", kind: "string", value: "FILE.png", default: "batch.png", help: "PNG to write", group: "show" },
] as const;

type Args = Parsed<typeof FLAGS>;
type Values = Args["values"];

/** The flags that only one action knows. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  fetch: ["force"],
  show: ["split", "batchSize", "start", "seed", "columns", "out"],
};

/** `wgrad data`. */
export const command = defineCommand({
  name: "data",
  summary: "Fetch, verify or show a data set",
  description: "fetch puts CIFAR-10 into the cache, verify reads a whole data set and checks it against the official " +
    "checksums, show writes a batch as a PNG grid with its labels and draws it in a terminal.",
  positional: [{ name: "ACTION", choices: ["fetch", "verify", "show"], help: "fetch, verify or show" }],
  flags: FLAGS,
  examples: [
    ["wgrad data fetch", "Get CIFAR-10, so that later runs need no network"],
    ["wgrad data verify --data cifar-10-binary.tar.gz", "Check an archive that was downloaded by hand"],
    ["wgrad data show --seed 0 --batch-size 4", "Show the first batch that a training run with seed 0 sees"],
  ],
  async run(args: Args): Promise<number> {
    const action = args.positional[0]!;
    for (const [owner, keys] of Object.entries(ONLY)) {
      const stray = owner === action ? undefined : keys.find((key) => args.given.has(key));
      if (stray) {
        const flag = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        throw new UsageError(`flag --${flag} belongs to \`wgrad data ${owner}\`, not to \`${action}\``);
      }
    }
    const output = new Output(args.values);
    const actions: Record<string, (values: Values, output: Output) => Promise<object>> = { fetch, verify, show };
    output.json(await actions[action]!(args.values, output));
    return 0;
  },
});

async function fetch({ data, offline, force }: Values, { say, progress }: Output): Promise<object> {
  if (data !== "cifar10") throw new UsageError(`data fetch: --data ${data} is nothing to fetch, only cifar10 is`);
  if (force && offline) throw new UsageError("data fetch: --force needs the network, which --offline forbids");
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
          `\`wgrad data fetch\` gets them again`,
      );
    }
    for (const { name } of CIFAR10_FILES) files.push({ name, official: true });
  }
  // Verifying never fetches: what is not there is an error.
  const dataset = await openDataset(data, { offline: true, log: say, progress });
  if (data !== "cifar10" && !dataset.synthetic) {
    for (const { name, official } of await identifyFiles(data)) files.push({ name, official: official === name });
  }
  for (const { name, official } of files) say(`${name}: ${official ? "the official file" : "not an official file"}`);
  // Every one of the six, each under its own name.
  const official = CIFAR10_FILES.every(({ name }) => files.some((file) => file.name === name && file.official));
  const result: Record<string, unknown> = { data, official, files };
  for (const split of ["train", "test"] as const) {
    const counts = await countClasses(dataset[split], dataset.classes.length);
    const byName = Object.fromEntries(dataset.classes.map((name, label) => [name, counts[label]!]));
    say(`${split}: ${dataset[split].count} records: ${summary(dataset, counts)}`);
    result[split] = { records: dataset[split].count, classes: byName };
  }
  progress("");
  say(`data: ${data} is whole${official ? ", and it is the official CIFAR-10" : ""}`);
  return result;
}

/** The records of each class in one line; the least and the most if there are many classes. */
function summary({ classes }: Dataset, counts: readonly number[]): string {
  if (classes.length <= 10) return classes.map((name, label) => `${name} ${counts[label]}`).join(", ");
  return `${classes.length} classes of ${Math.min(...counts)} to ${Math.max(...counts)}`;
}

async function show(values: Values, { say, progress }: Output): Promise<object> {
  const { data, offline, json, split, batchSize, start, seed, columns, out } = values;
  const dataset = await openDataset(data, { offline, log: say, progress, need: [split] });
  const pick = { start, count: batchSize, ...(seed === undefined ? {} : { seed }) };
  const { batch, indices } = await selectRecords(dataset[split], pick);
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
  say(`data: ${batchSize} images of the ${split} set of ${dataset.name} are in ${out}`);
  return { data, split, indices, labels, out };
}
