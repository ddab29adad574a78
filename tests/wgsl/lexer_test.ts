/**
 * Tokens: what is one, which brackets are templates', and what marks become.
 */
import { assertEquals } from "@std/assert";
import { tokensOf } from "../../src/wgsl/lexer.ts";
import { errorOf } from "./support.ts";

const words = (source: string, includes = {}) =>
  tokensOf({ file: "test.wgsl", source, includes }).map(({ kind, text }) => kind === "mark" ? `@${text}` : text);
const error = (source: string, includes = {}) => errorOf(() => words(source, includes));

Deno.test("names, numbers and symbols are tokens; spaces and comments are not", () => {
  assertEquals(words("a1+= 0x1F/* b */ -1.5e-3f // c\n.5 ->x<<=2u;"), [
    "a1",
    "+=",
    "0x1F",
    "-",
    "1.5e-3f",
    ".5",
    "->",
    "x",
    "<<=",
    "2u",
    ";",
    "",
  ]);
});

Deno.test("brackets of templates are told from operators", () => {
  const templates = (source: string) => words(source).filter((word) => word === "< " || word === "> ").length;
  for (
    const [source, count] of [
      ["array<vec4<f32>, N>", 4],
      ["bitcast<u32>(x) > y", 2],
      ["var<storage, read_write>", 2],
      ["a < b && c > d", 0],
      ["f(a < b, (c > d))", 0],
      ["a < b; c > d", 0],
      ["x[a < b] > c", 0],
      ["array<f32, (A > B)>", 2],
    ] as const
  ) assertEquals(templates(source), count, source);
  assertEquals(words("a >> 1u >= b >>= c").slice(0, -1), ["a", ">>", "1u", ">=", "b", ">>=", "c"]);
});

Deno.test("a mark is a token, followed by those of its expression and an end", () => {
  assertEquals(words("// @if A < 2u\nx; // @unroll\n// no mark"), [
    "@if",
    "A",
    "<",
    "2u",
    "",
    "x",
    ";",
    "@unroll",
    "",
    "",
  ]);
});

Deno.test("an include becomes the tokens of the file, which may include others", () => {
  const b = { file: "b.wgsl", source: "b" }, a = { file: "a.wgsl", source: 'a // @include "b.wgsl"\nc' };
  assertEquals(words('x\n// @include "a.wgsl"\ny', { "a.wgsl": a, "b.wgsl": b }), ["x", "a", "b", "c", "y", ""]);
});

Deno.test("errors of tokens and marks name the place", () => {
  assertEquals(error("a;\n  $b"), 'shaders/test.wgsl:2:3: unexpected "$" in "$b"');
  assertEquals(
    error("a;\n// @iff X\nb;"),
    'shaders/test.wgsl:2:1: unknown mark @iff: the marks are @if, @where, @unroll and @include in "// @iff X"',
  );
  assertEquals(
    error("  // @unrol\nfor"),
    'shaders/test.wgsl:1:3: unknown mark @unrol: the marks are @if, @where, @unroll and @include in "// @unrol"',
  );
  assertEquals(error("// @if\nb;"), 'shaders/test.wgsl:1:1: @if needs an expression in "// @if"');
  assertEquals(
    error("// @include a.wgsl"),
    'shaders/test.wgsl:1:1: @include needs a file\'s name, such as "matmul/tile.wgsl" in "// @include a.wgsl"',
  );
  assertEquals(
    error('// @include "a.wgsl"'),
    'shaders/test.wgsl:1:1: there is no file "a.wgsl" to include in "// @include "a.wgsl""',
  );
  const a = { file: "a.wgsl", source: 'x;\n// @include "a.wgsl"' };
  assertEquals(
    error('// @include "a.wgsl"', { "a.wgsl": a }),
    'shaders/a.wgsl:2:1: "a.wgsl" is included too deeply in "// @include "a.wgsl""',
  );
});
