/** Text from files in messages. */
import { assert, assertEquals } from "@std/assert";
import { printable, quote } from "../src/foreign_text.ts";

Deno.test("printable() escapes what moves a terminal's cursor, colours or reorders text, and cuts what is long", () => {
  const cases: [text: string, shown: string][] = [
    ['plain, é, 日本, 😀 \\ "', 'plain, é, 日本, 😀 \\ "'],
    ["\x1b[31m\n\t\0\x7f", String.raw`\u001b[31m\n\t\u0000\u007f`],
    ["\x85\x9b2J", String.raw`\u0085\u009b2J`],
    ["\u202eabc\u2066\u200f\u061c\ufeff", String.raw`\u202eabc\u2066\u200f\u061c\ufeff`],
    ["a\u2028b\u2029", String.raw`a\u2028b\u2029`],
    ["\ud800x\udfff", String.raw`\ud800x\udfff`],
    ["\u{e0001}", String.raw`\udb40\udc01`],
  ];
  for (const [text, shown] of cases) assertEquals(printable(text), shown);
  assertEquals(printable("x".repeat(301)), `${"x".repeat(300)} …`);
  assertEquals(printable("\n".repeat(1e6), 2), String.raw`\n\n …`);
});

Deno.test("quote() is JSON that a terminal shows as it is", () => {
  assertEquals(quote('a "b" \\'), '"a \\"b\\" \\\\"');
  assertEquals(quote("\x1b\x9b\u202e"), String.raw`"\u001b\u009b\u202e"`);
  assertEquals(quote("x".repeat(1e6)), `"${"x".repeat(80)} …"`);
  for (let code = 0; code < 0x10000; code++) {
    const letter = String.fromCharCode(code);
    assert(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(quote(letter)), `${code}`);
    assertEquals(JSON.parse(quote(letter)), letter);
  }
});
