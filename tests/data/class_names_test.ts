/** Lists of class names in a data set of a stranger. */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { openDataset } from "../../src/data/open_dataset.ts";
import { DataError } from "../../src/errors.ts";
import { makeArchive, makeFiles, withFolder, writeFiles } from "./fixtures.ts";

/** Calls `check` with a folder and an archive that have this list of class names. */
async function withList(list: string, check: (path: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const files = makeFiles().set("batches.meta.txt", new TextEncoder().encode(list));
    await writeFiles(join(folder, "set"), files);
    await Deno.writeFile(join(folder, "set.tar.gz"), await makeArchive(files));
    for (const path of [join(folder, "set"), join(folder, "set.tar.gz")]) await check(path);
  });
}

const names = (first: string) => [first, ..."bcdefghij"].join("\n");

Deno.test("class names are limited in length and count", async () => {
  const cases: [list: string, message: string][] = [
    ["x\n".repeat(1e6), "the list of class names has 2000000 bytes; the limit is 65536"],
    [names("x".repeat(101)), `the class name "${"x".repeat(40)} …" is longer than 100 characters`],
  ];
  for (const [list, message] of cases) {
    await withList(list, async (path) => {
      await assertRejects(() => openDataset(path, { offline: true }), DataError, message);
    });
  }
  await withList(names("x".repeat(100)), async (path) => {
    assertEquals((await openDataset(path)).classes[0]!.length, 100);
  });
});

Deno.test("control characters of class names are escaped", async () => {
  await withList(names("\x1b[31m\x9b\u202ecat"), async (path) => {
    assertEquals((await openDataset(path)).classes.slice(0, 2), [String.raw`\u001b[31m\u009b\u202ecat`, "b"]);
  });
});
