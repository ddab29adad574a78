/**
 * The parser and the printer: precedence, every form of statement, and errors.
 */
import { assertEquals } from "@std/assert";
import { print } from "../../src/wgsl/print.ts";
import { errorOf, moduleOf, tree } from "./support.ts";

const HEAD = `struct S { a: f32, b: vec2u }
@group(0) @binding(0) var<storage, read> x: array<u32>;
var<private> s: S;
fn g(p: ptr<function, u32>, q: u32) -> u32 { *p += q; return *p; }
`;
const text = (body: string, head = HEAD) =>
  print(moduleOf(`${head}fn f(a: u32, b: u32, c: u32, t: bool, v: vec4f) {\n${body}\n}`));
/** What is printed for a statement. */
const statement = (source: string) => {
  const printed = text(source);
  return printed.slice(printed.indexOf("v:vec4f){\n") + "v:vec4f){\n".length, -3);
};
const error = (body: string) => errorOf(() => text(body, ""));

Deno.test("operators bind as in WGSL, and are printed with the parentheses that they need", () => {
  for (
    const [source, printed] of [
      ["a + b * c - a", "a+b*c-a"],
      ["(a + b) * c", "(a+b)*c"],
      ["a - (b - c)", "a-(b-c)"],
      ["a - b - c", "a-b-c"],
      ["a * (b / c)", "a*(b/c)"],
      ["a / b * c % a", "a/b*c%a"],
      ["(a & b) | c", "(a&b)|c"],
      ["a ^ b ^ c", "a^b^c"],
      ["(a + 1u) << (b & 3u)", "(a+1u)<<(b&3u)"],
      ["~a + ~(a | b)", "~a+~(a|b)"],
      ["select(a, b, a < b || (t && !t))", "select(a,b,(a<b||(t&&!t)))"],
      ["select(a, b, !(a < b) && a + 1u >= b << 2u)", "select(a,b,(!(a<b)&&a+1u>=b<<2u))"],
      ["select(a, b, a < (b >> c))", "select(a,b,(a<(b>>c)))"],
      ["i32(a) - -i32(b)", "i32(a)- -i32(b)"],
      ["-(-i32(b))", "- -i32(b)"],
      ["(v + v).x", "(v+v).x"],
      ["-v.wz[1]", "-v.wz[1u]"],
      ["vec2f(v.x, 2) * v.zw", "vec2f(v.x,2f)*v.zw"],
      ["x[a + x[b]]", "x[a+x[b]]"],
      ["bitcast<vec4u>(v).x >> c", "bitcast<vec4u>(v).x>>c"],
      ["array<vec2<f32>, 2>(v.xy, v.zw)[a]", "array<vec2f, 2>(v.xy,v.zw)[a]"],
      ["S(1.0, vec2u(a)).b.y", "S(1f,vec2u(a)).b.y"],
    ] as const
  ) assertEquals(statement(`_ = ${source};`), `_=${printed};`, source);
});

Deno.test("numbers are printed as what they are", () => {
  for (
    const [source, printed] of [
      ["1", "1i"],
      ["0x1Fu", "31u"],
      ["-2147483647 - 1", "i32(-2147483648)"],
      ["4294967295u", "4294967295u"],
      ["1.0", "1f"],
      ["0.1f", "0.1f"],
      ["1e-8", "1e-8f"],
      ["-0.0", "-0f"],
      ["0x1p2f", "4f"],
      ["16777217.0", "16777216f"],
      ["0.3333333333333333", "0.33333334f"],
      ["1.0 / 3.0", "0.33333334f"],
      ["3.4028234e38", "3.4028235e+38f"],
    ] as const
  ) assertEquals(statement(`_ = ${source};`), `_=${printed};`, source);
});

