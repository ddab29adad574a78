/**
 * Failures of the system as lines for people.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { fileError } from "../../src/files/file_error.ts";
import { DataError, WeightsError } from "../../src/errors.ts";
import { makeFolder, writeAtomically } from "../../src/files/write.ts";
import { loadWeights } from "../../src/run/weights.ts";
import { withFolder } from "../data/fixtures.ts";

const posix = Deno.build.os !== "windows";

Deno.test({
  name: "fileError() says what is wrong in words, and the path once",
  ignore: !posix,
  fn: () =>
    withFolder(async (folder) => {
      const file = join(folder, "file");
      await Deno.writeTextFile(file, "");
      const cases: [path: string, action: (path: string) => Promise<unknown>, why: string][] = [
        [folder, (path) => Deno.readFile(path), "it is a folder"],
        [join(file, "x"), (path) => Deno.readFile(path), "a part of its path is not a folder"],
        [file, (path) => Array.fromAsync(Deno.readDir(path)), "a part of its path is not a folder"],
        [join(folder, "none"), (path) => Deno.stat(path), "no such file or folder"],
        [join(folder, "x".repeat(300)), (path) => Deno.stat(path), "File name too long"],
      ];
      for (const [path, action, why] of cases) {
        const { message } = fileError("read", path, await action(path).catch((error) => error));
        assertEquals(message, `cannot read ${path}: ${why}`);
      }
    }),
});

Deno.test("fileError() leaves what the system says of a full disk", () => {
  const full = "No space left on device (os error 28)";
  for (const text of [full, `${full}: writefile 'a\nb'`]) {
    assertEquals(fileError("write", "a", new Error(text)).message, "cannot write a: No space left on device");
  }
  const own = new DataError("mine (os error 1): x");
  assertEquals(fileError("write", "a", own), own);
});

Deno.test("weights that are a run's folder: the file in it is named", () =>
  withFolder(async (folder) => {
    const inside = join(folder, "model.safetensors"),
      load = () => assertRejects(() => loadWeights(folder), WeightsError);
    assertEquals((await load()).message, `cannot read ${folder}: it is a folder`);
    await Deno.writeTextFile(inside, "");
    assertEquals((await load()).message, `cannot read ${folder}: it is a folder; the run's weights are ${inside}`);
  }));

/** Runs `body`, and returns the folders that were synced meanwhile. */
async function foldersSynced(body: () => Promise<unknown>): Promise<string[]> {
  const open = Deno.open, synced: string[] = [];
  const spied = async (path: string, options?: Deno.OpenOptions) => {
    const file = await open(path, options), sync = file.sync.bind(file);
    file.sync = async () => {
      if ((await file.stat()).isDirectory) synced.push(path);
      await sync();
    };
    return file;
  };
  Object.defineProperty(Deno, "open", { value: spied, configurable: true, writable: true });
  try {
    await body();
  } finally {
    Object.defineProperty(Deno, "open", { value: open, configurable: true, writable: true });
  }
  return synced;
}

Deno.test({
  name: "the folder above a new folder is synced, so that the new name survives a power cut",
  ignore: !posix,
  fn: () =>
    withFolder(async (folder) => {
      const run = join(folder, "runs", "lenet-1"), checkpoints = join(run, "checkpoints");
      assertEquals(await foldersSynced(() => makeFolder(join(folder, "one"))), [folder]);
      const above = [run, join(folder, "runs"), folder];
      assertEquals((await foldersSynced(() => makeFolder(checkpoints, { recursive: true }))).sort(), above.sort());
      assertEquals(await foldersSynced(() => makeFolder(checkpoints, { recursive: true })), []);
      const file = join(folder, "new", "a.json");
      assertEquals(await foldersSynced(() => writeAtomically(file, new Uint8Array(1))), [folder, join(folder, "new")]);
      await assertRejects(() => makeFolder(checkpoints), Deno.errors.AlreadyExists);
    }),
});
