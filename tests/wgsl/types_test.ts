/**
 * Types and names: what the tree says of each expression, and what is refused.
 */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { foldBinary, foldConversion, foldUnary, UNKNOWN } from "../../src/wgsl/fold.ts";
import { ABSTRACT_INT, F32, I32, layoutOf, type Type, typeName, U32, vectorOf } from "../../src/wgsl/types.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { errorOf, moduleOf } from "./support.ts";

const HEAD = `const N: u32 = 2u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
fn g(p: ptr<function, f32>) {}
fn h(p: f32) -> f32 { return p; }
`;
const source = (body: string) => `${HEAD}fn f(a: u32, b: i32, c: f32, t: bool, v: vec4f) {\n${body}\n}`;
/** The type of an expression. */
function typeOf(expression: string): string {
  const found = moduleOf(source(`_ = ${expression};`)).declarations.find((one) =>
    one.kind === "function" && one.name === "f"
  );
  const statement = found?.kind === "function" ? found.body[0] : undefined;
  return statement?.kind === "discard" ? typeName(statement.value.type) : "none";
}
const error = (body: string) => errorOf(() => moduleOf(source(body))).replace(/^shaders\/test\.wgsl:/, "");

Deno.test("every expression has its type", () => {
  for (
    const [expression, type] of [
      ["a", "u32"],
      ["1", "i32"],
      ["1.5", "f32"],
      ["a + 1", "u32"],
      ["c * 2", "f32"],
      ["v * 2.0", "vec4f"],
      ["2.0 - v", "vec4f"],
      ["v.x", "f32"],
      ["v.xyz", "vec3f"],
      ["v[a]", "f32"],
      ["v < v", "vec4<bool>"],
      ["a < 2", "bool"],
      ["a << 1", "u32"],
      ["x[a]", "f32"],
      ["y[a]", "vec4f"],
      ["y[a].y", "f32"],
      ["select(v, v, v > v)", "vec4f"],
      ["select(0.0, 1.0, t)", "f32"],
      ["min(a, 3)", "u32"],
      ["dot(v, v)", "f32"],
      ["bitcast<vec4u>(v)", "vec4u"],
      ["arrayLength(&x)", "u32"],
      ["h(1)", "f32"],
      ["vec3<u32>(1, 2, 3)", "vec3u"],
      ["array<f32, N>(1, 2)", "array<f32, 2>"],
      ["any(v < v)", "bool"],
    ] as const
  ) assertEquals(typeOf(expression), type, expression);
});

Deno.test("a name refers to what it stands for", () => {
  const { declarations } = moduleOf(source("var c1 = c; c1 = h(c1); y[0] = v;"));
  const f = declarations.find((one) => one.kind === "function" && one.name === "f"),
    h = declarations.find(({ name }) => name === "h");
  if (f?.kind !== "function") throw new Error("no function");
  const [declared, called, stored] = f.body;
  if (declared?.kind !== "declare" || called?.kind !== "assign" || stored?.kind !== "assign") {
    throw new Error("other statements");
  }
  if (declared.initial?.kind !== "name" || called.value.kind !== "call" || called.target.kind !== "name") {
    throw new Error("others");
  }
  assertStrictEquals(declared.initial.target, f.parameters[2]!);
  assertStrictEquals(called.target.target, declared.symbol);
  assertStrictEquals(called.value.target, h as typeof called.value.target);
  if (stored.target.kind !== "index" || stored.target.base.kind !== "name") throw new Error("no buffer");
  assertStrictEquals(
    stored.target.base.target,
    declarations.find(({ name }) => name === "y") as typeof declared.symbol,
  );
});

Deno.test("names that mean nothing, or something else, are refused with their place", () => {
  for (
    const [body, message] of [
      ["_ = nothing;", '7:5: unknown name nothing in "_ = nothing;"'],
      ["nothing(a);", '7:1: unknown function nothing in "nothing(a);"'],
      ["var q: f64;", '7:8: unknown type f64 in "var q: f64;"'],
      ["_ = h;", '7:5: h is not a value in "_ = h;"'],
      ["_ = a(1);", '7:5: a is not a function in "_ = a(1);"'],
      ["let a = 1;", '7:1: a is declared twice in "let a = 1;"'],
      ["// @if M\n_ = a;", '7:8: unknown name M in "// @if M"'],
      ["// @if a\n_ = a;", '7:8: unknown name a in "// @if a"'],
      ["// @where a\n_ = a;", '7:11: the expression of @where is not constant in "// @where a"'],
      ["// @if 1.5\n_ = a;", '7:8: @if takes a truth value or an integer in "// @if 1.5"'],
      ["// @unroll\n_ = a;", '7:1: @unroll stands before no loop in "// @unroll"'],
      ["// @if N == 1u\nlet q = 1;\n_ = q;", '9:5: q is dropped by @if in "_ = q;"'],
    ] as const
  ) assertEquals(error(body), message, body);
  assertEquals(
    errorOf(() => moduleOf("fn f() {}\nfn f() {}")),
    'shaders/test.wgsl:2:1: f is declared twice in "fn f() {}"',
  );
  assertEquals(
    errorOf(() => moduleOf("const A = B;\nconst B = A;")),
    'shaders/test.wgsl:1:1: A needs itself in "const A = B;"',
  );
  assertEquals(
    errorOf(() => moduleOf("// @unroll\nfn f() {}")),
    'shaders/test.wgsl:1:1: @unroll stands before no statement in "// @unroll"',
  );
});

