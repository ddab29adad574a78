/**
 * The specialiser: constants, optional parts, unrolled loops, arrays turned into scalars.
 */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { evaluate, specialize } from "../../src/wgsl/specialize.ts";

const text = (source: string, constants = {}) => specialize({ file: "test.wgsl", source }, constants);

Deno.test("specialize() replaces constants by the type of their declaration", () => {
  const source = `const A: u32 = 1u;
const B: i32 = 1;
const C: f32 = 1.0;
const D: bool = false;
const E: array<u32, 2> = array<u32, 2>(0u, 0u);
const F: array<f32, 1> = array<f32, 1>(0.0);
alias T = f32;
`;
  const found = text(source, { A: 7, B: -3, C: 0.1, D: true, E: [1, 2, 3], F: [0.5], T: "u32" });
  assertEquals(
    found,
    `const A: u32 = 7u;
const B: i32 = -3;
const C: f32 = f32(0.10000000149011612);
const D: bool = true;
const E = array<u32, 3>(1u, 2u, 3u);
const F = array<f32, 1>(f32(0.5));
alias T = u32;
`,
  );
});

Deno.test("specialize() refuses unknown constants and values that do not fit", () => {
  assertThrows(() => text("const A: u32 = 1u;", { B: 1 }), Error, "no constant B");
  assertThrows(() => text("const A: u32 = 1u;", { A: 1.5 }), Error, "1.5 is not an integer");
  assertThrows(() => text("const A: f32 = 1.0;", { A: Infinity }), Error, "Infinity cannot be a constant");
});

Deno.test("specialize() unrolls marked loops, nested ones too, with bounds that use the outer variable", () => {
  const source = `const N: u32 = 2u;
// @unroll
for (var i = 0u; i < N + 1u; i++) {
  // @unroll
  for (var j = i; j < 3u; j += 2u) {
    f(i, j);
  }
}
for (var k = 0u; k < N; k++) { g(k); }`;
  const calls = [...text(source).matchAll(/f\((\d+)u, (\d+)u?\)/g)].map(([, i, j]) => `${i}${j}`);
  assertEquals(calls, ["00", "02", "11", "22"]);
  assertMatch(text(source), /for \(var k = 0u; k < N; k\+\+\)/);
});

Deno.test("specialize() unrolls `@unroll NAME` only where the constant is true", () => {
  const source = `const FULL: bool = false;
// @unroll FULL
for (var i = 0u; i < 2u; i++) { f(i); }`;
  assertMatch(text(source), /for \(var i/);
  assertEquals(text(source, { FULL: true }).match(/f\(\du\)/g), ["f(0u)", "f(1u)"]);
});

Deno.test("specialize() drops optional statements and blocks, nested ones too", () => {
  const source = `const A: bool = false;
const B: bool = true;
// @if A
@group(0) @binding(1) var<storage, read> a: array<f32>;
// @if B
{
  keep();
  // @if A
  if (x) {
    drop(a);
  }
}
end();`;
  const found = text(source);
  assertEquals([/binding/.test(found), /drop/.test(found), /keep/.test(found), /end/.test(found)], [
    false,
    false,
    true,
    true,
  ]);
  assertMatch(text(source, { A: true }), /binding[\s\S]*drop/);
});

Deno.test("specialize() turns arrays with constant indices into scalars, and leaves the others", () => {
  const source = `const N: u32 = 2u;
fn main() {
  var a: array<f32, N * 2u>;
  var b: array<f32, N>;
  // @unroll
  for (var i = 0u; i < N; i++) {
    a[i * 2u + 1u] = b[k];
  }
}`;
  const found = text(source);
  assertMatch(found, /var a__0: f32; var a__1: f32; var a__2: f32; var a__3: f32;/);
  assertMatch(found, /a__1 = b\[k\][\s\S]*a__3 = b\[k\]/);
  assertMatch(found, /var b: array<f32, N>;/);
});

Deno.test("evaluate() computes integer expressions and refuses the rest", () => {
  const scope = new Map([["N", 5]]);
  const cases: [string, number | null][] = [
    ["(N - 1u) * u32(2) + 7u / 2u", 11],
    ["-N % 3", -2],
    ["1 + select(2u, N, 1) * select(3, 4, N - 5)", 16],
    ["select(1, 2)", null],
    ["2 * (N", null],
    ["M + 1", null],
    ["1 / 0", null],
    ["N < 2", 0],
    ["(1 < N) * (N < 6)", 1],
    ["M < 2", null],
    ["N < 2 < 3", null],
  ];
  for (const [expression, value] of cases) assertEquals(evaluate(expression, scope), value, expression);
});
