import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { cacheFolder, checkFiles } from "../../src/data/cache.ts";
import { CIFAR100_LAYOUT, CIFAR10_FILES, CIFAR10_FOLDER } from "../../src/data/cifar.ts";
import { openDataset, type OpenOptions } from "../../src/data/open_dataset.ts";
import { countClasses, identifyFiles, selectRecords } from "../../src/data/inspect.ts";
import { permute, permuteKey } from "../../src/random.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { bytesOf, concat, makeArchive, makeFiles, makeRecords, withFolder, writeFiles } from "./fixtures.ts";

/** The message of the DataError that opening `spec`, or reading all of it, ends in. */
async function failure(spec: string, options: OpenOptions = {}): Promise<string> {
  const error = await assertRejects(async () => {
    const dataset = await openDataset(spec, options);
    for (const split of [dataset.train, dataset.test]) for await (const _ of split.records());
  }, DataError);
  assertEquals(error.constructor, DataError);
  assert(!error.message.includes("\n"));
  return error.message;
}

Deno.test("a folder: training files in the order of their numbers, and the test file", () =>
  withFolder(async (folder) => {
    const files = makeFiles();
    files.set("data_batch_10.bin", makeRecords(2, 10)); // 10 comes after 2
    await writeFiles(folder, files);
    const dataset = await openDataset(folder);
    assertEquals([dataset.name, dataset.synthetic, dataset.shape], [folder, false, [3, 32, 32]]);
    // Nothing names its classes, which need not be those of CIFAR-10.
    assertEquals(dataset.classes, Array.from({ length: 10 }, (_, i) => `class ${i + 1}`));
    assertEquals([dataset.train.count, dataset.test.count], [3 + 4 + 5 + 6 + 7 + 2, 8]);
    const order = [1, 2, 3, 4, 5, 10].map((i) => files.get(`data_batch_${i}.bin`)!);
    for (let pass = 0; pass < 2; pass++) {
      assertEquals(await bytesOf(dataset.train.records()), concat(...order));
      assertEquals(await bytesOf(dataset.test.records()), files.get("test_batch.bin"));
    }
  }));

Deno.test("a folder into which the archive was unpacked", () =>
  withFolder(async (folder) => {
    await writeFiles(`${folder}/${CIFAR10_FOLDER}`, makeFiles());
    assertEquals((await openDataset(folder)).train.count, 25);
  }));

Deno.test("a .tar.gz gives the same records as its folder, in the same order", () =>
  withFolder(async (folder) => {
    const files = makeFiles();
    await writeFiles(`${folder}/set`, files);
    await Deno.writeFile(`${folder}/set.tar.gz`, await makeArchive(files));
    const [a, b] = [await openDataset(`${folder}/set`), await openDataset(`${folder}/set.tar.gz`)];
    assertEquals([b.train.count, b.test.count], [a.train.count, a.test.count]);
    assertEquals(await bytesOf(b.train.records()), await bytesOf(a.train.records()));
    assertEquals(await bytesOf(b.test.records()), await bytesOf(a.test.records()));
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["set", "set.tar.gz"]);
  }));

Deno.test("one .bin file is both splits, and the log says so", () =>
  withFolder(async (folder) => {
    const path = `${folder}/mine.bin`, lines: string[] = [];
    await Deno.writeFile(path, makeRecords(5));
    const dataset = await openDataset(path, { log: (line) => lines.push(line) });
    assertEquals([dataset.train.count, dataset.test.count], [5, 5]);
    assertEquals(await bytesOf(dataset.test.records()), makeRecords(5));
    assertEquals(lines, [`data: ${path} is a single file: it is used as the training set and as the test set`]);
  }));

Deno.test("CIFAR-100: a folder, an archive and one file, with the class names of its list", () =>
  withFolder(async (folder) => {
    const names = Array.from({ length: 100 }, (_, i) => `fine${i}`);
    const files = new Map([
      ["train.bin", makeRecords(7, 1, CIFAR100_LAYOUT)],
      ["test.bin", makeRecords(3, 2, CIFAR100_LAYOUT)],
      ["fine_label_names.txt", new TextEncoder().encode(names.join("\n") + "\n")],
    ]);
    await writeFiles(`${folder}/set`, files);
    await Deno.writeFile(`${folder}/set.tgz`, await makeArchive(files));
    for (const spec of [`${folder}/set`, `${folder}/set.tgz`]) {
      const dataset = await openDataset(spec);
      assertEquals([dataset.train.count, dataset.test.count, dataset.classes], [7, 3, names]);
      assertEquals(await bytesOf(dataset.train.records()), files.get("train.bin"));
    }
    const alone = await openDataset(`${folder}/set/test.bin`);
    assertEquals([alone.train.count, alone.classes.length, alone.classes[99]], [3, 100, "class 100"]);
  }));

