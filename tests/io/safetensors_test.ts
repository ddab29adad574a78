/**
 * Safetensors: what is written is what the format's description says, what is read is bit for bit what was written, and
 * no file from outside does more than raise a WeightsError of one line.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { WeightsError } from "../../src/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { ARRAY_TYPES, type StoredTensor } from "../../src/io/stored_tensor.ts";
import { bits } from "../support/random.ts";

/** Every kind of number, also those that a careless copy would change. */
const odd = new Float32Array(new Uint32Array([0x80000000, 1, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00001]).buffer);

function example(): Map<string, StoredTensor> {
  return new Map<string, StoredTensor>([
    ["conv1.weight", { dtype: "F32", shape: [2, 1, 3], data: odd }],
    ["steps", { dtype: "U32", shape: [], data: Uint32Array.of(0xffffffff) }],
    ['é "quoted"', { dtype: "F32", shape: [5], data: new Float32Array(bits(1, 5).buffer) }],
    ["none", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
    ["batches", { dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n + 1n) }],
    // A view into a larger buffer.
    ["__proto__", { dtype: "F32", shape: [2], data: new Float32Array([1, 2, 3, 4]).subarray(1, 3) }],
  ]);
}

/** As they lie in a file: those of eight bytes first. */
const inOrder = [...example()].sort(([a], [b]) => Number(b === "batches") - Number(a === "batches"));

const bytesOf = ({ data }: StoredTensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

Deno.test("decodeSafetensors() gives back bit for bit what encodeSafetensors() was given", () => {
  const metadata = { format: "pt", model: "lenet" };
  const bytes = encodeSafetensors(example(), metadata);
  // Also where the bytes do not start at a multiple of four.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  for (const file of [bytes, shifted.subarray(3)]) {
    const read = decodeSafetensors(file, "a");
    assertEquals({ ...read.metadata }, metadata);
    assertEquals([...read.tensors.keys()], inOrder.map(([name]) => name));
    for (const [name, expected] of example()) {
      const actual = read.tensors.get(name)!;
      assertEquals([actual.dtype, actual.shape], [expected.dtype, expected.shape], name);
      assertEquals(actual.data.constructor, ARRAY_TYPES[expected.dtype], name);
      assertEquals(bytesOf(actual), bytesOf(expected), name);
    }
  }
});

Deno.test("encodeSafetensors() writes the format: length, JSON header, bytes", () => {
  const bytes = encodeSafetensors(example(), { a: "b" });
  // Read here by hand, from the description of the format.
  const length = bytes[0]! + 256 * bytes[1]! + 65536 * bytes[2]!;
  assertEquals([...bytes.subarray(3, 8)], [0, 0, 0, 0, 0]);
  assertEquals(length % 8, 0);
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  assert(/^\{.*\} *$/.test(text), text);
  const header = JSON.parse(text), body = bytes.subarray(8 + length);
  assertEquals(header.__metadata__, { a: "b" });
  let end = 0;
  for (const [name, tensor] of inOrder) {
    const { dtype, shape, data_offsets: [from, to] } = Object.getOwnPropertyDescriptor(header, name)!.value;
    assertEquals([dtype, shape, from], [tensor.dtype, tensor.shape, end]);
    assertEquals(body.subarray(from, to), bytesOf(tensor), name);
    end = to;
  }
  assertEquals(end, body.length);
  const value = new DataView(body.buffer, body.byteOffset + JSON.parse(text).steps.data_offsets[0], 4);
  assertEquals(value.getUint32(0, true), 0xffffffff);
});

/** A file of this header and so many bytes (default 8) behind it. */
function file(header: string | Uint8Array, body?: number, length?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + (body ?? 8));
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const one = (entry: string) => file(`{"a": ${entry}}`);

