/**
 * Failures of the system as lines for people.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { fileError } from "../../src/files/file_error.ts";
import { DataError, WeightsError } from "../../src/errors.ts";
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
