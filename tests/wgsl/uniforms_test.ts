/**
 * Inputs as uniform buffers: what becomes of a kernel's text, and what is bound.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fitsUniform, withUniforms } from "../../src/wgsl/uniforms.ts";

const kernel = (type: string, load: string) =>
  `alias V = vec4f;
@group(0) @binding(0) var<storage, read> x: array<${type}>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
fn twice(i: u32) -> ${type === "V" ? "vec4f" : type} { return 2 * x[i]; }
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = ${load};
}`;
const rewrite = (type: string, load: string, size: number) => withUniforms(kernel(type, load), new Map([[0, size]]));

Deno.test("a small array of scalars lies in vectors, and every load takes its part, in functions too", () => {
  const { text, windows } = rewrite("f32", "x[id.x + x[0]]", 100);
  assertStringIncludes(text, "var<uniform> x: array<vec4f, 7>;");
  assertStringIncludes(text, "return 2 * x[(i) >> 2u][(i) & 3u]");
  assertStringIncludes(text, "x[(id.x + x[(0) >> 2u][(0) & 3u]) >> 2u][(id.x + x[(0) >> 2u][(0) & 3u]) & 3u]");
  assertEquals(windows, [{ input: 0, number: 0, offset: 0, size: 112 }]);
});

Deno.test("vectors of four, under a name of their own too, are loaded as they were", () => {
  for (const type of ["vec4f", "V"]) {
    const { text } = rewrite(type, "x[id.x].y", 160);
    assertStringIncludes(text, "var<uniform> x: array<vec4f, 10>;");
    assertStringIncludes(text, "x[id.x].y");
  }
});

Deno.test("a larger array has windows, of which a load takes its own", () => {
  const { text, windows } = rewrite("f32", "x[id.x]", 2 * 65536 + 20);
  assertEquals(windows.map(({ offset, size }) => [offset, size]), [[0, 65536], [65536, 65536], [131072, 32]]);
  assertEquals(new Set(windows.map(({ number }) => number)).size, 3);
  assertMatch(text, /fn x_at\(i: u32\) -> f32 \{\n {2}let window = i >> 14u;/);
  assertStringIncludes(text, "y[id.x] = x_at(id.x);");
  assertStringIncludes(text, "return 2 * x_at(i);");
});

Deno.test("what is too large, written, unknown, or of other types stays a storage buffer", () => {
  assert(fitsUniform(4 * 65536) && !fitsUniform(4 * 65536 + 4));
  for (const [type, size] of [["f32", 4 * 65536 + 4], ["f32", 0], ["vec2f", 64]] as const) {
    const { text, windows } = rewrite(type, "f32(id.x)", size);
    assertEquals([text, windows], [kernel(type, "f32(id.x)"), []]);
  }
  const written = withUniforms(kernel("f32", "1.0"), new Map([[3, 64]]));
  assertEquals(written.windows, []);
});

Deno.test("no more than 12 windows in all", () => {
  const inputs = Array.from(
    { length: 5 },
    (_, i) => `@group(0) @binding(${i}) var<storage, read> x${i}: array<f32>;\n`,
  );
  const { windows } = withUniforms(inputs.join("") + "@compute", new Map(inputs.map((_, i) => [i, 200000])));
  assertEquals(windows.length, 12);
  assertEquals(new Set(windows.map(({ number }) => number)).size, 12);
});