const F32 = `{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}`;
const HOSTILE: [what: string, bytes: Uint8Array, message: RegExp][] = [
  ["an empty file", new Uint8Array(0), /it has only 0 bytes/],
  ["garbage", new Uint8Array(100).fill(0xa5), /its header should have 11936128518282652000 bytes, .* has 100/],
  ["a length of 2^64 - 1", file("{}", 0, 2n ** 64n - 1n), /its header should have .* bytes/],
  ["a length of 2^63", file("{}", 0, 2n ** 63n), /its header should have .* bytes/],
  ["a length of one too many", file("{}", 0, 3n), /its header should have 3 bytes, but the file has 10/],
  ["no header", file("", 0), /its header is not JSON/],
  ["a header that is not JSON", file("{a}", 0), /its header is not JSON/],
  ["a header that is not UTF-8", file(Uint8Array.of(0x22, 0xff, 0x22), 0), /its header is not JSON/],
  ["a list", file("[]", 0), /its header is not a JSON object/],
  ["null", file("null", 0), /its header is not a JSON object/],
  ["bytes of no tensor", file("{}", 8), /8 bytes belong to no tensor/],
  ["an entry that is null", one("null"), /"a" has no valid shape or byte range/],
  ["an entry that is a number", one("3"), /"a" has no valid shape or byte range/],
  ["no range", one(`{"dtype": "F32", "shape": [2]}`), /"a" has no valid shape or byte range/],
  ["no shape", one(`{"dtype": "F32", "data_offsets": [0, 8]}`), /"a" has no valid shape or byte range/],
  [
    "no type",
    one(`{"shape": [2], "data_offsets": [0, 8]}`),
    /"a" has type undefined; supported are F64, F32, .* and BOOL/,
  ],
  ["a negative extent", one(`{"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}`), /"a" has no valid shape/],
  ["half an element", one(`{"dtype": "F32", "shape": [1.5], "data_offsets": [0, 6]}`), /"a" has no valid shape/],
  ["an extent as text", one(`{"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]}`), /"a" has no valid shape/],
  ["a negative offset", one(`{"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}`), /"a" has no valid shape/],
  ["a range of three", one(`{"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}`), /"a" has no valid shape/],
  [
    "a range backwards",
    one(`{"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}`),
    /"a" has -8 bytes for shape \[2\]/,
  ],
  [
    "a range too long",
    one(`{"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}`),
    /ends at byte 12 of 8: .* cut off/,
  ],
  [
    "a shape too large",
    one(`{"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}`),
    /"a" has 8 bytes for shape \[3\]/,
  ],
  [
    "a product past 2^64",
    one(`{"dtype": "F32", "shape": [4294967296, 4294967296, 2], "data_offsets": [0, 8]}`),
    /"a" has 8 bytes for shape/,
  ],
  [
    "another type",
    one(`{"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}`),
    /"a" has type "F8_E4M3"; supported are F64, F32, .* and BOOL/,
  ],
  [
    "a type that is none",
    one(`{"dtype": {}, "shape": [1], "data_offsets": [0, 8]}`),
    /"a" has type \{\}; supported are/,
  ],
  [
    "ranges that overlap",
    file(`{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}`),
    /"b" starts at byte 4, not 8/,
  ],
  [
    "the same range twice",
    file(`{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}`),
    /"b" starts at byte 0, not 8/,
  ],
  [
    "a gap",
    file(`{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}`),
    /"a" starts at byte 4, not 0/,
  ],
  [
    "bytes behind the last",
    one(`{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}`),
    /4 bytes belong to no tensor/,
  ],
  ["a name twice", file(`{"a": ${F32}, "a": ${F32}}`), /its header has "a" twice/],
  ["a name twice, once escaped", file(`{"a": ${F32}, "\\u0061": ${F32}}`), /its header has "a" twice/],
  ["metadata twice", file(`{"__metadata__": {}, "a": ${F32}, "__metadata__": {}}`), /"__metadata__" twice/],
  ["a key of metadata twice", file(`{"__metadata__": {"k": "1", "k": "2"}}`, 0), /its metadata have "k" twice/],
  [
    "a key of a tensor twice",
    one(`{"dtype": "F32", "dtype": "F32", "shape": [2], "data_offsets": [0, 8]}`),
    /"dtype" twice/,
  ],
  [
    "an unknown key",
    one(`{"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "x": 1}`),
    /"a" has the unknown key "x"/,
  ],
  ["a byte order mark", file(`\ufeff{"a": ${F32}}`), /its header is not JSON/],
  ["a leading space", file(` {"a": ${F32}}`), /its header is not JSON/],
  ["bytes after the object", file(`{"a": ${F32}}}`), /its header is not JSON/],
  [
    "65 axes",
    one(`{"dtype": "F32", "shape": [${Array(65).fill(1)}], "data_offsets": [0, 4]}`),
    /"a" has no valid shape/,
  ],
  [
    "no elements, but a product past 2^64",
    one(`{"dtype": "F32", "shape": [0, 4294967296, 4294967296], "data_offsets": [0, 0]}`),
    /"a" has 0 bytes for shape/,
  ],
  ["half a surrogate pair", file(`{"\\ud800": ${F32}}`), /the name "\\ud800" is not valid Unicode/],
  ["metadata that are no texts", file(`{"__metadata__": {"a": 1}}`, 0), /its metadata must be texts/],
  ["metadata that are a list", file(`{"__metadata__": []}`, 0), /its metadata must be texts/],
  [
    "a name with an escape sequence",
    file(`{"\\u001b[31m\\n": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}`),
    /the name "\\u001b\[31m\\n" has control characters/,
  ],
  ["a name of 900,000 letters", file(`{"${"x".repeat(9e5)}": 1}`), /"x+ …" has no valid/],
  [
    "a header of more than five million bytes",
    file(`{${" ".repeat(5e6)}}`),
    /its header has 5000002 bytes; the limit is 5000000/,
  ],
];

for (const [what, bytes, message] of HOSTILE) {
  Deno.test(`decodeSafetensors() refuses ${what}`, () => {
    const error = assertThrows(() => decodeSafetensors(bytes, "a.safetensors"), WeightsError);
    assert(error.message.startsWith("a.safetensors is not a valid safetensors file: "), error.message);
    assert(message.test(error.message), error.message);
    assert(!error.message.includes("\n") && error.message.length < 500);
  });
}

Deno.test("decodeSafetensors() refuses a file that is cut short anywhere, or too long", () => {
  const bytes = encodeSafetensors(example(), { format: "pt" });
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => decodeSafetensors(bytes.slice(0, length), "a"), WeightsError);
  }
  assertThrows(() => decodeSafetensors(Uint8Array.of(...bytes, 0), "a"), WeightsError, "1 bytes belong to no tensor");
});