Deno.test("every form of statement is read, printed, and read back as the same tree", () => {
  const statements = [
    "var y:u32;",
    "var y=a;",
    "let y=a;",
    "y2+=a;",
    "y2<<=a;",
    "y2=a;",
    "y2++;",
    "y2--;",
    "_=g(&y2,a);",
    "workgroupBarrier();",
    "s.b.x=a;",
    "if(t){\ny2=a;\n}",
    "if(t){\ny2=a;\n}else{\ny2=b;\n}",
    "if(t){\ny2=a;\n}else if(a<b){\ny2=b;\n}else{\ny2=c;\n}",
    "for(var i=0u;i<a;i++){\ncontinue;\n}",
    "for(;;){\nbreak;\n}",
    "for(;y2<a;y2+=2u){\n}",
    "while(y2<a){\ny2++;\n}",
    "loop{\nif(t){\nbreak;\n}\ncontinuing{\ny2++;\nbreak if y2>a;}\n}",
    "loop{\nreturn;\n}",
    "switch(a){\ncase 1u,2u{\ny2=a;\n}\ndefault{\nbreak;\n}\n}",
    "switch(a){\ncase 1u,default{\ny2=a;\n}\n}",
    "{\nlet z=a;\ny2=z;\n}",
    "return;",
  ];
  for (const one of statements) {
    const source = `var y2=b;\n${one}`;
    assertEquals(statement(source), source);
    const module = moduleOf(text(source));
    assertEquals(tree(moduleOf(print(module))), tree(module));
  }
});

Deno.test("declarations of every kind are read, and printed", () => {
  const source = `alias T = vec2<f32>;
struct S { a: T, @align(16) b: array<u32, 2>, }
const A = array<f32, 2>(1, 2.5);
@group(0) @binding(3) var<storage, read_write> y: array<S>;
@group(0) @binding(1) var<uniform> u: array<vec4f, 2>;
var<workgroup> w: array<u32, 2 * 4>;
var<private> p: i32 = -1;
fn f(i: u32) -> T { p += 1; return T(A[i]); }
@compute @workgroup_size(4, 2)
fn main(@builtin(global_invocation_id) id: vec3<u32>,) { y[id.x].a = f(w[0]) + u[0].xy; }
`;
  assertEquals(
    print(moduleOf(source)),
    `struct S{a:vec2f,b:array<u32, 2>}
@group(0) @binding(3) var<storage,read_write> y:array<S>;
@group(0) @binding(1) var<uniform> u:array<vec4f, 2>;
var<private> p:i32=-1i;
const A=array<f32, 2>(1f,2.5f);
fn f(i:u32)->vec2f{
p+=1i;
return vec2f(A[i]);
}
var<workgroup> w:array<u32, 8>;
@compute @workgroup_size(4,2,1)
fn main(@builtin(global_invocation_id) id:vec3u){
y[id.x].a=f(w[0u])+u[0u].xy;
}
`,
  );
});

Deno.test("errors of the grammar name the place", () => {
  const line = (body: string) => error(body).replace("shaders/test.wgsl:", "");
  assertEquals(
    errorOf(() => moduleOf("fn f() {\n  if (true) {\n}\n")),
    'shaders/test.wgsl:1:8: this { is not closed in "fn f() {"',
  );
  for (const head of ["if (true) {", "loop {", "switch (1) {", "{"]) {
    assertEquals(
      errorOf(() => moduleOf(`fn f() {\n  ${head}`)),
      `shaders/test.wgsl:2:${2 + head.length}: this { is not closed in "${head}"`,
    );
  }
  assertEquals(line("_ = a + ;"), '2:9: expected an expression, found ";" in "_ = a + ;"');
  assertEquals(line("a;"), '2:2: expected a statement, found ";" in "a;"');
  assertEquals(line("_ = a & b == c;"), '2:7: "==" beside "&" needs parentheses in "_ = a & b == c;"');
  assertEquals(line("_ = t && t || t;"), '2:12: "&&" beside "||" needs parentheses in "_ = t && t || t;"');
  assertEquals(line("_ = a; // @if A\n"), '2:8: @if stands before no statement in "_ = a; // @if A"');
  assertEquals(
    line("_ = a +\n// @if A\n b;"),
    '3:1: expected an expression, found the mark @if, which must stand before a statement in "// @if A"',
  );
  assertEquals(line("// @if A B\n_ = a;"), '2:10: unexpected "B" after the expression of @if in "// @if A B"');
  assertEquals(line("_ = 5000000000u;"), '2:5: 5000000000u does not fit u32 in "_ = 5000000000u;"');
  assertEquals(errorOf(() => moduleOf("fn f( {")), 'shaders/test.wgsl:1:7: expected a name, found "{" in "fn f( {"');
  assertEquals(errorOf(() => moduleOf("bad")), 'shaders/test.wgsl:1:1: expected a declaration, found "bad" in "bad"');
  assertEquals(
    errorOf(() => moduleOf("// @if A")),
    'shaders/test.wgsl:1:9: expected a declaration, found the end of the file in "// @if A"',
  );
});
