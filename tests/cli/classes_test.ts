/**
 * Weights know the data and the classes that they were trained on: `eval`, `predict`, `export` and `import` use both, and
 * never the classes of CIFAR-10 for others.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { encodeRgbPng } from "../../src/image/rgb_png.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { bytesOf, withFolder, writeFiles } from "../data/fixtures.ts";
import { openSynthetic } from "../../src/data/synthetic.ts";
import { type Run, wgrad } from "./support.ts";

const NAMES = ["apple", "pear", "plum", "fig", "kiwi", "lime", "date"];
const PREDICT = ["predict", "--topk", "7", "--json"];

/** Writes a folder of images whose labels go from 0 to 6, with the names of its classes if there are any. */
async function writeData(folder: string, names?: readonly string[], seed = 0): Promise<void> {
  const { train, test } = openSynthetic({ trainCount: 140, testCount: 70 });
  const [trains, tests] = await Promise.all([train, test].map(async (split) => {
    const bytes = await bytesOf(split.records()), size = 3073;
    const few = Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    const kept = few.filter(([label]) => label! < 7).flatMap((one) => [...one]);
    if (seed > 0) kept[5] = (kept[5]! + seed) % 256;
    return Uint8Array.from(kept);
  }));
  const files = new Map([["data_batch_1.bin", trains!], ["test_batch.bin", tests!]]);
  if (names) files.set("batches.meta.txt", new TextEncoder().encode(names.join("\r\n") + "\n\n"));
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await writeFiles(folder, files);
}

async function ran(folder: string, ...args: string[]): Promise<Run> {
  const run = await wgrad(folder, args);
  assertEquals(run.code, 0, run.err.join("\n"));
  return run;
}

/** The names that `predict` prints, by their labels in the alphabet. */
async function predicted(folder: string, ...args: string[]): Promise<string[]> {
  const { out } = await ran(folder, ...PREDICT, ...args, "a.png");
  return JSON.parse(out[0]!).images[0].classes.map(({ name }: { name: string }) => name).sort();
}

