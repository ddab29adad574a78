/**
 * Tables of options: defaults, readers, and what is refused.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError, UsageError } from "../../src/errors.ts";
import {
  checkFlag,
  defaultsOf,
  f32,
  f32Amount,
  must,
  numberIn,
  oneOf,
  option,
  readOptions,
  size,
  wholeNumber,
} from "../../src/ops/options.ts";

const TABLE = {
  stride: option(size(1), 1, 2),
  mode: option(oneOf("sum", "mean"), "mean"),
  bias: option(checkFlag, true, false),
};

Deno.test("readOptions() reads each option, or its default if it is missing or undefined", () => {
  assertEquals(readOptions({}, TABLE, "f"), { stride: [1, 1], mode: "mean", bias: true });
  assertEquals(readOptions({ stride: [2, 3], mode: undefined, bias: false }, TABLE, "f"), {
    stride: [2, 3],
    mode: "mean",
    bias: false,
  });
  assertEquals(defaultsOf(TABLE) as unknown, { stride: 1, mode: "mean", bias: true });
});

Deno.test("readOptions() throws the error that it is told to, with the name of the option", () => {
  const refused = (options: unknown, message: string) => {
    assertThrows(() => readOptions(options, TABLE, "f"), ShapeError, message);
  };
  refused({ bias: null }, "f: bias must be true or false, got null");
  refused({ mode: "max" }, 'f: mode must be one of sum, mean, got "max"');
  refused({ stride: 0 }, "f: stride: expected an integer of at least 1, or two of them, got 0");
  refused({ dilation: 2 }, 'f: unknown option "dilation" (it has stride, mode, bias)');
  refused(3, "f: expected options such as { stride: 3 }, got 3");
  assertThrows(() => readOptions({ bias: 1 }, TABLE, "f", UsageError), UsageError, "f: bias must be true or false");
  assertThrows(() => readOptions(5, {}, "f"), ShapeError, "f: it has no options, got 5");
  // An option without a default must be given.
  assertThrows(() => readOptions({}, { n: option(wholeNumber(), undefined) }, "f"), ShapeError, "f: n must be a whole");
});

const readers: [name: string, read: (value: unknown, what: string) => unknown, fits: unknown[], refused: unknown[]][] =
  [
    ["f32", f32, [-1, 0, 3e38], [1e39, NaN, Infinity, "1", null]],
    ["f32Amount", f32Amount, [0, 3e38], [-1, 1e39, NaN, "1"]],
    ["numberIn()", numberIn(), [-1e300, 0], [NaN, Infinity, "0"]],
    ["numberIn(0)", numberIn(0), [0, 1e300], [-1e-9, NaN]],
    ["numberIn(0, 1)", numberIn(0, 1), [0, 1], [-0.1, 1.1]],
    ["wholeNumber()", wholeNumber(), [1, 2 ** 53 - 1], [0, 1.5, 2 ** 53, "1"]],
    ["wholeNumber(0)", wholeNumber(0), [0], [-1]],
    ["checkFlag", checkFlag, [true, false], [0, "true", undefined]],
    ["must()", must((value) => value === 7, "be seven"), [7], [8]],
  ];
for (const [name, read, fits, refused] of readers) {
  Deno.test(`${name} returns what fits and refuses the rest`, () => {
    for (const value of fits) assertEquals(read(value, "x"), value);
    for (const value of refused) assertThrows(() => read(value, "x"), ShapeError, "x must be ");
  });
}
