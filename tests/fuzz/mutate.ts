/**
 * Ways to damage a file. All of them are determined by the numbers of a `Draw`.
 *
 * @module
 */
import { concat } from "../data/fixtures.ts";
import type { Draw } from "../property/draw.ts";

/** A damaged file. */
export interface Damaged {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether a checksum of the file covers what was changed: then it must be refused, or read as the original. */
  readonly covered: boolean;
}

/** Values of 8, 16, 32 and 64 bits at which programs go wrong. */
const ODD_NUMBERS = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 2n ** 53n];

/** Bytes with a bit flipped. */
export function flipBit(bytes: Uint8Array, draw: Draw): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes), at = draw.int(0, Math.max(0, bytes.length - 1));
  if (copy.length > 0) copy[at]! ^= 1 << draw.int(0, 7);
  return copy;
}

/** Bytes with one to four changes: bits, numbers, parts that are cut out, put in, doubled, moved or filled. */
export function damage(bytes: Uint8Array, draw: Draw, others: readonly Uint8Array[] = []): Uint8Array<ArrayBuffer> {
  let result = new Uint8Array(bytes);
  for (let i = draw.pick([1, 1, 1, 2, 4]); i > 0; i--) result = damageOnce(result, draw, others);
  return result;
}

function damageOnce(bytes: Uint8Array, draw: Draw, others: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return Uint8Array.of(draw.int(0, 255));
  // Most of what a reader decides on is at the start or the end of a file.
  const near = draw.pick([bytes.length, bytes.length, 64, 300]), size = Math.min(near, bytes.length);
  const from = draw.int(0, size - 1) + (draw.int(0, 4) === 0 ? bytes.length - size : 0);
  const to = Math.min(bytes.length, from + draw.pick([1, 2, 4, 8, 30, 1000]));
  const before = bytes.subarray(0, from), part = bytes.slice(from, to), after = bytes.subarray(to);
  switch (draw.int(0, 9)) {
    case 0:
    case 1:
      return flipBit(bytes, draw);
    case 2:
      return concat(before, part.map(() => draw.int(0, 255)), after);
    case 3:
      return concat(before, part.fill(draw.pick([0, 0xff, 0x7f, 0x20])), after);
    case 4:
      return concat(before, after);
    case 5:
      return concat(before, part, part, after);
    case 6:
      return concat(before);
    case 7: {
      const source = others.length > 0 ? draw.pick(others) : bytes, start = draw.int(0, source.length);
      return concat(before, source.subarray(start, start + draw.pick([1, 8, 100, 1000])), after);
    }
    case 8: {
      const width = draw.pick([1, 2, 4, 8]), number = draw.pick(ODD_NUMBERS), little = draw.flip();
      const odd = Uint8Array.from({ length: width }, (_, i) => Number(number >> BigInt(8 * i) & 255n));
      return concat(before, little ? odd : odd.reverse(), bytes.subarray(Math.min(bytes.length, from + width)));
    }
    default:
      return concat(before, Uint8Array.from({ length: draw.int(1, 20) }, () => draw.int(0, 255)), part, after);
  }
}

/** Texts that a reader of texts may not expect. */
const ODD_TEXTS = [
  "",
  "\0",
  "\x1b[31m",
  "\x9b2J",
  "\u202e",
  "\ud800",
  "__proto__",
  "toString",
  "../x",
  "x".repeat(300),
  "1e999",
];

/** A value of JSON that a reader may not expect. */
function oddValue(draw: Draw): unknown {
  return draw.pick<() => unknown>([
    () => null,
    () => draw.pick([0, -1, 1.5, 1e308, -1e308, 2 ** 53, 2 ** 31, 1e-320, NaN, Infinity]),
    () => draw.pick(ODD_TEXTS),
    () => draw.flip(),
    () => [],
    () => ({}),
    () => ({ toString: 1, valueOf: 1 }),
    () => Array(draw.int(1, 2000)).fill(0),
    () => nested(draw.pick([10, 40, 1000])),
  ])();
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** A value with one to three parts replaced, removed, renamed or added. */
export function damageValue(value: unknown, draw: Draw): unknown {
  let result = structuredClone(value);
  for (let i = draw.int(1, 3); i > 0; i--) result = damagePart(result, draw, 0);
  return result;
}

function damagePart(value: unknown, draw: Draw, depth: number): unknown {
  if (typeof value !== "object" || value === null || draw.int(0, 5) === 0) {
    return depth === 0 && draw.int(0, 3) > 0 ? value : oddValue(draw);
  }
  if (Array.isArray(value)) {
    const at = draw.int(0, value.length), action = draw.int(0, 4);
    if (action === 0) return value.toSpliced(at, draw.int(0, 3));
    if (action === 1) return value.toSpliced(at, 0, oddValue(draw));
    return at === value.length ? value : value.with(at, damagePart(value[at], draw, depth + 1));
  }
  const keys = Object.keys(value), record = { ...value } as Record<string, unknown>;
  if (keys.length === 0 || draw.int(0, 8) === 0) return { ...record, [draw.pick(ODD_TEXTS)]: oddValue(draw) };
  const key = draw.pick(keys), inner = record[key];
  if (draw.int(0, 6) === 0) delete record[key];
  else record[key] = damagePart(inner, draw, depth + 1);
  return record;
}

/** The text of a value of JSON, damaged in its structure or as bytes, or nested very deep. */
export function damageJson(value: unknown, draw: Draw): Uint8Array<ArrayBuffer> {
  const action = draw.int(0, 9);
  if (action === 0) {
    const depth = draw.pick([33, 1000, 100_000]), open = draw.pick(["[", '{"a":']);
    return bytesOf(open.repeat(depth) + "1" + (open === "[" ? "]" : "}").repeat(depth));
  }
  if (action < 7) return bytesOf(JSON.stringify(damageValue(value, draw)) ?? "");
  return damage(bytesOf(JSON.stringify(value)), draw);
}

/** A text as bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
