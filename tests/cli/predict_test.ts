/**
 * `wgrad predict`: image files give what the same pixels give in a test set.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { basename, dirname, join } from "node:path";
import encodeWebp, { init as initWebp } from "npm:@jsquash/webp@1.5.0/encode.js";
import webpEncoder from "npm:@jsquash/webp@1.5.0/codec/enc/webp_enc_simd.wasm" with { type: "bytes" };
import { CIFAR10_CLASSES } from "../../src/data/cifar.ts";
import { openDataset } from "../../src/data/open_dataset.ts";
import type { Split } from "../../src/data/dataset.ts";
import { encodeRgbPng } from "../../src/image/rgb_png.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { bytesOf, writeFiles } from "../data/fixtures.ts";
import { rgbBmp } from "../image/image_makers.ts";
import { testWith } from "../support/tools.ts";
import { COMMAND, type Run, wgrad } from "./support.ts";

interface Result {
  readonly images: readonly { file: string; classes: { name: string; probability: number }[] }[];
  readonly failed: readonly { file: string; error: string }[];
}
const resultOf = ({ out }: Run): Result => JSON.parse(out.at(-1)!);

const folder = await Deno.makeTempDir(), weights = join(folder, "runs", "lenet-1", "model.safetensors");
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const COUNT = 40;

/** The first records of a part of CIFAR-10, in whole batches of 256. */
async function first({ records }: Split, batches: number): Promise<Uint8Array> {
  return await bytesOf((async function* () {
    for await (const batch of records()) {
      yield batch;
      if (--batches === 0) return;
    }
  })());
}
const { train, test } = await openDataset("cifar10", { log: console.error });
const testFile = (await first(test, 1)).subarray(0, COUNT * 3073), trainFile = await first(train, 20);
const names = new TextEncoder().encode(CIFAR10_CLASSES.join("\n"));
await writeFiles(
  join(folder, "data"),
  new Map([["data_batch_1.bin", trainFile], ["test_batch.bin", testFile], ["batches.meta.txt", names]]),
);
const settings = ["--batch-size", "32", "--lr", "0.02", "--max-steps", "300", "--quiet"];
await wgrad(folder, ["train", "--data", "data", ...settings]);

/** The test images, with interleaved channels. */
const labels = Array.from({ length: COUNT }, (_, i) => testFile[i * 3073]!);
const images = labels.map((_, i) => {
  const planes = testFile.subarray(i * 3073 + 1, (i + 1) * 3073);
  const data = Uint8Array.from({ length: 3072 }, (_, k) => planes[k % 3 * 1024 + Math.floor(k / 3)]!);
  return { width: 32, height: 32, data };
});
type Image = typeof images[number];
const nameOf = (i: number, ending: string) => `${String(i).padStart(2, "0")}.${ending}`;

const asBmp = ({ width, height, data }: Image) => rgbBmp(width, height, data);
async function asWebp({ width, height, data }: Image): Promise<Uint8Array> {
  const rgba = Uint8ClampedArray.from({ length: 4096 }, (_, k) => k % 4 === 3 ? 255 : data[(k >> 2) * 3 + k % 4]!);
  return new Uint8Array(await encodeWebp(new ImageData(rgba, width, height), { lossless: 1, exact: 1 }));
}

/** The probabilities of the images in each folder of a folder, in the order of the classes; by the folders' names. */
async function predict(of: string, batchSize: number): Promise<Map<string, number[][]>> {
  const flags = ["--topk", "10", "--batch-size", `${batchSize}`, "--json"];
  const run = await wgrad(folder, ["predict", "--weights", weights, of, ...flags]);
  assertEquals(run.code, 0, run.err.join("\n"));
  const found = new Map<string, number[][]>();
  for (const { file, classes } of resultOf(run).images) {
    const kind = basename(dirname(file)), rows = found.get(kind) ?? [];
    assertEquals(file, join(of, kind, nameOf(rows.length, kind.split("-")[0]!)));
    assertEquals(classes, classes.toSorted((a, b) => b.probability - a.probability));
    rows.push(CIFAR10_CLASSES.map((name) => classes.find((one) => one.name === name)!.probability));
    found.set(kind, rows);
  }
  return found;
}

let expected: number[][] = [];

