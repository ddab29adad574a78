/**
 * Inputs as uniform buffers: what becomes of a kernel's text, and what is bound.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { print } from "../../src/wgsl/print.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { asUniforms, fitsUniform } from "../../src/wgsl/uniforms.ts";

const kernel = (type: string, load: string) =>
  `alias V = vec4f;
@group(0) @binding(0) var<storage, read> x: array<${type}>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
fn twice(i: u32) -> ${type === "V" ? "vec4f" : type} { return 2 * x[i]; }
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = ${load};
  _ = twice(id.x);
}`;
const moduleOf = (source: string) => specialize({ file: "test.wgsl", source }, {});
const rewrite = (type: string, load: string, size: number) => {
  const { module, windows } = asUniforms(moduleOf(kernel(type, load)), new Map([[0, size]]));
  return { text: print(module), windows };
};

Deno.test("a small array of scalars lies in vectors, and every load takes its part, in functions too", () => {
  const { text, windows } = rewrite("f32", "x[id.x + u32(x[0])]", 100);
  assertStringIncludes(text, "var<uniform> x:array<vec4f, 7>;");
  assertStringIncludes(text, "return 2f*x[i>>2u][i&3u];");
  assertStringIncludes(text, "x[(id.x+u32(x[0u][0u]))>>2u][(id.x+u32(x[0u][0u]))&3u]");
  assertEquals(windows, [{ input: 0, number: 0, offset: 0, size: 112 }]);
});

Deno.test("vectors of four, under a name of their own too, are loaded as they were", () => {
  for (const type of ["vec4f", "V"]) {
    const { text } = rewrite(type, "x[id.x].y", 160);
    assertStringIncludes(text, "var<uniform> x:array<vec4f, 10>;");
    assertStringIncludes(text, "x[id.x].y");
  }
});

Deno.test("a larger array has windows, of which a load takes its own", () => {
  const { text, windows } = rewrite("f32", "x[id.x]", 2 * 65536 + 20);
  assertEquals(windows.map(({ offset, size }) => [offset, size]), [[0, 65536], [65536, 65536], [131072, 32]]);
  assertEquals(new Set(windows.map(({ number }) => number)).size, 3);
  assertMatch(text, /fn x_at\(i:u32\)->f32\{\nlet window=i>>14u;/);
  assertStringIncludes(text, "y[id.x]=x_at(id.x);");
  assertStringIncludes(text, "return 2f*x_at(i);");
});

Deno.test("what is too large, written, unknown, or of other types stays a storage buffer", () => {
  assert(fitsUniform(4 * 65536) && !fitsUniform(4 * 65536 + 4));
  for (const [type, size] of [["f32", 4 * 65536 + 4], ["f32", 0], ["vec2f", 64]] as const) {
    const { text, windows } = rewrite(type, "f32(id.x)", size);
    assertEquals([text, windows], [print(moduleOf(kernel(type, "f32(id.x)"))), []]);
  }
  const written = asUniforms(moduleOf(kernel("f32", "1.0")), new Map([[3, 64]]));
  assertEquals(written.windows, []);
});

Deno.test("no more than 12 windows in all", () => {
  const inputs = Array.from(
    { length: 5 },
    (_, i) => `@group(0) @binding(${i}) var<storage, read> x${i}: array<f32>;\n`,
  );
  const { windows } = asUniforms(moduleOf(inputs.join("")), new Map(inputs.map((_, i) => [i, 200000])));
  assertEquals(windows.length, 12);
  assertEquals(new Set(windows.map(({ number }) => number)).size, 12);
});

Deno.test("an index of i32 is converted, and a function that reads an input is called in its new form", () => {
  const source = `@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
fn at(i: i32) -> u32 { return x[i]; }
@compute @workgroup_size(1) fn main() { let x_1 = at(2); y[0] = x_1; }`;
  const small = asUniforms(moduleOf(source), new Map([[0, 64]])).module, reparsed = moduleOf(print(small));
  assertStringIncludes(print(small), "return x[u32(i)>>2u][u32(i)&3u];");
  assertEquals(print(reparsed), print(small));
  // Its second window gets a name that nothing has.
  const large = print(asUniforms(moduleOf(source), new Map([[0, 65540]])).module);
  assertStringIncludes(large, "var<uniform> x_1_:array<vec4u, 1>;");
});