Deno.test("weights of seven classes know their data and its names in every command and format", () =>
  withFolder(async (folder) => {
    const data = join(folder, "fruit"), weights = join("runs", "run", "model.safetensors");
    await writeData(data, NAMES);
    await Deno.writeFile(join(folder, "a.png"), encodeRgbPng({ width: 32, height: 32, data: new Uint8Array(3072) }));
    const trained = await ran(folder, "train", "--data", "fruit", "--max-steps", "3", "--name", "run", "--json");
    const { metadata, tensors } = decodeSafetensors(await Deno.readFile(join(folder, weights)), "weights");
    const { name, place, train, test } = JSON.parse(metadata.data!);
    assertEquals([name, place, train.images, test.images], ["fruit", data, 98, 49]);
    assertEquals([JSON.parse(metadata.classes!), tensors.get("fc3.bias")!.shape], [NAMES, [7]]);

    // From another folder, without --data: the same images, the same result, and no warning.
    await Deno.mkdir(join(folder, "elsewhere"));
    const tested = await ran(join(folder, "elsewhere"), "eval", "--weights", join("..", weights), "--json");
    const result = JSON.parse(tested.out[0]!);
    assertEquals([result.loss, result.data], [JSON.parse(trained.out[0]!).loss, data]);
    assertEquals([Object.keys(result.perClass), result.confusion.length], [NAMES, 7]);
    assert(!tested.err.some((line) => line.startsWith("WARNING")), tested.err.join("\n"));

    // Every format, there and back; .pth and .npz have the names beside them.
    assertEquals(await predicted(folder, "--weights", weights), NAMES.toSorted());
    for (
      const [to, from] of [["a.pth", weights], ["b.npz", "a.pth"], ["c.safetensors", "b.npz"], ["d.onnx", "a.pth"]]
    ) {
      await ran(folder, "export", "--weights", from!, "--to", to!);
      if (to !== "d.onnx") assertEquals(await predicted(folder, "--weights", to!), NAMES.toSorted(), to);
    }
    const beside = (file: string) => join(folder, `${file}.classes.txt`);
    assertEquals(await Deno.readTextFile(beside("a.pth")), NAMES.map((name) => `${name}\n`).join(""));
    assert(
      new TextDecoder("latin1").decode(await Deno.readFile(join(folder, "d.onnx"))).includes(JSON.stringify(NAMES)),
    );
    await ran(folder, "import", "b.npz", "--to", "e.safetensors");
    assertEquals(await predicted(folder, "--weights", "e.safetensors"), NAMES.toSorted());

    // A file of names is not overwritten without --force, and does not outlive the weights that it belonged to.
    await Deno.rename(join(folder, "b.npz"), join(folder, "f.npz"));
    const refused = await wgrad(folder, ["export", "--weights", weights, "--to", "b.npz"]);
    assertEquals([refused.code, refused.err], [2, ["error: b.npz.classes.txt exists already; --force replaces it"]]);
    const numbers = Array.from({ length: 7 }, (_, i) => `class ${i + 1}`);
    assertEquals(await predicted(folder, "--weights", "f.npz"), numbers);
    await ran(folder, "export", "--weights", "f.npz", "--to", "b.npz", "--force");
    assertEquals(await predicted(folder, "--weights", "b.npz"), numbers);

    // Names from a file, which must be as many as the classes.
    await Deno.writeTextFile(join(folder, "names"), "g\nf\ne\nd\nc\nb\na\n");
    assertEquals(await predicted(folder, "--weights", "f.npz", "--classes", "names"), [..."abcdefg"]);
    await Deno.writeTextFile(join(folder, "few"), "g\nf\n");
    for (
      const [file, code, message] of [
        ["few", 1, "error: f.npz: the model has 7 classes, and --classes has 2 names"],
        ["none", 2, "error: --classes none: there is no such file"],
      ] as const
    ) {
      const run = await wgrad(folder, [...PREDICT, "--weights", "f.npz", "--classes", file, "a.png"]);
      assertEquals([run.code, run.err], [code, [message]]);
    }
  }));

Deno.test("eval refuses data of other classes in one line, and warns of other images", () =>
  withFolder(async (folder) => {
    await writeData(join(folder, "fruit"), NAMES);
    await ran(folder, "train", "--data", "fruit", "--max-steps", "3", "--name", "run");
    const evaluate = ["eval", "--weights", join("runs", "run", "model.safetensors")];
    const refused = async (data: string, message: RegExp) => {
      const run = await wgrad(folder, [...evaluate, "--data", data]);
      assertEquals([run.code, run.out.filter((line) => line.startsWith("Accuracy"))], [2, []]);
      assertMatch(run.err.at(-1)!, message);
    };
    const has = "tells apart 7 classes \\(apple, pear, plum, …\\)";
    await refused(
      "synthetic",
      new RegExp(`^error: .*model.safetensors ${has}, and synthetic has 10 classes \\(disc, `),
    );
    await writeData(join(folder, "others"), NAMES.toReversed());
    await refused("others", new RegExp(`${has}, and others has 7 classes \\(date, lime, kiwi, …\\): give --data with`));
    // Without names the classes may be the same; the images are others.
    await writeData(join(folder, "unnamed"), ["1", "2", "3", "4", "5", "6", "7"].map((one) => `class ${one}`), 9);
    const { err, out } = await ran(folder, ...evaluate, "--data", "unnamed");
    const warning =
      "WARNING: the test images of unnamed are not those that the model was tested on when it was trained: " +
      "their checksums differ";
    assert(err.includes(warning), err.join("\n"));
    assert(out.some((line) => line.startsWith("Accuracy for class apple")), out.join("\n"));
    assertEquals((await ran(folder, ...evaluate)).err.filter((line) => line.startsWith("WARNING")), []);
  }));
