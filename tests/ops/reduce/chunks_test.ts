import { assertEquals } from "@std/assert";
import { tensor } from "../../../src/mod.ts";
import { chunkCounts, evenChunks } from "../../../src/ops/reduce/chunks.ts";
import { sumChunks } from "../../../src/ops/reduce/dims.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";

Deno.test("evenChunks() splits into at most so many chunks, none of them empty", () => {
  assertEquals(evenChunks(10, 1), { chunks: 1, chunk: 10 });
  assertEquals(evenChunks(10, 4), { chunks: 4, chunk: 3 });
  assertEquals(evenChunks(9, 6), { chunks: 5, chunk: 2 });
  assertEquals(evenChunks(3, 7), { chunks: 3, chunk: 1 });
});

Deno.test("chunkCounts() gives 1 and the powers that leave enough terms, or chunks of one size", () => {
  assertEquals(chunkCounts(96, { least: 32 }), [1, 2]);
  assertEquals(chunkCounts(128, { least: 32 }), [1, 2, 4]);
  assertEquals(chunkCounts(1100, { least: 64, factor: 4 }), [1, 4, 16]);
  assertEquals(chunkCounts(12, { least: 1, equal: true }), [1, 2, 4]);
  assertEquals(chunkCounts(7, { least: 1, equal: true }), [1]);
  assertEquals(chunkCounts(5, { least: 8 }), [1]);
});

/** The sums over the chunks in f32, each addition rounded, in order. */
function inOrder(partial: Float32Array, chunks: number): Float32Array {
  const size = partial.length / chunks;
  return Float32Array.from({ length: size }, (_, i) => {
    let sum = partial[i]!;
    for (let chunk = 1; chunk < chunks; chunk++) sum = Math.fround(sum + partial[chunk * size + i]!);
    return sum;
  });
}

for (const chunks of [1, 2, 63, 64, 65, 300]) {
  Deno.test(`sumChunks() adds ${chunks} partial sums in order, to the bit`, async () => {
    const data = Float32Array.from({ length: chunks * 70 }, (_, i) => Math.fround(Math.sin(i) * 10 ** (i % 7)));
    const sums = new Tensor(sumChunks(tensor(data, { shape: [chunks, 7, 10] }).value));
    assertEquals(sums.shape, [7, 10]);
    assertEquals(await sums.data(), inOrder(data, chunks));
  });
}