Deno.test("wgrad predict gives image files the probabilities of the same pixels in the test set", async () => {
  await initWebp({ wasmBinary: webpEncoder });
  const { out } = await wgrad(folder, ["eval", "--data", "data", "--weights", weights, "--json"]);
  const { accuracy, loss, confusion } = JSON.parse(out.at(-1)!);
  assert(accuracy > 0.2, `${accuracy}: nothing was learned, which would hide much`);
  for (const [ending, encode] of [["png", encodeRgbPng], ["bmp", asBmp], ["webp", asWebp]] as const) {
    const files = await Promise.all(images.map(async (image, i) => [nameOf(i, ending), await encode(image)] as const));
    await writeFiles(join(folder, "own", ending), new Map(files));
  }
  const found = await predict("own", 50);
  assertEquals([...found.keys()], ["bmp", "png", "webp"]);
  for (const rows of found.values()) {
    expected = rows;
    const counts = CIFAR10_CLASSES.map(() => CIFAR10_CLASSES.map(() => 0));
    rows.forEach((row, i) => counts[labels[i]!]![row.indexOf(Math.max(...row))]!++);
    assertEquals(counts, confusion);
    assertAlmostEquals(rows.reduce((sum, row, i) => sum - Math.log(row[labels[i]!]!), 0) / COUNT, loss, 1e-6);
    for (const row of rows) assertAlmostEquals(row.reduce((sum, one) => sum + one, 0), 1, 1e-12);
  }
});

await testWith(
  "imagemagick",
  "wgrad predict gives images made by ImageMagick the same classes",
  async (imageMagick) => {
    const kinds = {
      "png-16": ["-define", "png:bit-depth=16"],
      "bmp-32": ["-alpha", "on"],
      "jpg-best": ["-quality", "100", "-sampling-factor", "4:4:4"],
      "webp-lossless": ["-define", "webp:lossless=true"],
    };
    for (const [kind, options] of Object.entries(kinds)) {
      await Deno.mkdir(join(folder, "made", kind), { recursive: true });
      const args = ["own/png/*.png", ...options, `made/${kind}/%02d.${kind.split("-")[0]}`];
      assert((await new Deno.Command(imageMagick, { args, cwd: folder }).output()).success);
    }
    const found = await predict("made", 4 * COUNT);
    assertEquals(found.size, 4);
    for (const [kind, rows] of found) {
      assertEquals(rows.length, COUNT);
      const furthest = Math.max(...rows.flat().map((one, i) => Math.abs(one - expected.flat()[i]!)));
      // JPEG alters pixels by a few units, at its best. Kernels of other batches may round differently.
      assert(furthest <= (kind === "jpg-best" ? 0.05 : 1e-5), `${kind}: probabilities differ by up to ${furthest}`);
    }
  },
);

Deno.test("wgrad predict reads folders in order, names what is broken, goes on, and exits 1", async () => {
  const set = join(folder, "set");
  await Deno.mkdir(join(set, "b"), { recursive: true });
  const good = encodeRgbPng(images[0]!);
  await Deno.writeFile(join(set, "b", "2.PNG"), good);
  await Deno.writeFile(join(set, "a.png"), good.subarray(0, 200));
  await Deno.writeFile(join(set, "c.jpeg"), good); // What a file is, its bytes say.
  await Deno.writeTextFile(join(set, "notes.txt"), "no image");
  const args = ["predict", "--weights", weights, "--json", "none.png", "set"];
  const run = await wgrad(folder, args), { images: found, failed } = resultOf(run);
  assertEquals(run.code, 1);
  assertEquals(found.map(({ file }) => file), [join("set", "b", "2.PNG"), join("set", "c.jpeg")]);
  assertEquals(found.map(({ classes }) => classes.length), [3, 3]);
  assertEquals(found[0]!.classes, found[1]!.classes);
  assertEquals(failed.map(({ file }) => file), ["none.png", join("set", "a.png")]);
  assertEquals(failed[0]!.error, "cannot read none.png: no such file or folder");
  for (const { error } of failed) assert(run.err.includes(`error: ${error}`), run.err.join("\n"));
});

