/**
 * Variants: constants, optional parts, expanded loops, arrays turned into scalars.
 */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { print } from "../../src/wgsl/print.ts";
import { type Constants, specialize } from "../../src/wgsl/specialize.ts";
import { WgslError } from "../../src/wgsl/source.ts";

const text = (source: string, constants: Constants = {}) => print(specialize({ file: "test.wgsl", source }, constants));
/** What becomes of the statements of a function, between its braces. */
const body = (statements: string, constants: Constants = {}, head = "") => {
  const found = text(`${head}\nfn f(p: f32, n: u32) {\n${statements}\n}`, constants);
  return found.slice(found.indexOf("{\n", found.indexOf("fn f(")) + 2, -3);
};

Deno.test("specialize() sets constants by the type of their declaration", () => {
  const source = `const A: u32 = 1u;
const B: i32 = 1;
const C: f32 = 1.0;
const D: bool = false;
const E: array<u32, 2> = array<u32, 2>(0u, 0u);
const F: array<f32, 1> = array<f32, 1>(0.0);
alias T = f32;
fn f(i: u32) -> T { return T(E[i]) * T(F[i]) + T(E[2]) + T(A) + T(B) + T(C) + select(T(0), T(1), D); }
`;
  const found = text(source, { A: 7, B: -3, C: 0.1, D: true, E: [1, 2, 3], F: [0.5], T: "f32" });
  assertEquals(
    found,
    `const E=array<u32, 3>(1u,2u,3u);
const F=array<f32, 1>(0.5f);
fn f(i:u32)->f32{
return f32(E[i])*F[i]+3f+7f+ -3f+0.1f+1f;
}
`,
  );
  assertMatch(text(source, { T: "u32", E: [1, 2, 3] }), /->u32\{\nreturn E\[i\]\*u32\(F\[i\]\)\+3u\+1u/);
});

Deno.test("specialize() refuses unknown constants and values that do not fit", () => {
  assertThrows(() => text("const A: u32 = 1u;", { B: 1 }), WgslError, "no constant B");
  assertThrows(() => text("fn A() {}", { A: 1 }), WgslError, "no constant A");
  assertThrows(() => text("const A: u32 = 1u;", { A: 1.5 }), WgslError, "1.5 is not an integer");
  assertThrows(() => text("const A: f32 = 1.0;", { A: Infinity }), WgslError, "Infinity cannot be a constant");
  assertThrows(() => text("const A: u32 = 1u;", { A: -1 }), WgslError, "-1 does not fit u32");
  assertThrows(() => text("const A: i32 = 1;", { A: 2 ** 31 }), WgslError, "2147483648 does not fit i32");
  assertThrows(() => text("const A: bool = true;", { A: 1 }), WgslError, "1 is not a bool");
  assertThrows(() => text("const A: u32 = 1u;", { A: true }), WgslError, "true is not a number");
  assertThrows(() => text("const A: u32 = 1u;", { A: [1] }), WgslError, "[1] is not a value of this constant");
  assertThrows(() => text("alias T = f32;", { T: 1 }), WgslError, "1 is not a type");
  assertThrows(() => text("alias T = f32;", { T: "f64" }), WgslError, "unknown type f64");
});

Deno.test("specialize() expands marked loops, nested ones too, with bounds that use the outer variable", () => {
  const source = `const N: u32 = 2u;
fn g(i: u32, j: u32) {}
fn f() {
  // @unroll
  for (var i = 0u; i < N + 1u; i++) {
    // @unroll
    for (var j = i; j < 3u; j += 2u) {
      g(i, j);
    }
  }
  for (var k = 0u; k < N; k++) { g(k, k); }
}`;
  const calls = [...text(source).matchAll(/g\((\d+)u,(\d+)u\)/g)].map(([, i, j]) => `${i}${j}`);
  assertEquals(calls, ["00", "02", "11", "22"]);
  assertMatch(text(source), /for\(var k=0u;k<2u;k\+\+\)\{/);
});

Deno.test("specialize() expands loops that count down, and by what they assign", () => {
  assertEquals(body("// @unroll\nfor (var i = 2; i >= 0; i--) { _ = i; }"), "_=2i;\n_=1i;\n_=0i;");
  assertEquals(body("// @unroll\nfor (var i = 1u; i < 9u; i = i * 3u) { _ = i; }"), "_=1u;\n_=3u;");
});

Deno.test("specialize() expands `@unroll NAME` only where the constant is true", () => {
  const loop = "// @unroll FULL\nfor (var i = 0u; i < 2u; i++) { _ = i; }", head = "const FULL: bool = false;";
  assertMatch(body(loop, {}, head), /^for\(var i/);
  assertEquals(body(loop, { FULL: true }, head), "_=0u;\n_=1u;");
});

Deno.test("an expanded body is a block only where it declares a name", () => {
  assertEquals(
    body("// @unroll\nfor (var i = 0u; i < 2u; i++) { let x = p; _ = x + f32(i); }"),
    "{\nlet x=p;\n_=x+0f;\n}\n{\nlet x=p;\n_=x+1f;\n}",
  );
});

Deno.test("a loop's variable does not touch members, and what is declared in its body hides it", () => {
  assertEquals(
    body("var s = vec2f(p, 1.0);\n// @unroll\nfor (var x = 0u; x < 2u; x++) { s.x += f32(x); }"),
    "var s=vec2f(p,1f);\ns.x+=0f;\ns.x+=1f;",
  );
  assertEquals(
    body("// @unroll\nfor (var i = 3u; i < 4u; i++) { _ = i; { let i = p; _ = i; } _ = i; }"),
    "_=3u;\n{\nlet i=p;\n_=i;\n}\n_=3u;",
  );
  // An inner loop of the same name, and a constant of the module.
  assertEquals(
    body(
      "// @unroll\nfor (var i = 0u; i < 1u; i++) { for (var i = n; i < 9u; i++) { _ = i; } _ = i; }",
      {},
      "const i: u32 = 5u;",
    ),
    "for(var i=n;i<9u;i++){\n_=i;\n}\n_=0u;",
  );
  assertEquals(body("{ let N = p; _ = N; }\n_ = N;", {}, "const N: u32 = 5u;"), "{\nlet N=p;\n_=N;\n}\n_=5u;");
});

Deno.test("specialize() drops optional declarations, statements and blocks, nested ones too", () => {
  const source = `const A: bool = false;
const B: u32 = 1u;
// @if A
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() {
  // @if B
  {
    y[0] = 1.0;
    // @if A
    if (y[1] > 0.0) {
      y[2] = a[0];
    }
  }
  y[3] = 2.0;
}`;
  const found = text(source);
  assertEquals([/binding\(1\)/.test(found), /y\[2u\]/.test(found), /y\[0u\]/.test(found), /y\[3u\]/.test(found)], [
    false,
    false,
    true,
    true,
  ]);
  assertMatch(text(source, { A: true }), /binding\(1\)[\s\S]*y\[2u\]=a\[0u\]/);
  assertEquals(/y\[0u\]/.test(text(source, { B: 0 })), false);
});

Deno.test("a mark before `if … else` drops the whole statement", () => {
  const statement = "// @if A\nif (p > 0.0) { _ = 1u; } else if (p < 0.0) { _ = 2u; } else { _ = 3u; }\n_ = 4u;";
  assertEquals(body(statement, {}, "const A: bool = false;"), "_=4u;");
  assertEquals(
    body(statement, { A: true }, "const A: bool = false;"),
    "if(p>0f){\n_=1u;\n}else if(p<0f){\n_=2u;\n}else{\n_=3u;\n}\n_=4u;",
  );
});

Deno.test("`@where` sees the variables of the loops around it", () => {
  const loop = "// @unroll\nfor (var i = 0u; i < 5u; i++) {\n// @where FIRST < i + 1u && i < END\n_ = i;\n}";
  const head = "const FIRST: u32 = 0u;\nconst END: u32 = 9u;";
  assertEquals(body(loop, { FIRST: 1, END: 3 }, head), "_=1u;\n_=2u;");
  assertEquals(body(loop, {}, head), "_=0u;\n_=1u;\n_=2u;\n_=3u;\n_=4u;");
});

Deno.test("branches of constant conditions and cases of constant selectors go", () => {
  const head = "const A: bool = true;\nconst N: u32 = 1u;";
  assertEquals(body("if (A) { _ = 1u; } else { _ = 2u; }", {}, head), "_=1u;");
  assertEquals(body("if (A) { _ = 1u; } else { _ = 2u; }", { A: false }, head), "_=2u;");
  assertEquals(body("if (N == 2u) { return; }\n_ = 1u;", { N: 2 }, head), "return;");
  const cases = "switch (N) { case 1u, 2u: { _ = 1u; } default { _ = 3u; } }";
  assertEquals([body(cases, {}, head), body(cases, { N: 2 }, head), body(cases, { N: 7 }, head)], [
    "_=1u;",
    "_=1u;",
    "_=3u;",
  ]);
  // A clause that breaks needs its switch.
  assertMatch(
    body("switch (N) { case 1u: { if (p > 0.0) { break; } _ = 1u; } default { } }", {}, head),
    /^switch\(1u\)/,
  );
});

Deno.test("constants and what decides them are computed: integers, truth values, `select` and `&&`", () => {
  const head = "const N: u32 = 3u;\nconst A: bool = true;\n@group(0) @binding(0) var<storage, read> x: array<f32>;";
  assertEquals(body("_ = x[n + (N - 1u) * u32(2) + 7u / 2u];", {}, head), "_=x[n+4u+3u];");
  assertEquals(body("_ = select(x[0], x[1], A);", {}, head), "_=x[1u];");
  assertEquals(
    body("_ = A || n > 1u;\n_ = A && n > 1u;\n_ = n > 1u && A;", {}, head),
    "_=true;\n_=n>1u;\n_=n>1u&&true;",
  );
  assertEquals(body("_ = min(N, 7) + max(N, 7);", {}, head), "_=10u;");
  // A function may do something.
  assertEquals(
    body("_ = select(g(), 1.0, A);", {}, `${head}\nfn g() -> f32 { return 0.0; }`),
    "_=select(g(),1f,true);",
  );
});

Deno.test("specialize() turns arrays with constant indices into scalars, and leaves the others", () => {
  const found = body(
    `var a: array<f32, N * 2u>;
var b: array<f32, N>;
var c = array<f32, 2>(p, p);
// @unroll
for (var i = 0u; i < N; i++) {
  a[i * 2u + 1u] = b[n] + c[i];
}`,
    {},
    "const N: u32 = 2u;",
  );
  assertEquals(
    found,
    `var a__0:f32;
var a__1:f32;
var a__2:f32;
var a__3:f32;
var b:array<f32, 2>;
var c=array<f32, 2>(p,p);
a__1=b[n]+c[0u];
a__3=b[n]+c[1u];`,
  );
});

Deno.test("an array that is used as a whole, or pointed to, stays one; new names hide no others", () => {
  assertEquals(body("var a: array<f32, 1>;\nvar b = a;\na[0] = b[0];"), "var a:array<f32, 1>;\nvar b=a;\na[0u]=b[0u];");
  const head = "fn g(q: ptr<function, array<f32, 1>>) { (*q)[0] = 1.0; }";
  assertEquals(body("var a: array<f32, 1>;\ng(&a);\n_ = a[0];", {}, head), "var a:array<f32, 1>;\ng(&a);\n_=a[0u];");
  assertEquals(body("var a__0 = p;\nvar a: array<f32, 1>;\na[0] = a__0;"), "var a__0=p;\nvar a__0_:f32;\na__0_=a__0;");
  // One of two arrays of the same name.
  assertEquals(
    body("var a: array<f32, 1>;\na[0] = p;\n{ var a: array<f32, 1>;\na[n] = p; }"),
    "var a__0:f32;\na__0=p;\n{\nvar a:array<f32, 1>;\na[n]=p;\n}",
  );
});

Deno.test("only what the entry point needs is there, and all buffers, in their order in the file", () => {
  const source = `const A: bool = true;
fn unused() -> f32 { return used(); }
fn used() -> f32 { return 1.0; }
// @if A
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
var<workgroup> none: f32;
@compute @workgroup_size(8) fn main() { y[0] = used(); }`;
  assertEquals(
    text(source),
    `@group(0) @binding(3) var<storage,read> x:array<f32>;
@group(0) @binding(0) var<storage,read_write> y:array<f32>;
fn used()->f32{
return 1f;
}
@compute @workgroup_size(8,1,1)
fn main(){
y[0u]=used();
}
`,
  );
});
