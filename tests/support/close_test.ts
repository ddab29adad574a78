import { assert, assertEquals, assertThrows } from "@std/assert";
import { assertClose, assertRelative, assertSameBits, assertShape, relativeError } from "./close.ts";

Deno.test("assertClose() passes within the tolerance and fails just outside it", () => {
  assertClose([1, 2], [1, 2]);
  assertClose([100.5], [100], { rtol: 0.005, atol: 0 });
  assertThrows(() => assertClose([100.6], [100], { rtol: 0.005, atol: 0 }));
  assertThrows(() => assertClose([0.2], [0], { rtol: 1, atol: 0.1 }));
});

Deno.test("assertClose() never lets NaN or an infinity pass", () => {
  const all = { rtol: 1, atol: 1e30 };
  for (const [a, e] of [[NaN, 1], [1, NaN], [NaN, NaN], [Infinity, 1], [1, Infinity], [Infinity, Infinity]] as const) {
    assertThrows(() => assertClose([0, a], [0, e], all), Error, "[1]");
  }
});

Deno.test("assertClose() with `special` accepts exactly the special value that is expected", () => {
  const special = { special: true, rtol: 1, atol: 1e30 };
  assertClose([NaN, Infinity, -Infinity, 1], [NaN, Infinity, -Infinity, 1], special);
  for (
    const [a, e] of [[1, NaN], [NaN, 1], [Infinity, NaN], [NaN, Infinity], [-Infinity, Infinity], [
      1,
      Infinity,
    ]] as const
  ) {
    assertThrows(() => assertClose([a], [e], special));
  }
});

Deno.test("the comparators refuse other lengths", () => {
  for (const compare of [assertClose, assertRelative, relativeError]) {
    assertThrows(() => compare([1], [1, 1]), Error, "length 1, expected 2");
    assertThrows(() => compare([1, 1], [1]), Error, "length 2, expected 1");
    assertThrows(() => compare([], [1]), Error, "length");
  }
});

Deno.test("assertClose() reports the first index, both values and the worst error", () => {
  const error = assertThrows(() => assertClose([1, 2, 9], [1, 3, 5], { what: "dx" }), Error);
  assert(error.message.includes("dx: 2 of 3 differ"));
  assert(error.message.includes("first [1]: 2, expected 3; worst [2]: 9, expected 5, off by 4"));
  assert(
    assertThrows(() => assertClose([1, NaN, 9], [1, 3, 5]), Error).message.includes("worst [1]: NaN"),
  );
});

Deno.test("relativeError() is the largest error over the largest value", () => {
  assertEquals(relativeError([1, 0.5, 10], [1, 0, 10]), 0.05);
  assertEquals(relativeError([0, 0], [0, 0]), 0);
  assertEquals(relativeError([1e-30], [0]), Infinity);
  for (const [a, e] of [[NaN, 1], [1, NaN], [NaN, NaN], [Infinity, Infinity]] as const) {
    assertEquals(relativeError([0, a, 0], [0, e, 0]), NaN);
  }
});

Deno.test("assertRelative() fails over the limit, on NaN and on infinities", () => {
  assertRelative([1.04, 10], [1, 10], 0.005);
  assertThrows(() => assertRelative([1.06, 10], [1, 10], 0.005), Error, "worst [0]: 1.06, expected 1");
  for (const [a, e] of [[NaN, 1], [1, NaN], [NaN, NaN], [Infinity, 1], [1, Infinity], [Infinity, Infinity]] as const) {
    assertThrows(() => assertRelative([0, a], [0, e], 1e30));
  }
});

Deno.test("assertShape() and assertSameBits() fail on any difference", () => {
  assertShape([2, 3], [2, 3]);
  assertThrows(() => assertShape([2, 3], [2, 3, 1]));
  assertThrows(() => assertShape([2, 3], [3, 2]));
  assertSameBits(new Float32Array([1, NaN]), new Float32Array([1, NaN]));
  assertThrows(() => assertSameBits(new Float32Array([0]), new Float32Array([-0])));
  assertThrows(() => assertSameBits(new Float32Array([1]), new Float32Array([1.0000001])), Error, "[0]");
});
