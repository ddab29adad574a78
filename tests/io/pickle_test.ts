/**
 * The machine that reads pickles: what it makes of the opcodes that state dicts have, and that it refuses all others, and
 * each global that is not given, by name.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { OPAQUE, unpickle } from "../../src/io/pickle.ts";
import { bool, call, global, int, pickle, text, tuple, withItems } from "../../src/io/pickle_writer.ts";

/** Bytes of numbers, and of texts letter by letter. */
function bytes(...parts: (number | string)[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    parts.flatMap((part) => typeof part === "number" ? [part] : [...part].map((letter) => letter.charCodeAt(0))),
  );
}

const host = {
  globals: {
    "a.f": (args: readonly unknown[]) => ["f", ...args],
    "a.T": "a type",
    "a.dict": () => new Map(),
  },
  persistent: (id: readonly unknown[]) => ({ id }),
};
const read = (...parts: (number | string)[]) => unpickle(bytes(...parts), host);

/** What each value is, and the pickles of it that protocols 2 to 5 can have. */
const SOUND: [what: string, value: unknown, pickle: (number | string)[]][] = [
  ["None", null, ["N."]],
  ["True", true, ["\x80\x02", 0x88, "."]],
  ["False", false, ["\x80\x02", 0x89, "."]],
  ["a byte", 255, ["K", 255, "."]],
  ["two bytes", 0xfffe, ["M", 0xfe, 0xff, "."]],
  ["a negative integer", -2, ["J", 0xfe, 0xff, 0xff, 0xff, "."]],
  ["a long of no bytes", 0, [0x8a, 0, "."]],
  ["a long", 2 ** 40, [0x8a, 6, 0, 0, 0, 0, 0, 1, "."]],
  ["a negative long", -(2 ** 40), [0x8a, 6, 0, 0, 0, 0, 0, 0xff, "."]],
  ["a long that no number holds", 2n ** 63n + 1n, [0x8a, 9, 1, 0, 0, 0, 0, 0, 0, 0x80, 0, "."]],
  ["a float", -0.1, ["G", 0xbf, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a, "."]],
  ["a text", "é", ["X", 2, 0, 0, 0, 0xc3, 0xa9, "."]],
  ["a short text", "é", [0x80, 4, 0x95, 5, 0, 0, 0, 0, 0, 0, 0, 0x8c, 2, 0xc3, 0xa9, "."]],
  ["tuples", [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]], [
    ...["(", ")", "K\x01", 0x85, "K\x01K\x02", 0x86, "K\x01K\x02K\x03", 0x87, "(K\x01K\x02K\x03K\x04t", "t."],
  ]],
  ["a list", [1, 2, 3], ["]K\x01a(K\x02K\x03e."]],
  ["a list in itself twice", [[], []], ["(]", 0x94, "h\x00t."]],
  ["a dict", new Map<unknown, unknown>([["a", 1], ["b", 2], [3, null]]), [
    "}X\x01\0\0\0aK\x01s(X\x01\0\0\0bK\x02K\x03Nu.",
  ]],
  ["a dict whose key is set twice", new Map([["a", 2]]), ["}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u."]],
  ["a memo", [7, 7], ["K\x07q\x05h\x05", 0x86, "."]],
  ["a long memo", [7, 7], ["K\x07r\x05\0\x01\0j\x05\0\x01\0", 0x86, "."]],
  ["a call", ["f", 1], ["ca\nf\nK\x01", 0x85, "R."]],
  ["a call by texts", ["f"], [0x8c, "\x01a", 0x8c, "\x01f", 0x93, ")R."]],
  ["a dict with attributes", new Map(), ["ca\ndict\n)R}X\x01\0\0\0_K\x01sb."]],
  ["an outer object", { id: ["x", "a type"] }, ["X\x01\0\0\0xca\nT\n", 0x86, "Q."]],
];

for (const [what, value, parts] of SOUND) {
  Deno.test(`unpickle() reads ${what}`, () => assertEquals(read(...parts), value));
}

Deno.test("unpickle() reads what pickle_writer.ts writes", () => {
  const dict = call(global("a", "dict"));
  const numbers = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER];
  const items = numbers.map((number) => [text(`ключ ${number}`), tuple(int(number), bool(number > 1))] as const);
  const expected = new Map(numbers.map((number) => [`ключ ${number}`, [number, number > 1]]));
  assertEquals(unpickle(pickle(withItems(dict, items)), host), expected);
  // More than what can be the arguments of one call.
  const long = Array.from({ length: 30_000 }, (_, i) => int(i % 200));
  assertEquals((unpickle(pickle(tuple(...long)), host) as unknown[]).length, 30_000);
});

/** Opcodes of the protocols that are refused, by their names. */
const REFUSED: Record<string, number> = {
  ...{ POP: 0x30, POP_MARK: 0x31, DUP: 0x32, FLOAT: 0x46, INT: 0x49, LONG: 0x4c, PERSID: 0x50, STRING: 0x53 },
  ...{
    BINSTRING: 0x54,
    SHORT_BINSTRING: 0x55,
    UNICODE: 0x56,
    DICT: 0x64,
    GET: 0x67,
    INST: 0x69,
    LIST: 0x6c,
    OBJ: 0x6f,
  },
  ...{ PUT: 0x70, EXT1: 0x82, EXT2: 0x83, EXT4: 0x84, LONG4: 0x8b },
  ...{ BINUNICODE8: 0x8d, BINBYTES8: 0x8e, NEWOBJ_EX: 0x92 },
  ...{ BYTEARRAY8: 0x96, NEXT_BUFFER: 0x97, READONLY_BUFFER: 0x98 },
};

