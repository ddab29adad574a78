/**
 * Options given as name=value.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { parseOptions } from "../../src/config/setting.ts";

const defaults = { eps: 1e-8, betas: [0.9, 0.999], amsgrad: false, weightDecay: 0, mode: "min" };
const read = (...texts: string[]) => parseOptions(texts, defaults, "--opt: adam");

Deno.test("parseOptions() reads each value by the type of the default, and names in any case", () => {
  assertEquals(read(), {});
  assertEquals(read("eps=1e-3", "betas=0.8,.9", "amsgrad=true", "weight_decay=0.1", "mode=a=b"), {
    eps: 1e-3,
    betas: [0.8, 0.9],
    amsgrad: true,
    weightDecay: 0.1,
    mode: "a=b",
  });
  assertEquals(read("weight-decay=-1", "betas=1"), { weightDecay: -1, betas: [1] });
});

for (
  const [texts, message] of [
    [["eps"], '--opt: adam: "eps" is not name=value'],
    [["=3"], '--opt: adam: "=3" is not name=value'],
    [["eps="], '--opt: adam: "eps=" is not name=value'],
    [
      ["beta=1"],
      '--opt: adam has no option "beta" (did you mean betas?): there are eps, betas, amsgrad, weightDecay, mode',
    ],
    [["toString=1"], '--opt: adam has no option "toString": there are eps, betas, amsgrad, weightDecay, mode'],
    [["eps=1", "eps=2"], "--opt: adam: eps is given twice"],
    [["eps=1,2"], '--opt: adam: eps is "1,2", not a number'],
    [["eps=0x1"], '--opt: adam: eps is "0x1", not a number'],
    [["betas=1,b"], '--opt: adam: betas is "1,b", not numbers with commas between them'],
    [["amsgrad=yes"], '--opt: adam: amsgrad is "yes", not true or false'],
  ] as const
) {
  Deno.test(`readOptions() refuses ${texts.join(" ")}`, () => {
    assertEquals(assertThrows(() => read(...texts), UsageError).message, message);
  });
}

Deno.test("readOptions() says so where there are no options", () => {
  const error = assertThrows(() => parseOptions(["a=1"], {}, "--sched: none"), UsageError);
  assertEquals(error.message, '--sched: none has no option "a": there are none');
});
