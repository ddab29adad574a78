import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { decodeRgbPng } from "../../src/image/rgb_png.ts";
import { makeArchive, makeFiles, makeRecords, withFolder, writeFiles } from "./fixtures.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Runs `wgrad data` with the permissions that it needs, and an empty cache, in a folder. */
async function wgrad(folder: string, ...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--no-prompt",
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
      "--allow-env=WGRAD_DATA",
      `--config=${ROOT}deno.json`,
      `${ROOT}main.ts`,
      "data",
      ...args,
    ],
    cwd: folder,
    env: { WGRAD_DATA: `${folder}/cache` },
  }).output();
  const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).split("\n").filter((line) => line !== "");
  return { code, out: lines(stdout), err: lines(stderr) };
}

Deno.test("wgrad data show writes a PNG grid and names the images", () =>
  withFolder(async (folder) => {
    const args = ["show", "--data", "synthetic", "--split", "test", "--seed", "3", "--batch-size", "6"];
    const { code, out, err } = await wgrad(folder, ...args, "--columns", "3", "--out", "a.png");
    assertEquals([code, err], [0, []]);
    assert(out[0]!.includes("SYNTHETIC"));
    assert(/^(\w+ \(\d+\) {2}){5}\w+ \(\d+\)$/.test(out[1]!), out[1]);
    assertEquals(out[2], "data: wrote 6 images of the test set of synthetic to a.png");
    const image = decodeRgbPng(await Deno.readFile(`${folder}/a.png`), "a.png");
    assertEquals([image.width, image.height], [3 * 132 + 4, 2 * (128 + 18 + 4) + 4]);
  }));

Deno.test("wgrad data show --json ends stdout with one JSON object, and says all else on stderr", () =>
  withFolder(async (folder) => {
    const bytes = makeRecords(3);
    bytes[3073] = 3;
    await Deno.writeFile(`${folder}/a.bin`, bytes);
    const { code, out, err } = await wgrad(
      folder,
      "show",
      "--json",
      "--data",
      "a.bin",
      "--start",
      "1",
      "--batch-size",
      "1",
    );
    assertEquals(code, 0);
    assertEquals(out.map((line) => JSON.parse(line)), [
      { data: "a.bin", split: "train", indices: [1], labels: ["class 4"], out: "batch.png" },
    ]);
    assertEquals(err, [
      "data: a.bin is a single file: it is used as the training set and as the test set",
      "class 4 (1)",
      "data: wrote 1 images of the train set of a.bin to batch.png",
    ]);
  }));

Deno.test("wgrad data verify reads all of a data set, and tells whether it is the official one", () =>
  withFolder(async (folder) => {
    await writeFiles(`${folder}/set`, makeFiles());
    await Deno.writeFile(`${folder}/set.tar.gz`, await makeArchive(makeFiles()));
    for (const data of ["set", "set.tar.gz"]) {
      const { code, out, err } = await wgrad(folder, "verify", "--data", data, "--json");
      assertEquals([code, out.length, err.at(-1)], [0, 1, `data: ${data} is complete`]);
      const result = JSON.parse(out[0]!);
      assertEquals([result.train.records, result.test.records], [25, 8]);
      assertEquals([result.files.length, result.official], [6, false]);
      assert(result.files.every((file: { official: boolean }) => !file.official));
    }
    const files = makeFiles();
    files.get("test_batch.bin")![3073] = 11;
    await writeFiles(`${folder}/set`, files);
    const { code, err } = await wgrad(folder, "verify", "--data", "set");
    assertEquals(code, 1);
    assert(err.at(-1)!.startsWith("error: set/test_batch.bin: byte 3073: label 11 is out of range"), err.join());
  }));

Deno.test("wgrad data verify and fetch --offline on an empty cache: exit 1, one line, nothing fetched or made", () =>
  withFolder(async (folder) => {
    // No permission for the network is given: a try to use it would show in the message.
    for (const args of [["verify"], ["fetch", "--offline"], ["show", "--offline"]]) {
      const { code, err } = await wgrad(folder, ...args);
      assertEquals(code, 1);
      const last = err.at(-1)!;
      assert(last.startsWith("error: CIFAR-10 in the cache") && last.includes("is missing"), last);
      assert(last.includes("`wgrad data fetch`"), last);
      assertEquals([...Deno.readDirSync(folder)], []);
    }
  }));

Deno.test("wgrad data refuses impossible command lines: exit 2, one line", () =>
  withFolder(async (folder) => {
    for (
      const [args, message] of [
        [["fetch", "--data", "synthetic"], "data fetch: only cifar10 can be downloaded, not --data synthetic"],
        [["fetch", "--force", "--offline"], "data fetch: --force needs the network, but --offline forbids it"],
        [["show", "--force"], "flag --force belongs to `wgrad data fetch`, not to `show`"],
        [["verify", "--batch-size", "3"], "flag --batch-size belongs to `wgrad data show`, not to `verify`"],
        [["show", "--data", "cifar11"], "--data cifar11: no such data set, file or folder"],
        [
          ["show", "--data", "synthetic", "--start", "9999"],
          "records 9999 to 10002 do not exist: the split has 10000 records",
        ],
      ] as const
    ) {
      const { code, err } = await wgrad(folder, ...args);
      assertEquals(code, 2, err.join());
      assert(err.at(-1)!.startsWith(`error: ${message}`), err.join());
    }
  }));
