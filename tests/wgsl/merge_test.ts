/**
 * Several kernels' texts as one: what the merged kernel computes is what its parts compute, whatever their names are.
 */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { requestBackend } from "../../src/backend/request.ts";
import type { Storage } from "../../src/backend/memory.ts";
import { type Shader, shaderOf } from "../../src/backend/shader.ts";
import { merge, mergedBindings, outlineOf, type Part } from "../../src/wgsl/merge.ts";
import { print } from "../../src/wgsl/print.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { WgslError } from "../../src/wgsl/source.ts";
import { assertSameBits } from "../support/close.ts";

const gpu = await requestBackend();
let kernels = 0;
type Grid = readonly [number, number, number];

const outlineOfText = (source: string) => outlineOf(specialize({ file: "part.wgsl", source }, {}));

function partOf(code: string, grid: Grid = [1, 1, 1], bound: Record<number, string> = {}): Part {
  const outline = outlineOfText(code);
  if (!outline) throw new Error("this text cannot be merged");
  return { outline, grid, bound: new Map(Object.entries(bound).map(([number, name]) => [Number(number), name])) };
}

async function run(shader: Shader, storages: readonly Storage[], grid: Grid): Promise<void> {
  await gpu.program([{ shader, storages, grid }]).run();
}

/** Binding 0 of every text is read, and holds 1, 2, 3, …; binding 1 is written. Both ways must write the same. */
async function compare(texts: readonly (readonly [code: string, grid: Grid])[], size = 512): Promise<string> {
  const input = gpu.allocateStorage(4 * size), numbers = Float32Array.from({ length: size }, (_, i) => i + 1);
  gpu.write(input, numbers);
  const zeros = () => {
    const storage = gpu.allocateStorage(4 * size);
    gpu.write(storage, new Float32Array(size));
    return storage;
  };
  const alone = texts.map(zeros), together = texts.map(zeros);
  for (const [i, [source, grid]] of texts.entries()) {
    await run(shaderOf(gpu, { file: `alone_${kernels++}.wgsl`, source }, {}), [input, alone[i]!], grid);
  }
  const parts = texts.map(([code, grid]) => partOf(code, grid, { 0: "input" }));
  const module = merge(parts), { numbers: found } = mergedBindings(parts);
  const storages = new Map<number, Storage>();
  found.forEach((one, i) => storages.set(one.get(0)!, input).set(one.get(1)!, together[i]!));
  const shader = {
    file: "merged.wgsl",
    module,
    windows: [],
    bindings: [...storages].map(([number, storage]) => ({
      number,
      access: storage === input ? "read" as const : "write" as const,
    })),
  };
  await run(shader, [...storages.values()], [texts.reduce((sum, [, [x, y, z]]) => sum + x * y * z, 0), 1, 1]);
  const results = (await gpu.read([...alone, ...together])).map((bytes) => new Float32Array(bytes));
  texts.forEach((_, i) => {
    assert(results[i]!.some((value) => value !== 0), `part ${i} writes nothing`);
    assertSameBits(results[texts.length + i]!, results[i]!);
  });
  for (const { block } of [input, ...alone, ...together]) block.release();
  return print(module);
}

const BUFFERS = `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
`;
/** y[i] = x[i] N + the extents of the grid. */
const scale = (n: number, lanes = 64) =>
  `const N: f32 = ${n}.0; // a factor
const LANES: u32 = ${lanes}u;
${BUFFERS}
fn scaled(v: f32) -> f32 {
  return v * N;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = ((group.z * groups.y + group.y) * groups.x + group.x) * LANES + lane;
  y[i] = scaled(x[i]) + f32(groups.x * 100u + groups.y * 10u + groups.z);
}
`;
/** Each workgroup sums its elements as a tree. */
const sums = `/* a tree */
alias T = f32;
const N: u32 = 64u;
${BUFFERS}
var<workgroup> shared_part: array<T, N>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  shared_part[lane] = x[group.x * N + lane];
  for (var width = N / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) {
      shared_part[lane] += shared_part[lane + width];
    }
  }
  if (lane == 0u) {
    y[group.x] = shared_part[0];
  }
}
`;