Deno.test("unpickle() keeps nothing of sets and bytes", () => {
  const values = read(...[0x8f, 0x28, "K\x01", 0x90], ...[0x28, "K\x02", 0x91], ...["C\x03abc"], 0x87, ".");
  assertEquals(values, [OPAQUE, OPAQUE, OPAQUE]);
  assertThrows(() => read("](N", 0x90, "."), Error, "not a set");
  assertThrows(() => read("C\x04abc"), Error, "cut off");
});

Deno.test("unpickle() refuses every other opcode by its name", () => {
  for (let code = 0; code < 256; code++) {
    const { message } = assertThrows(() => read(code), Error);
    const name = Object.keys(REFUSED).find((name) => REFUSED[name] === code);
    if (name) assertEquals(message, `its pickle has the opcode ${name}, which is not allowed`);
    else if (/opcode/.test(message)) assert(/^its pickle has the opcode 0x[\da-f]{2}, which/.test(message), message);
  }
});

const HOSTILE: [what: string, parts: (number | string)[], message: RegExp][] = [
  ["os.system", ["cos\nsystem\nX\x02\0\0\0id", 0x85, "R."], /its pickle names "os.system", which tensors do not need/],
  ["os.system by texts", [0x8c, "\x02os", 0x8c, "\x06system", 0x93, "."], /its pickle names "os.system"/],
  ["builtins.eval", ["cbuiltins\neval\n."], /names "builtins.eval"/],
  ["what every object of JavaScript has", ["cObject\nconstructor\n."], /names "Object.constructor"/],
  ["__proto__", ["c\n__proto__\n."], /names "\.__proto__"/],
  ["a name of a million letters", [`c${"x".repeat(1e6)}\nf\n.`], /names "x{100} …"/],
  ["a name with a terminal's escape", ["c\x1b[31m\nf\n."], /names "\\u001b\[31m\.f"/],
  ["a global of a list", ["])", 0x93, "."], /its pickle names a function by something that is not a text/],
  ["a call of a text", ["X\x01\0\0\0f)R."], /calls something that is not a function/],
  ["a call of a type", ["ca\nT\n)R."], /calls something that is not a function/],
  ["a call with a dict", ["ca\nf\n}R."], /calls something that is not a function/],
  ["attributes of a tuple", [")}b."], /not a dict/],
  ["an item of a dict", ["}Na."], /not a list/],
  ["a key of a list", ["]NNs."], /not a dict/],
  ["a key without a value", ["}(Nu."], /a dict key without a value/],
  ["an id that is a text", ["X\x01\0\0\0fQ."], /a persistent id that is not a tuple/],
  ["no byte", [], /cut off at byte 0/],
  ["no stop", ["N"], /cut off at byte 1/],
  ["a text longer than the file", ["X\xff\xff\xff\xffabc."], /cut off/],
  ["a text of a negative length", ["X\0\0\0\x80abc."], /cut off/],
  ["a name without an end", ["cos\nsystem"], /cut off/],
  ["a frame cut short", [0x95, 0, 0], /cut off/],
  ["a text that is not UTF-8", ["X\x01\0\0\0\xff."], /a text at byte 5 that is not UTF-8/],
  ["nothing on the stack", ["."], /takes an object from an empty stack/],
  ["a tuple of more than there is", ["K\x01", 0x86, "."], /takes an object from an empty stack/],
  ["a tuple over a mark", ["K\x01(", 0x85, "."], /takes an object from an empty stack/],
  ["no mark", ["t."], /no mark/],
  ["a mark that stays", ["(N."], /more than one object/],
  ["two objects", ["NN."], /more than one object/],
  ["a memo that was not put", ["h\x07."], /uses object 7, which was never stored/],
  ["a memo of nothing", ["q\x00."], /takes an object from an empty stack/],
  ["protocol 0", ["\x80\0N."], /has protocol 0; supported are 2 to 5/],
  ["protocol 6", ["\x80\x06N."], /has protocol 6; supported are 2 to 5/],
  ["two megabytes", ["N".repeat(2e6), "."], /has 2000001 bytes; the limit is 2000000/],
  ["a million dicts", ["}".repeat(1e6), "."], /far more objects than the tensors of a network need/],
  ["a million memos", ["N", `\x94`.repeat(1e6), "."], /far more objects than the tensors of a network need/],
];

for (const [what, parts, message] of HOSTILE) {
  Deno.test(`unpickle() refuses ${what}`, () => {
    const error = assertThrows(() => read(...parts), Error);
    assert(message.test(error.message), error.message);
    assert(!error.message.includes("\n") && error.message.length < 300, error.message);
  });
}

Deno.test("unpickle() takes no time for objects that would be huge if they were trees", () => {
  // Each list has the one before it twice: 2^200 leaves.
  const doubled = Array.from({ length: 200 }, () => ["q\x00", "(h\x00h\x00t"]).flat();
  const huge = ["(]", ...doubled, "t"];
  assert(Array.isArray(read(...huge, ".")));
  // And is not printed where it is refused.
  for (const end of ["NR.", "K\x01\x93.", "}b.", "NN."]) assertThrows(() => read(...huge, end), Error);
});