Deno.test("the classes of a folder or an archive are those that its batches.meta.txt names, however many", () =>
  withFolder(async (folder) => {
    const files = makeFiles(), list = (names: readonly string[]) => new TextEncoder().encode(names.join("\n") + "\n\n");
    const names = Array.from({ length: 12 }, (_, i) => `kind ${i}`);
    const write = async (names: readonly string[]) => {
      files.set("batches.meta.txt", list(names));
      await writeFiles(`${folder}/set`, files);
      await Deno.writeFile(`${folder}/set.tgz`, await makeArchive(files));
    };
    await write(names);
    for (const spec of ["set", "set.tgz"]) assertEquals((await openDataset(`${folder}/${spec}`)).classes, names);
    for (
      const [count, message] of [[3, /is out of range: .* labels go from 0 to 2/], [
        257,
        /has 257 names of classes/,
      ]] as const
    ) {
      await write(Array.from({ length: count }, (_, i) => `kind ${i}`));
      for (const spec of ["set", "set.tgz"]) assertMatch(await failure(`${folder}/${spec}`), message);
    }
  }));

Deno.test("a folder or archive that lacks a split is refused, unless the split is not needed", () =>
  withFolder(async (folder) => {
    const files = makeFiles();
    files.delete("test_batch.bin");
    await writeFiles(`${folder}/set`, files);
    await Deno.writeFile(`${folder}/set.tar.gz`, await makeArchive(files));
    for (const spec of [`${folder}/set`, `${folder}/set.tar.gz`]) {
      const message = await failure(spec);
      assert(message.startsWith(`${spec}: test_batch.bin (or test.bin) is missing; found: data_batch_`), message);
      const dataset = await openDataset(spec, { need: ["train"] });
      assertEquals([dataset.train.count, dataset.test.count], [25, 0]);
      assertEquals(await Array.fromAsync(dataset.test.records()), []);
    }
    await Deno.mkdir(`${folder}/empty`);
    const message = await failure(`${folder}/empty`);
    assert(message.startsWith(`${folder}/empty: data_batch_1.bin … (or train.bin) and test_batch.bin`), message);
    assert(message.includes("no data files"));
  }));

Deno.test("a length that is no multiple of the record is found at opening: file and byte offset", () =>
  withFolder(async (folder) => {
    const files = makeFiles();
    files.set("data_batch_3.bin", makeRecords(5).subarray(0, 4 * 3073 + 17));
    await writeFiles(`${folder}/set`, files);
    await Deno.writeFile(`${folder}/set.tar.gz`, await makeArchive(files));
    for (const spec of ["set", "set.tar.gz"]) {
      const path = `${folder}/${spec}/data_batch_3.bin`;
      await assertRejects(
        () => openDataset(`${folder}/${spec}`),
        DataError,
        `${path}: byte 12292: the last record is inc`,
      );
    }
    const alone = `${folder}/set/data_batch_3.bin`;
    await assertRejects(
      () => openDataset(alone),
      DataError,
      `${alone}: byte 12292: the last record is incomplete: 17 of`,
    );
    await Deno.writeFile(`${folder}/none.bin`, new Uint8Array(0));
    assertEquals(await failure(`${folder}/none.bin`), `${folder}/none.bin: byte 0: the file is empty`);
  }));

Deno.test("a label out of range is found while reading: file and byte offset", () =>
  withFolder(async (folder) => {
    const files = makeFiles();
    files.get("data_batch_4.bin")![2 * 3073] = 200;
    await writeFiles(`${folder}/set`, files);
    await Deno.writeFile(`${folder}/set.tar.gz`, await makeArchive(files));
    for (const spec of [`${folder}/set`, `${folder}/set.tar.gz`]) {
      const message = await failure(spec);
      assert(message.startsWith(`${spec}/data_batch_4.bin: byte 6146: label 200 is out of range`), message);
    }
    const alone = `${folder}/set/data_batch_4.bin`;
    assert((await failure(alone)).startsWith(`${alone}: byte 6146: label 200 is out of range`));
  }));

Deno.test("a truncated archive is found at opening: file and byte offset", () =>
  withFolder(async (folder) => {
    const path = `${folder}/cifar-10-binary.tar.gz`, bytes = await makeArchive(makeFiles());
    await Deno.writeFile(path, bytes.subarray(0, 50_000));
    await assertRejects(() => openDataset(path), DataError, `${path}: byte 50000: gzip: `);
  }));

Deno.test("a word that is no data set is a UsageError, a path that is not there a DataError", async () => {
  const error = await assertRejects(() => openDataset("cifar11"), UsageError, "--data cifar11: no such data set");
  assertEquals(error.exitCode, 2);
  assertEquals(await failure("/nowhere/data"), "cannot open data /nowhere/data: no such file or folder");
});

