import { assert, assertEquals, assertRejects } from "@std/assert";
import { createTarPacker } from "modern-tar";
import { entriesInOrder, listArchive, readArchive } from "../../src/files/archive.ts";
import { writeSynced } from "../../src/files/write.ts";
import { DataError } from "../../src/errors.ts";
import { deno } from "../project/support.ts";
import { gzip, makeArchive, makeFiles, makeRecords, makeTar, withFolder } from "../data/fixtures.ts";

async function drain(path: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for await (const { name, bytes, body } of readArchive(path)) {
    const content = new Uint8Array(await new Response(ReadableStream.from(body)).arrayBuffer());
    assertEquals(content.length, bytes);
    found.set(name, content);
  }
  return found;
}

Deno.test("readArchive() yields each regular file with its bytes", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`, files = makeFiles();
    await Deno.writeFile(path, await makeArchive(files));
    const found = await drain(path);
    found.delete("readme.html");
    assertEquals([...found].sort(), [...files].sort());
  }));

Deno.test("readArchive() skips bodies that are not read, in part or at all, small and large", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`, files = new Map<string, Uint8Array>();
    // Large ones are over modern-tar's own buffers.
    for (let i = 0; i < 12; i++) files.set(`${i}.bin`, makeRecords(i % 3 === 0 ? 1 : i % 3 === 1 ? 900 : 0, i));
    await Deno.writeFile(path, await gzip(await makeTar(files)));
    for (let skip = 0; skip < 4; skip++) {
      const seen: string[] = [];
      let i = 0;
      for await (const { name, body } of readArchive(path)) {
        seen.push(name);
        if ((i++ + skip) % 4 === 0) continue;
        if ((i + skip) % 4 === 1) {
          for await (const _ of body) break;
          continue;
        }
        const content = new Uint8Array(await new Response(ReadableStream.from(body)).arrayBuffer());
        assertEquals(content, files.get(name));
      }
      assertEquals(seen, [...files.keys()]);
    }
  }));

Deno.test("readArchive() uses only the last part of a name, and passes over what is no regular file", () =>
  withFolder(async (folder) => {
    const { readable, controller } = createTarPacker();
    const tar = new Response(readable).arrayBuffer();
    await controller.add({ name: "../../etc/data_batch_1.bin", size: 0, type: "file" }).close();
    await controller.add({ name: "test_batch.bin", size: 0, type: "symlink", linkname: "/etc/passwd" }).close();
    await controller.add({ name: "data_batch_2.bin/", size: 0, type: "directory" }).close();
    controller.finalize();
    const path = `${folder}/a.tar.gz`;
    await Deno.writeFile(path, await gzip(new Uint8Array(await tar)));
    assertEquals([...(await drain(path)).keys()], ["data_batch_1.bin"]);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.tar.gz"]);
  }));

Deno.test("entriesInOrder() gives names in the order asked for, whatever theirs", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`, files = makeFiles(), names = [...files.keys()];
    await Deno.writeFile(path, await makeArchive(files));
    const seen: string[] = [];
    for await (const { name, body } of entriesInOrder(path, names)) {
      seen.push(name);
      assertEquals(new Uint8Array(await new Response(ReadableStream.from(body)).arrayBuffer()), files.get(name));
    }
    assertEquals(seen, names);
    const missing = Array.fromAsync(entriesInOrder(path, ["data_batch_2.bin", "data_batch_6.bin"]));
    await assertRejects(() => missing, DataError, `${path}: data_batch_6.bin is missing in the archive`);
  }));

Deno.test("listArchive() gives sizes and refuses a name that comes twice", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`;
    await Deno.writeFile(
      path,
      await gzip(await makeTar(new Map([["a/x.bin", makeRecords(2)], ["b", makeRecords(1)]]))),
    );
    assertEquals([...await listArchive(path, (name) => name.endsWith(".bin"))], [["x.bin", 6146]]);
    const twice = new Map([["a/x.bin", makeRecords(1)], ["b/x.bin", makeRecords(1)]]);
    await Deno.writeFile(path, await gzip(await makeTar(twice)));
    await assertRejects(() => listArchive(path, () => true), DataError, `${path}: contains x.bin twice`);
  }));

