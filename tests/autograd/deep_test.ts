/**
 * Graphs that are deep, wide or full of diamonds: right, without recursion, and in time that grows with their size
 * alone.
 */
import { assert, assertEquals } from "@std/assert";
import { cpuUsage } from "node:process";
import type { Dispatch } from "../../src/backend/backend.ts";
import { PaperBackend } from "../../src/backend/paper/backend.ts";
import { merge } from "../../src/graph/merge.ts";
import { compile, grad, type GradFn, type Tensor, tensor } from "../../src/mod.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { assertClose } from "../support/close.ts";

const DEPTH = 10_000;
const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });

/** y after `depth` ops of a chain. */
function chain(x: Tensor, depth: number, op: (y: Tensor, i: number) => Tensor): Tensor {
  let y = x;
  for (let i = 0; i < depth; i++) y = op(y, i);
  return y;
}

/** Of four kinds of ops, one after the other. */
const mixed = (y: Tensor, i: number) =>
  [() => y.mul(1.001), () => y.relu(), () => y.reshape(i % 8 === 2 ? [2, 1] : [2]), () => y.add(0.001)][i % 4]!();

Deno.test("10,000 ops of several kinds, forward and backward", async () => {
  const x = leaf(0.5, -0.5), y = chain(x, DEPTH, mixed);
  y.sum().backward();
  const up = (v: number, i: number): number => i === DEPTH / 4 ? v : up(Math.max(v * 1.001, 0) + 0.001, i + 1);
  assertClose(await y.data(), [up(0.5, 0), up(-0.5, 0)], { rtol: 1e-3 });
  // The second is below 0 at first, where nothing flows through relu.
  assertClose(await x.grad!.data(), [1.001 ** (DEPTH / 4), 0], { rtol: 1e-3 });
});

Deno.test("10,000 views of one tensor, each of the one before", async () => {
  const x = leaf(1, 2, 3, 4), y = chain(x, DEPTH, (y, i) => y.reshape(i % 2 ? [4] : [2, 2]));
  y.mul(x).sum().backward();
  assertEquals([...await x.grad!.data()], [2, 4, 6, 8]);
});

Deno.test("gradFn of a deep graph can be walked to its end, before and after it is freed", () => {
  const y = chain(leaf(1), DEPTH, (y) => y.neg());
  const depth = () => {
    let count = 0;
    for (let fn: GradFn | undefined = y.gradFn!; fn; fn = fn.next[0]) count++;
    return count;
  };
  assertEquals(depth(), DEPTH + 1);
  y.backward();
  assertEquals(depth(), DEPTH + 1);
});

Deno.test("diamonds: 30 of them, one on the other, have 2^30 paths", async () => {
  const x = leaf(1, 2), y = chain(x, 30, (y) => y.mul(0.5).add(y.mul(0.5))), all = chain(x, 10, (y) => y.add(y));
  y.sum().backward();
  all.sum().backward();
  assertEquals([...await x.grad!.data()], [1025, 1025]);
});

Deno.test("a tensor used by 3,000 ops, and 3,000 tensors used by one result", async () => {
  const x = leaf(3), terms = Array.from({ length: 3000 }, (_, i) => x.mul(i % 2 ? 1 : -0.5));
  while (terms.length > 1) terms.push(terms.shift()!.add(terms.shift()!));
  terms[0]!.backward();
  assertEquals([...await x.grad!.data()], [750]);
});

Deno.test("branches that lead nowhere, views and the same tensor on both sides", async () => {
  const x = leaf(1, 2, 3, 4), y = x.mul(2);
  y.exp().log(); // Nobody reads these.
  const unused = y.reshape([2, 2]).matmul(y.reshape([2, 2]));
  const z = y.reshape([2, 2]), product = z.matmul(z.t()).sum(); // Σ (column sums of z)²
  product.backward();
  assertEquals([unused.grad, [...await x.grad!.data()]], [null, [32, 48, 32, 48]]);
});

Deno.test("grad() of an input halfway down a deep graph", async () => {
  const x = leaf(1), middle = chain(x, DEPTH / 2, (y) => y.mul(1)), end = chain(middle, DEPTH / 2, (y) => y.add(1));
  const [one] = grad(end, middle);
  assertEquals(await one!.item(), 1);
});

Deno.test("a deep step as a program", async () => {
  const x = leaf(0.5, 0.25);
  const program = compile(() => {
    x.grad = null;
    chain(x, 2000, mixed).sum().backward();
    return x.grad!;
  });
  await program.run(2);
  assertClose(await program.result.data(), [1.001 ** 500, 1.001 ** 500], { rtol: 1e-3 });
});

Deno.test("looking for dispatches to merge takes time in proportion to their number", () => {
  const source = "@group(0) @binding(0) var<storage, read> x: array<f32>;\n" +
    "@group(0) @binding(1) var<storage, read_write> y: array<f32>;\n\n@compute @workgroup_size(64)\n" +
    "fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, " +
    "@builtin(local_invocation_index) lane: u32) {\n  y[lane] = x[lane];\n}\n";
  const bindings = [{ number: 0, access: "read" }, { number: 1, access: "write" }] as const;
  const file = "copy.wgsl", shader = { file, module: specialize({ file, source }, {}), bindings, windows: [] };
  const paper = new PaperBackend();
  const places = Array.from(
    { length: 6001 },
    () => ({ block: paper.allocate(256), offset: 0, size: 256 }),
  );
  const commands = places.slice(1).map((place, i): Dispatch => (
    { shader, storages: [places[i]!, place], grid: [1, 1, 1] }
  ));
  // The processor's time, which other programs on the machine do not lengthen as they do the clock's.
  const start = cpuUsage();
  assertEquals(merge(commands).length, commands.length); // Each needs the one before.
  const { user, system } = cpuUsage(start), seconds = (user + system) / 1e6;
  assert(seconds < 5, `${seconds} s`); // 0.4 s. When all pairs were compared, it took a minute.
});