Deno.test("parts with the same names of constants, functions and buffers keep their own", async () => {
  const code = await compare([[scale(2), [2, 1, 1]], [scale(3), [1, 1, 1]], [scale(5), [3, 1, 1]]]);
  assertMatch(code, /fn p0_scaled\(v:f32\)->f32\{\nreturn v\*2f;/);
  assertMatch(code, /fn p2_scaled\(v:f32\)->f32\{\nreturn v\*5f;/);
});

Deno.test("each part sees its own grid, along all three axes", async () => {
  await compare([[scale(2), [2, 1, 1]], [scale(3), [1, 2, 2]], [scale(4), [2, 2, 2]], [scale(5), [1, 3, 1]]]);
});

Deno.test("barriers and shared memory stay each part's own", async () => {
  const code = await compare([[sums, [3, 1, 1]], [scale(7), [2, 1, 1]], [sums, [5, 1, 1]]]);
  assertMatch(code, /var<workgroup> p0_shared_part:array<f32, 64>;/);
  const { outline } = partOf(sums);
  assertEquals([outline.waits, outline.sharedBytes, outline.lanes], [true, 256, 64]);
});

Deno.test("a part without barriers may have fewer lanes than the others", async () => {
  const code = await compare([[scale(2, 8), [5, 1, 1]], [sums, [2, 1, 1]], [scale(3, 1), [9, 1, 1]]]);
  assertMatch(code, /@workgroup_size\(64,1,1\)\nfn main/);
  assertMatch(code, /if\(lane<8u\)/);
});

Deno.test("locals, parameters and members named like what stands at module scope are no trouble", async () => {
  const names = `const main_1: f32 = 4.0;
struct Pair { x: f32, y: f32, N: f32 }
const N: f32 = 3.0;
${BUFFERS}
fn twice(x: f32, y: f32) -> Pair {
  var N = x * 2.0;
  { let main_1 = N; N = main_1 + y; }
  return Pair(N, y, x);
}
@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) own: vec3<u32>) {
  let group = id.x;
  let pair = twice(x[group], N);
  y[id.x] = pair.x + pair.y * main_1 + pair.N + f32(own.x) + vec2f(1.0, 2.0).y;
}
`;
  // Here "group", "lane" and "x" stand at module scope, which are locals there or in the merged kernel.
  const others = `const group: u32 = 2u; const lane: f32 = 0x1p2f; const pair = 1.5e1;
@group(0) @binding(0) var<storage, read> own: array<f32>;
@group(0) @binding(1) var<storage, read_write> id: array<f32>;
fn x() -> f32 { return lane + pair; }
@compute @workgroup_size(8,) fn main(@builtin(local_invocation_index) u: u32) {
  id[u] = own[u] * f32(group) + x() + f32(1u);
}
`;
  await compare([[names, [2, 1, 1]], [others, [1, 1, 1]], [names, [3, 1, 1]]]);
  await compare([[others, [1, 1, 1]], [names, [1, 1, 1]]]);
});

Deno.test("names that look like the prefix, and variables of a function's and a module's own", async () => {
  const odd = `const p1_N: f32 = 9.0;
var<private> own: f32;
${BUFFERS}
fn add(at: ptr<function, f32>) { *at += p1_N; own += *at; }
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
  var p0_x = x[i];
  add(&p0_x);
  add(&p0_x);
  y[i] = own;
}
`;
  await compare([[odd, [1, 1, 1]], [odd, [1, 1, 1]], [scale(2, 4), [1, 1, 1]]]);
});

Deno.test("what several parts read in the same way is declared and bound once", () => {
  const wide = scale(1).replace("x: array<f32>", "x: array<V>").replace("x[i]", "x[i].x") + "alias V = vec4f;\n";
  const same = scale(1).replaceAll("array<f32>", "array<V>") + "alias V = f32;\n";
  const one = [1, 1, 1] as const, bound = { 0: "a", 1: "b" };
  const counted = (...parts: Part[]) => mergedBindings(parts).storage;
  assertEquals(counted(partOf(scale(1), one, { 0: "a", 1: "b" }), partOf(scale(2), one, { 0: "a", 1: "c" })), 3);
  assertEquals(counted(partOf(scale(1), one, bound), partOf(same, one, { 0: "a", 1: "c" })), 3);
  // Other elements, or another range.
  assertEquals(counted(partOf(scale(1), one, bound), partOf(wide, one, { 0: "a", 1: "c" })), 4);
  assertEquals(counted(partOf(scale(1), one, bound), partOf(same, one, { 0: "d", 1: "c" })), 4);
});

Deno.test("uniform buffers are counted apart, and shared as well", () => {
  const text = (type: string) =>
    `@group(0) @binding(0) var<uniform> x: array<${type}, 4>;
@group(0) @binding(33) var<uniform> x_1: array<vec4f, 2>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() { y[0] = f32(x[0].x) + x_1[0].y; }
`;
  const bound = { 0: "a", 33: "a1" },
    parts = ["vec4f", "vec4f", "vec4u"].map((type) => partOf(text(type), [1, 1, 1], bound));
  const { numbers, storage, uniform } = mergedBindings(parts);
  assertEquals({ storage, uniform }, { storage: 3, uniform: 3 });
  assertEquals(numbers.map((one) => [one.get(0), one.get(33), one.get(1)]), [[0, 1, 2], [0, 1, 3], [4, 1, 5]]);
  const code = print(merge(parts));
  assertEquals(code.match(/var<uniform>/g)!.length, 3);
  assertMatch(code, /p1_y\[0u\]=p0_x\[0u\]\.x\+p0_x_1\[0u\]\.y;/);
});

Deno.test("kernels that cannot be merged are told", () => {
  const main = "@compute @workgroup_size(1) fn main() {}";
  assert(outlineOfText(main));
  // What the front end does not know, it refuses.
  assertThrows(() => outlineOfText(`enable f16;\n${main}`), WgslError, '"enable" is not supported');
  assertThrows(() => outlineOfText(`override N: u32 = 1u;\n${main}`), WgslError, '"override" is not supported');
  assertEquals(outlineOfText("fn main() {}"), null);
  assertEquals(outlineOfText("@compute @workgroup_size(8, 8) fn main() {}"), null);
  assertEquals(outlineOfText("@compute @workgroup_size(1) fn main(@builtin(subgroup_size) n: u32) {}"), null);
  assertEquals(outlineOfText(`${main}\n${main.replace("main", "other")}`), null);
  const uses = "@compute @workgroup_size(1) fn main() { _ = a; }";
  const arrays = `var<workgroup> a: array<vec4f, 2 * 8>;\nvar<workgroup> b: u32;\n`;
  assertEquals(outlineOfText(arrays + uses.replace("_ = a", "a[0].x = f32(b)"))?.sharedBytes, 260);
  assertEquals(outlineOfText(`struct S { a: f32, b: vec3f }\nvar<workgroup> a: S;\n${uses}`)?.sharedBytes, 32);
});

Deno.test("structs of one name in several parts stay apart", async () => {
  const pair = (type: string, index: number) =>
    `struct Pair { a: f32, b: ${type} }
${BUFFERS}
@compute @workgroup_size(1) fn main() {
  let pair = Pair(x[${index}], ${type}(x[1]));
  y[0] = pair.a + f32(pair.b);
}
`;
  const code = await compare([[pair("f32", 3), [1, 1, 1]], [pair("u32", 5), [1, 1, 1]]]);
  assertMatch(code, /struct Pair\{a:f32,b:f32\}\n[^]*struct Pair_\{a:f32,b:u32\}/);
});
