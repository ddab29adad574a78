/**
 * Small data sets, archives and servers for the tests of the data room.
 *
 * @module
 */
import { createTarPacker } from "modern-tar";
import { CIFAR10_LAYOUT, type OfficialFile, recordBytes, type RecordLayout } from "../../src/data/cifar.ts";
import type { Batch } from "../../src/data/dataset.ts";
import { sha256 } from "../../src/files/read.ts";
import { mix32 } from "../../src/random.ts";

/** Valid records with varied labels and pixels. */
export function makeRecords(count: number, seed = 0, layout: RecordLayout = CIFAR10_LAYOUT): Uint8Array<ArrayBuffer> {
  const size = recordBytes(layout), bytes = new Uint8Array(count * size);
  for (let i = 0; i < bytes.length; i++) bytes[i] = mix32(i + seed * 0x10001) & 255;
  for (let record = 0; record < count; record++) {
    for (const [i, { classes }] of layout.labels.entries()) bytes[record * size + i]! %= classes;
  }
  return bytes;
}

/** The six files of a tiny CIFAR-10, three to eight records each. */
export function makeFiles(): Map<string, Uint8Array<ArrayBuffer>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let i = 1; i <= 5; i++) files.set(`data_batch_${i}.bin`, makeRecords(2 + i, i));
  files.set("test_batch.bin", makeRecords(8, 9));
  return files;
}

/** The table of checksums of some files. */
export async function tableOf(files: ReadonlyMap<string, Uint8Array>): Promise<OfficialFile[]> {
  const table: OfficialFile[] = [];
  for (const [name, bytes] of files) table.push({ name, bytes: bytes.length, sha256: await sha256([bytes]) });
  return table;
}

/** A tar archive of files, in the order of the map. */
export async function makeTar(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, controller } = createTarPacker();
  const bytes = new Response(readable).arrayBuffer();
  for (const [name, content] of files) {
    const writer = controller.add({ name, size: content.length, type: "file" }).getWriter();
    await writer.write(content);
    await writer.close();
  }
  controller.finalize();
  return new Uint8Array(await bytes);
}

/** Gzips bytes. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** A `.tar.gz` laid out like the official one: in a folder, with a text file, and the files out of order. */
export async function makeArchive(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const names = [...files.keys()], order = [names[0]!, ...names.slice(1).reverse()];
  const entries = new Map<string, Uint8Array>([["set/readme.html", new TextEncoder().encode("<p>data</p>")]]);
  for (const name of order) entries.set(`set/${name}`, files.get(name)!);
  return await gzip(await makeTar(entries));
}

/** Writes files into a folder. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, bytes] of files) await Deno.writeFile(`${folder}/${name}`, bytes);
}

/** Runs `body` with a new folder, which is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "wgrad-test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Puts the records of batches back into one array of bytes. */
export async function bytesOf(batches: AsyncIterable<Batch>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const { count, labels, pixels, coarse } of batches) {
    const size = pixels.length / count;
    for (let i = 0; i < count; i++) {
      if (coarse) parts.push(coarse.subarray(i, i + 1));
      parts.push(labels.subarray(i, i + 1), pixels.subarray(i * size, (i + 1) * size));
    }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Joins arrays of bytes. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