Deno.test("types that do not fit are refused with their place", () => {
  for (
    const [body, message] of [
      ["_ = a + b;", '7:7: u32 + i32 in "_ = a + b;"'],
      ["_ = a + 1.5;", '7:7: u32 + abstract-float in "_ = a + 1.5;"'],
      ["_ = t + t;", '7:7: bool + bool in "_ = t + t;"'],
      ["_ = -a;", '7:5: - of u32 in "_ = -a;"'],
      ["var q: u32 = c;", '7:14: expected u32, found f32 in "var q: u32 = c;"'],
      ["if (a) {}", '7:5: expected bool, found u32 in "if (a) {}"'],
      ["_ = h(a);", '7:7: expected f32, found u32 in "_ = h(a);"'],
      ["_ = h();", '7:5: h takes 1 arguments, not 0 in "_ = h();"'],
      ["_ = max(a, c);", '7:5: max(u32, f32) does not exist in "_ = max(a, c);"'],
      ["_ = v.q;", '7:6: vec4f has no member q in "_ = v.q;"'],
      ["_ = v[4];", '7:5: index 4 of vec4f in "_ = v[4];"'],
      ["_ = c[0];", '7:5: f32 has no elements in "_ = c[0];"'],
      ["_ = N - 3u;", '7:7: -1 does not fit u32 in "_ = N - 3u;"'],
      ["_ = 1u / (N - 2u);", '7:8: 1 / 0 has no value in "_ = 1u / (N - 2u);"'],
      ["x[0] = c;", '7:1: x is only read in "x[0] = c;"'],
      ["a = 1u;", '7:1: this cannot be assigned to in "a = 1u;"'],
      ["let q = v;\nq.x = 1.0;", '8:2: this cannot be assigned to in "q.x = 1.0;"'],
      ["return a;", '7:1: this function returns nothing in "return a;"'],
      ["break;", '7:1: break in no loop in "break;"'],
    ] as const
  ) assertEquals(error(body), message, body);
});

Deno.test("loops that cannot be expanded are refused with their place", () => {
  const loop = (head: string, body = "_ = i;") =>
    error(`// @unroll\nfor (${head}) { ${body} }`).replace(/ in "[^]*/, "");
  assertEquals(loop("var i = a; i < 3u; i++"), "8:14: a bound of a loop that @unroll expands is not constant");
  assertEquals(loop("var i = 0u; i < a; i++"), "8:20: a bound of a loop that @unroll expands is not constant");
  assertEquals(loop("var i = 0u; i < 3u; i += a"), "8:31: a bound of a loop that @unroll expands is not constant");
  assertEquals(loop("; a < 3u; "), "8:1: @unroll needs a loop that counts");
  assertEquals(loop("var i = 0.0; i < 3.0; i += 1.0"), "8:1: @unroll needs a loop that counts integers");
  assertEquals(
    loop("var i = 0u; i < 3u; y[0].x += 1.0"),
    "8:26: @unroll needs a loop that counts i",
  );
  assertEquals(loop("var i = 0u; i < 3u; i += 0u"), "8:1: a loop of more than 65536 turns cannot be expanded");
  assertEquals(loop("var i = 0u; i < 3u; i++", "break;"), "8:33: break in a loop that @unroll expands");
  assertEquals(loop("var i = 0u; i < 3u; i++", "i = 2u;"), "8:33: this cannot be assigned to");
});

Deno.test("an error in a file that is included names that file", () => {
  const includes = { "part.wgsl": { file: "part.wgsl", source: "let q = a;\n_ = q + oops;\n" } };
  const kernel = { file: "test.wgsl", source: source('// @include "part.wgsl"\n'), includes };
  assertEquals(errorOf(() => specialize(kernel, {})), 'shaders/part.wgsl:2:9: unknown name oops in "_ = q + oops;"');
});

Deno.test("constants are computed as on a GPU", () => {
  assertEquals(foldBinary("+", 0.1, 0.2, F32), Math.fround(0.1 + 0.2));
  assertEquals(foldBinary("/", 1, 0, F32), UNKNOWN);
  assertEquals(foldBinary("/", -7, 2, I32), -3);
  assertEquals(foldBinary("%", -7, 2, I32), -1);
  assertEquals(foldBinary("/", -1, 2, I32), 0);
  assertEquals(foldBinary("&", 0xffffffff, 0x80000000, U32), 0x80000000);
  assertEquals(foldBinary("<<", 1, 31, U32), 0x80000000);
  assertEquals(foldBinary(">>", -8, 1, I32), -4);
  assertEquals(foldBinary(">>", 0x80000000, 31, U32), 1);
  assertEquals(foldUnary("~", 0, U32), 0xffffffff);
  assertEquals(foldUnary("-", 0, F32), -0);
  assertEquals(foldUnary("-", 0, ABSTRACT_INT), 0);
  assertEquals([foldConversion(-1, I32, U32), foldConversion(2.9, F32, I32)], [0xffffffff, 2]);
  assertEquals(foldConversion(5e9, F32, U32), UNKNOWN);
});

Deno.test("layouts are those of WGSL", () => {
  const struct = (...types: Type[]) => ({
    kind: "struct",
    name: "S",
    members: types.map((type, i) => ({ name: `m${i}`, type })),
  });
  const at = { source: { file: "", source: "" }, offset: 0 };
  assertEquals(layoutOf(vectorOf(3, F32)), { align: 16, size: 12 });
  assertEquals(layoutOf({ ...struct(F32, vectorOf(3, F32), U32), at } as Type), { align: 16, size: 32 });
});