/** The one error of a damaged archive: its class, the file, an offset, and nothing left open. */
async function failure(bytes: Uint8Array): Promise<string> {
  let message = "";
  await withFolder(async (folder) => {
    const path = `${folder}/cifar-10-binary.tar.gz`;
    await Deno.writeFile(path, bytes);
    const error = await assertRejects(() => listArchive(path, () => true), DataError);
    assertEquals(error.constructor, DataError);
    assert(error.message.startsWith(`${path}: byte `), error.message);
    assert(!error.message.includes("\n"));
    message = error.message.slice(path.length + 2);
  });
  return message;
}

Deno.test("a truncated gzip is one DataError with file and byte offset", async () => {
  const whole = await makeArchive(makeFiles());
  for (const length of [20, 1000, whole.length - 100_000, whole.length - 9, whole.length - 8, whole.length - 1]) {
    const message = await failure(whole.subarray(0, length));
    assert(message.startsWith(`byte ${length}: gzip: `), `${length}: ${message}`);
  }
  assert((await failure(new Uint8Array(0))).startsWith("byte 0: "));
});

Deno.test("a damaged gzip, and a file that is none, are one DataError with file and byte offset", async () => {
  const damaged = (await makeArchive(makeFiles())).slice();
  damaged[damaged.length - 6]! ^= 1; // the check sum at the end
  assert((await failure(damaged)).startsWith(`byte ${damaged.length}: gzip: `));
  const message = await failure(makeRecords(100));
  assert(message.startsWith("byte 16384 or up to 16384 before it: gzip: "), message);
});

Deno.test("a truncated tar inside a whole gzip is one DataError with file and byte offset", async () => {
  const tar = await makeTar(makeFiles());
  for (const length of [100, 700, 5000, tar.length - 2000]) {
    const message = await failure(await gzip(tar.slice(0, length)));
    assert(message.startsWith(`byte ${length} of the unpacked tar: `), `${length}: ${message}`);
  }
});

Deno.test("a tar with a damaged header is one DataError with file and byte offset", async () => {
  const tar = await makeTar(makeFiles());
  tar[10]! ^= 0x55;
  const message = await failure(await gzip(tar));
  assert(/^byte \d+ of the unpacked tar: /.test(message), message);
});

Deno.test("an archive that is not there is a DataError", async () => {
  await assertRejects(() => drain("/nowhere/a.tar.gz"), DataError, "cannot read /nowhere/a.tar.gz: no such file");
});

Deno.test("readArchive() keeps its memory, whatever the length of the archive", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a.tar.gz`, chunk = new Uint8Array(1 << 20), total = 256;
    const { readable, controller } = createTarPacker();
    const writing = writeSynced(path, readable.pipeThrough(new CompressionStream("gzip")));
    const writer = controller.add({ name: "big.bin", size: total * chunk.length, type: "file" }).getWriter();
    for (let i = 0; i < total; i++) await writer.write(chunk);
    await writer.close();
    controller.finalize();
    await writing;
    // In a process of its own: this one also holds the memory of other tests, which comes and goes.
    const { code, stdout, stderr } = await deno(
      "eval",
      "--quiet",
      "--no-check",
      `
      import { readArchive } from ${JSON.stringify(new URL("../../src/files/archive.ts", import.meta.url))};
      const before = Deno.memoryUsage().rss;
      let bytes = 0, peak = 0;
      for await (const { body } of readArchive(${JSON.stringify(path)})) {
        for await (const part of body) {
          bytes += part.length;
          peak = Math.max(peak, Deno.memoryUsage().rss - before);
        }
      }
      console.log(JSON.stringify([bytes, peak]));`,
    );
    assertEquals(code, 0, stderr);
    const [bytes, peak] = JSON.parse(stdout);
    assertEquals(bytes, total * chunk.length);
    assert(peak < 128e6, `the process grew by ${peak} bytes`);
  }));
