/**
 * Readers of data sets and of the folder of a run.
 *
 * @module
 */
import { join } from "node:path";
import { configFromJson, configToJson, makeConfig } from "../../src/config/config.ts";
import { CIFAR100_LAYOUT, CIFAR10_LAYOUT } from "../../src/data/cifar.ts";
import { openDataset } from "../../src/data/open_dataset.ts";
import { readRecords } from "../../src/data/records.ts";
import { readArchive } from "../../src/files/archive.ts";
import { comparePage, reportPage } from "../../src/report/page.ts";
import { readRun } from "../../src/report/run_view.ts";
import { evaluationFromJson } from "../../src/run/evaluation_file.ts";
import { parseMetrics } from "../../src/run/metrics.ts";
import { readRunFile, resumedRunFile } from "../../src/run/run_file.ts";
import { concat, gzip, makeRecords, makeTar } from "../data/fixtures.ts";
import { writeRun } from "../report/fixtures.ts";
import { bytesOf, damage, damageJson, damageValue } from "./mutate.ts";
import type { Target } from "./target.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A tar archive whose headers have right checksums, as far as they can be followed. */
function withChecksums(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let at = 0; at + 512 <= bytes.length;) {
    const header = bytes.subarray(at, at + 512);
    bytes.set(bytesOf("        "), at + 148);
    const sum = header.reduce((a, b) => a + b);
    bytes.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), at + 148);
    const size = parseInt(text(header.subarray(124, 136)), 8);
    at += 512 + (size >= 0 && size < bytes.length ? Math.ceil(size / 512) * 512 : 0);
  }
  return bytes;
}

/** Reads all files of an archive in a folder. */
function archiveReader(folder: string) {
  return async (bytes: Uint8Array) => {
    const path = join(folder, "a.tar.gz"), found: unknown[] = [];
    await Deno.writeFile(path, bytes);
    for await (const { name, bytes: stated, body } of readArchive(path)) {
      let hex = "";
      for await (const chunk of body) hex += chunk.toHex();
      found.push([name, stated, hex]);
    }
    return JSON.stringify(found);
  };
}

