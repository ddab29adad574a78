import { assert, assertEquals, assertRejects } from "@std/assert";
import { download, type DownloadOptions, TooSlowError } from "../../src/files/download.ts";
import { DataError } from "../../src/errors.ts";
import { makeRecords, withFolder } from "../data/fixtures.ts";
import { type Behaviour, deadUrl, serve } from "../data/server.ts";

const CONTENT = makeRecords(100); // 307,300 bytes

/** Downloads from a server of these behaviours, `have` bytes being there; gives the file and the ranges asked for. */
async function fetched(
  behaviours: readonly Behaviour[],
  have: Uint8Array = new Uint8Array(0),
  options: DownloadOptions = {},
): Promise<{ bytes: Uint8Array; ranges: string[]; error: unknown }> {
  await using server = serve(CONTENT, behaviours);
  const folder = await Deno.makeTempDir({ prefix: "wgrad-test-" }), path = `${folder}/file.part`;
  try {
    if (have.length > 0) await Deno.writeFile(path, have);
    const error = await download(server.url, path, options).then(() => undefined, (error) => error);
    const bytes = await Deno.readFile(path).catch(() => new Uint8Array(0));
    return { bytes, ranges: server.ranges, error };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const whole = { bytes: CONTENT, error: undefined };

Deno.test("download() gets a file, with progress", async () => {
  const lines: string[] = [];
  const result = await fetched([{}], undefined, { progress: (text) => lines.push(text) });
  assertEquals(result, { ...whole, ranges: [""] });
  assert(/^cifar-10-binary\.tar\.gz: [\d.]+ of 0\.3 MB, [\d.]+ MB\/s, \d+ s left$/.test(lines[0]!), lines[0]);
});

Deno.test("download() asks only for what is missing", async () => {
  assertEquals(await fetched([{}], CONTENT.subarray(0, 1234)), { ...whole, ranges: ["bytes=1234-"] });
});

Deno.test("download() goes on by itself when the connection breaks", async () => {
  const result = await fetched([{ bytes: 100_000 }, { bytes: 1 }, { bytes: 0 }, {}]);
  assertEquals(result, { ...whole, ranges: ["", "bytes=100000-", "bytes=100001-", "bytes=100001-"] });
});

Deno.test("download() begins anew where the server knows no ranges", async () => {
  const result = await fetched([{ ignoreRange: true }], CONTENT.subarray(5, 1239));
  assertEquals(result, { ...whole, ranges: ["bytes=1234-"] });
});

Deno.test("download() takes a whole file as whole, and one too long for another one", async () => {
  assertEquals(await fetched([{}], CONTENT), { ...whole, ranges: ["bytes=307300-"] });
  const long = new Uint8Array(CONTENT.length + 5);
  assertEquals(await fetched([{}], long), { ...whole, ranges: ["bytes=307305-", ""] });
});

Deno.test("download() does not trust a range that it did not ask for", async () => {
  const behaviours = [{ contentRange: `bytes 7-307299/307300` }, {}];
  assertEquals(await fetched(behaviours, CONTENT.subarray(0, 1000)), { ...whole, ranges: ["bytes=1000-", ""] });
});

Deno.test("download() without a stated length ends where the connection does", async () => {
  assertEquals(await fetched([{ noLength: true }]), { ...whole, ranges: [""] });
});

Deno.test("download() gives up a server that falls silent, and keeps what came", async () => {
  const started = performance.now();
  const { bytes, error } = await fetched([{ bytes: 50_000, then: "silence" }], undefined, { stallMs: 300 });
  assert(
    error instanceof DataError && /^received nothing for 0\.3 s, after 0\.1 MB$/.test(error.message),
    String(error),
  );
  assertEquals(bytes, CONTENT.subarray(0, 50_000));
  const elapsed = performance.now() - started;
  assert(elapsed > 250 && elapsed < 20_000, `${elapsed} ms`); // Sooner than by default.
});

Deno.test("download() gives up a server that says nothing at all", async () => {
  const { error } = await fetched([{ mute: true }], undefined, { connectMs: 200 });
  assert(error instanceof DataError && error.message === "no response within 0.2 s", String(error));
});

Deno.test("download() gives up a server that is too slow, only if it has a least speed", async () => {
  // A byte comes every 20 ms for 1.2 s. A second without one would mean that this process did not run at all.
  const slow = [{ slowly: 20, bytes: 60_000 }, {}];
  const { error, bytes } = await fetched(slow, undefined, { stallMs: 1000, minRate: 1e6 });
  assert(error instanceof TooSlowError && /^too slow: \d+\.\d kB\/s$/.test(error.message), String(error));
  assert(bytes.length > 0);
  assertEquals((await fetched(slow, undefined, { stallMs: 1000 })).error, undefined);
});

Deno.test("download() does not try for ever when each connection breaks without a byte", async () => {
  const { error, ranges } = await fetched([{ bytes: 0 }]);
  assert(error instanceof DataError && error.message === "the connection broke 3 times without a byte", String(error));
  assertEquals(ranges.length, 3);
});

Deno.test("download() names an answer that is none, and keeps what is there", async () => {
  const { error, bytes } = await fetched([{ status: 404 }], CONTENT.subarray(0, 99));
  assert(error instanceof DataError && error.message === "the server responded 404 Not Found", String(error));
  assertEquals(bytes, CONTENT.subarray(0, 99));
});

Deno.test("download() tells at once that nobody listens", async () => {
  await withFolder(async (folder) => {
    await assertRejects(() => download(deadUrl(), `${folder}/x`), DataError, "connection refused");
  });
});

Deno.test("download() tells that it cannot write", async () => {
  await using server = serve(CONTENT, [{}]);
  await assertRejects(() => download(server.url, "/nowhere/x"), DataError, "cannot write /nowhere/x: no such file");
});