Deno.test("a file of another kind is refused", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/a.zip`, new Uint8Array(10));
    assert((await failure(`${folder}/a.zip`)).startsWith(`${folder}/a.zip: unknown kind of data`));
  }));

Deno.test("cifar10 offline: what the cache lacks, or holds damaged, is named, and nothing is used", () =>
  withFolder(async (folder) => {
    const offline = { cacheDir: folder, offline: true };
    const path = `${folder}/${CIFAR10_FOLDER}/data_batch_1.bin`;
    const missing = await failure("cifar10", offline);
    assert(missing.includes(`${path} is missing`) && missing.includes("wgrad data fetch"), missing);
    await writeFiles(`${folder}/${CIFAR10_FOLDER}`, makeFiles());
    assert((await failure("cifar10", offline)).includes(`${path}: 9219 bytes instead of 30730000`));
    await Deno.writeFile(path, new Uint8Array(30_730_000));
    const damaged = await failure("cifar10", offline);
    assert(
      damaged.includes(`${path}: SHA-256 is `) && damaged.includes(`instead of ${CIFAR10_FILES[0]!.sha256}`),
      damaged,
    );
  }));

Deno.test("cacheFolder() follows WGRAD_DATA, XDG_CACHE_HOME, the system's place, HOME", () => {
  const at = (env: Record<string, string>, os: typeof Deno.build.os = "linux") => cacheFolder((name) => env[name], os);
  const all = { WGRAD_DATA: "/d", XDG_CACHE_HOME: "/x", LOCALAPPDATA: "/l", HOME: "/h" };
  assertEquals(at(all), "/d");
  assertEquals(at({ ...all, WGRAD_DATA: "" }), "/x/wgrad");
  assertEquals(at({ HOME: "/h", LOCALAPPDATA: "/l" }), "/h/.cache/wgrad");
  assertEquals(at({ HOME: "/h", LOCALAPPDATA: "/l" }, "windows"), "/l/wgrad");
  assertEquals(at({ USERPROFILE: "/u" }, "windows"), "/u/.cache/wgrad");
  const error = (() => {
    try {
      return at({});
    } catch (error) {
      return error;
    }
  })();
  assert(error instanceof DataError && error.message.includes("WGRAD_DATA"));
});

Deno.test("identify() knows official files by their bytes alone", () =>
  withFolder(async (folder) => {
    await writeFiles(folder, makeFiles());
    const [first] = await identifyFiles(folder);
    assertEquals([first!.name, first!.official], ["data_batch_1.bin", undefined]);
    await Deno.writeFile(`${folder}/a.tar.gz`, await makeArchive(makeFiles()));
    const inside = await identifyFiles(`${folder}/a.tar.gz`);
    assertEquals(inside.find(({ name }) => name === "data_batch_1.bin")!.sha256, first!.sha256);
    assertEquals((await identifyFiles(`${folder}/test_batch.bin`)).map(({ name }) => name), ["test_batch.bin"]);
  }));

Deno.test("selectRecords() selects records by their index in the files, or in a run's order", () =>
  withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/a.bin`, makeRecords(600));
    const { train } = await openDataset(`${folder}/a.bin`);
    const record = (index: number) => makeRecords(600).subarray(index * 3073, (index + 1) * 3073);
    const plain = await selectRecords(train, { start: 254, count: 5 });
    assertEquals(plain.indices, [254, 255, 256, 257, 258]);
    const shuffled = await selectRecords(train, { start: 8, count: 4, seed: 3 });
    assertEquals(shuffled.indices, [8, 9, 10, 11].map((i) => permute(i, 600, permuteKey(3, 0))));
    for (const { batch, indices } of [plain, shuffled]) {
      for (const [i, index] of indices.entries()) {
        assertEquals(batch.labels[i], record(index)[0]);
        assertEquals(batch.pixels.subarray(i * 3072, (i + 1) * 3072), record(index).subarray(1));
      }
    }
    const error = await assertRejects(
      () => selectRecords(train, { start: 598, count: 4 }),
      UsageError,
      "has 600 records",
    );
    assertEquals(error.exitCode, 2);
  }));

Deno.test("the real CIFAR-10: checksums, classes, and the mean and deviation of its pixels", async () => {
  // Fetched once by the project's own sources; from then on the cache has it.
  const dataset = await openDataset("cifar10", { log: (line) => console.error(line) });
  assertEquals([dataset.train.count, dataset.test.count, dataset.synthetic], [50_000, 10_000, false]);
  assertEquals(await checkFiles(`${cacheFolder()}/${CIFAR10_FOLDER}`, CIFAR10_FILES), []);
  assertEquals(await countClasses(dataset.test, 10), new Array(10).fill(1000));
  const histograms = [new Float64Array(256), new Float64Array(256), new Float64Array(256)];
  const classes = new Array(10).fill(0);
  for await (const { count, labels, pixels } of dataset.train.records()) {
    for (const label of labels) classes[label]++;
    for (let plane = 0; plane < count * 3; plane++) {
      const histogram = histograms[plane % 3]!;
      for (let i = plane * 1024; i < (plane + 1) * 1024; i++) histogram[pixels[i]!]!++;
    }
  }
  assertEquals(classes, new Array(10).fill(5000));
  const total = 50_000 * 1024;
  for (const [channel, histogram] of histograms.entries()) {
    const mean = histogram.reduce((sum, n, value) => sum + n * value / 255, 0) / total;
    const deviation = Math.sqrt(histogram.reduce((sum, n, value) => sum + n * (value / 255 - mean) ** 2, 0) / total);
    // The published figures, to five digits.
    assertEquals(mean.toFixed(5), ["0.49140", "0.48216", "0.44653"][channel]);
    assertEquals(deviation.toFixed(5), ["0.24703", "0.24349", "0.26159"][channel]);
  }
});