async function archiveTargets(folder: string): Promise<Target[]> {
  const files = new Map([["set/a.txt", bytesOf("hello")], ["set/b.bin", makeRecords(1)], ["c", new Uint8Array(0)]]);
  const tar = await makeTar(files), packed = await gzip(tar), read = archiveReader(folder);
  return [{
    name: "tar",
    seeds: 1,
    async damaged(_, draw) {
      if (!draw) return { bytes: packed, covered: false };
      const bytes = damage(tar, draw);
      return { bytes: await gzip(draw.flip() ? withChecksums(bytes) : bytes), covered: false };
    },
    read,
  }, {
    name: "gzip",
    seeds: 1,
    damaged: (_, draw) => ({ bytes: draw ? damage(packed, draw) : packed, covered: true }),
    read,
  }];
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const LAYOUTS = [CIFAR10_LAYOUT, CIFAR100_LAYOUT];

function cifarTarget(): Target {
  const seeds = LAYOUTS.map((layout) => makeRecords(3, 1, layout));
  return {
    name: "cifar",
    seeds: seeds.length,
    damaged: (seed, draw) => ({ bytes: draw ? damage(seeds[seed]!, draw) : seeds[seed]!, covered: false }),
    async read(bytes) {
      for (const layout of LAYOUTS) {
        const size = 1 + bytes.length % 999;
        try {
          for await (const { labels } of readRecords(chunksOf(bytes, size), layout, "FILE")) {
            if (labels.some((label) => label >= layout.labels.at(-1)!.classes)) {
              throw new TypeError("a label is too large");
            }
          }
        } catch (error) {
          if (layout === LAYOUTS.at(-1) || error instanceof TypeError) throw error;
        }
      }
    },
  };
}

async function classesTarget(folder: string): Promise<Target> {
  await Deno.mkdir(join(folder, "set"));
  for (const name of ["data_batch_1", "test_batch"]) {
    await Deno.writeFile(join(folder, "set", `${name}.bin`), makeRecords(1));
  }
  const sound = bytesOf([..."abcdefghij"].map((letter) => letter.repeat(95)).join("\n"));
  return {
    name: "classes",
    seeds: 1,
    damaged: (_, draw) => ({ bytes: draw ? damage(sound, draw) : sound, covered: false }),
    async read(bytes) {
      await Deno.writeFile(join(folder, "set", "batches.meta.txt"), bytes);
      const { classes } = await openDataset(join(folder, "set"), { offline: true });
      if (classes.length < 1 || classes.length > 256 || classes.some((name) => /\p{Cc}/u.test(name))) {
        throw new TypeError(classes.join());
      }
    },
  };
}

/** The targets of single files of a run, which are JSON. */
async function jsonTargets(run: string): Promise<Target[]> {
  const evaluation = JSON.parse(await Deno.readTextFile(join(run, "evaluation.json")));
  evaluation.mistakes.length = 2;
  const config = JSON.parse(configToJson(makeConfig({}))), lines = await Deno.readTextFile(join(run, "metrics.jsonl"));
  const metrics = lines.split("\n").slice(0, 5).map((line) => JSON.parse(line));
  const target = (name: string, value: unknown, read: (text: string) => unknown): Target => ({
    name,
    seeds: 1,
    damaged: (_, draw) => ({ bytes: draw ? damageJson(value, draw) : bytesOf(JSON.stringify(value)), covered: false }),
    read: (bytes) => JSON.stringify(read(text(bytes))),
  });
  return [
    target("config", config, (text) => configFromJson(text, "config.json")),
    target("evaluation", evaluation, (text) => evaluationFromJson(text, "evaluation.json")),
    {
      ...target("metrics", metrics[0], (text) => parseMetrics(text, "metrics.jsonl")),
      damaged(_, draw) {
        const values = draw ? metrics.map((line) => draw.flip() ? damageValue(line, draw) : line) : metrics;
        const bytes = bytesOf(values.map((line) => `${JSON.stringify(line)}\n`).join(""));
        return { bytes: draw && draw.int(0, 3) === 0 ? damage(bytes, draw) : bytes, covered: false };
      },
    },
  ];
}

/** A whole folder of a run, one of whose files is damaged: `bytes` are a byte for the file, and its content. */
async function runTarget(folder: string): Promise<Target> {
  const run = join(folder, "run"),
    names = ["config.json", "run.json", "metrics.jsonl", "evaluation.json", "model.safetensors"];
  await writeRun(run, { lines: 12 });
  const sound = await Promise.all(names.map((name) => Deno.readFile(join(run, name))));
  const other = await readRun(run);
  return {
    name: "run",
    seeds: names.length,
    damaged(seed, draw) {
      const content = sound[seed]!;
      if (!draw) return { bytes: concat(Uint8Array.of(seed), content), covered: false };
      const isJson = names[seed]!.endsWith(".json") && draw.int(0, 3) > 0;
      const bytes = isJson ? damageJson(JSON.parse(text(content)), draw) : damage(content, draw);
      return { bytes: concat(Uint8Array.of(seed), bytes), covered: false };
    },
    async read(bytes) {
      const path = join(run, names[bytes[0]!]!);
      await Deno.writeFile(path, bytes.subarray(1));
      try {
        JSON.stringify(resumedRunFile(await readRunFile(run), {} as Parameters<typeof resumedRunFile>[1], 1));
        const view = await readRun(run);
        reportPage(view);
        comparePage([view, other]);
      } finally {
        await Deno.writeFile(path, sound[bytes[0]!]!);
      }
    },
  };
}

/** The readers of data sets and runs. They write their files into `folder`. */
export async function fileTargets(folder: string): Promise<Target[]> {
  const last = await runTarget(folder);
  return [
    ...await archiveTargets(folder),
    cifarTarget(),
    await classesTarget(folder),
    ...await jsonTargets(join(folder, "run")),
    last,
  ];
}