Deno.test({
  name: "wgrad predict names pipes, and folders that it may not read, and goes on",
  ignore: Deno.build.os === "windows",
  async fn() {
    const pipes = join(folder, "pipes"), good = encodeRgbPng(images[0]!);
    await writeFiles(join(pipes, "locked"), new Map([["x.png", good]]));
    await writeFiles(join(pipes, "other"), new Map([["y.png", good]]));
    await writeFiles(pipes, new Map([["z.png", good]]));
    for (const name of ["a.png", "other/b.jpg", "no image"]) {
      assert((await new Deno.Command("mkfifo", { args: [join(pipes, name)] }).output()).success);
    }
    // Root may read everything: it is the permission that is taken away.
    const args = [...COMMAND.slice(0, -1), "--deny-read=pipes/locked", COMMAND.at(-1)!, "predict", "--json"];
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args, "--weights", weights, "pipes", "pipes/no image"],
      cwd: folder,
      env: { NO_COLOR: "1", XDG_RUNTIME_DIR: "", WGRAD_DATA: folder },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    // Where it waits for a writer, it would wait for ever.
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const err = new TextDecoder().decode(stderr);
    assertEquals(code, 1, err);
    const { images: found, failed }: Result = JSON.parse(new TextDecoder().decode(stdout));
    assertEquals(found.map(({ file }) => file), ["pipes/other/y.png", "pipes/z.png"]);
    const pipe = (
      file: string,
    ) => [file, `cannot read ${file}: it is not a regular file; use - for the standard input`];
    assertEquals(failed.map(({ file, error }) => [file, error]), [
      pipe("pipes/a.png"),
      ["pipes/locked", "cannot read pipes/locked: this program was started without permission for it"],
      pipe("pipes/other/b.jpg"),
      pipe("pipes/no image"),
    ]);
    for (const { error } of failed) assert(err.includes(`error: ${error}\n`), err);
  },
});

Deno.test("wgrad predict prints bars for the standard input, in the names that the weights state", async () => {
  const { tensors, metadata } = decodeSafetensors(await Deno.readFile(weights), weights);
  const names = Array.from({ length: 10 }, (_, i) => `kind ${i}`);
  const named = { ...metadata, classes: JSON.stringify(names) };
  await Deno.writeFile(join(folder, "named.safetensors"), encodeSafetensors(tensors, named));
  const child = new Deno.Command(Deno.execPath(), {
    args: [...COMMAND, "predict", "--weights", "named.safetensors", "--topk", "2", "-"],
    cwd: folder,
    env: { NO_COLOR: "1", XDG_RUNTIME_DIR: "", WGRAD_DATA: folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(encodeRgbPng(images[3]!));
  await writer.close();
  const { code, stdout } = await child.output(), lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  assertEquals([code, lines.at(-3)], [0, "standard input"]);
  for (const line of lines.slice(-2)) {
    const [, bar, percent] = /^ {2}kind \d {2}(█*░*) {2} *(\d+\.\d\d) %$/.exec(line)!;
    assertEquals([bar!.length, bar!.lastIndexOf("█") + 1], [30, Math.round(Number(percent) * 0.3)]);
  }
});

Deno.test("wgrad predict refuses what it cannot use in a line each", async () => {
  await Deno.mkdir(join(folder, "empty"));
  const { tensors, metadata } = decodeSafetensors(await Deno.readFile(weights), weights);
  await Deno.writeFile(
    join(folder, "few.safetensors"),
    encodeSafetensors(tensors, { ...metadata, classes: '["one"]' }),
  );
  await Deno.writeFile(join(folder, "good.png"), encodeRgbPng(images[0]!));
  for (
    const [args, code, error] of [
      [["good.png"], 2, "error: predict needs --weights FILE; see wgrad predict --help"],
      [["--weights", weights], 2, "error: argument IMAGE is missing; see wgrad predict --help"],
      [
        ["--weights", weights, "empty"],
        2,
        "error: no image in empty; give files that end in .png, .jpg, .webp or .bmp",
      ],
      [
        ["--weights", "few.safetensors", "good.png"],
        1,
        'error: few.safetensors: its "classes" are not a list of 10 names',
      ],
    ] as const
  ) {
    const run = await wgrad(folder, ["predict", ...args]);
    assertEquals([run.code, run.err.at(-1)], [code, error]);
  }
});
