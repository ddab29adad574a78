/** JSON from files. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseJson } from "../../src/files/json.ts";
import { evaluationFromJson } from "../../src/run/evaluation_file.ts";
import { parseMetrics } from "../../src/run/metrics.ts";
import { configFromJson } from "../../src/config/config.ts";
import { DataError, UsageError } from "../../src/errors.ts";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

Deno.test("parseJson() reads JSON that is nested up to 32 deep", () => {
  for (const text of ["1", "null", '"a"', "[]", '{"a":[1,{"b":null}]}', nested(32)]) {
    assertEquals(parseJson(text), JSON.parse(text));
  }
  for (const text of [nested(33), nested(1e6), '{"a":'.repeat(40) + "1" + "}".repeat(40)]) {
    assertThrows(() => parseJson(text), SyntaxError, "it is nested more than 32 deep");
  }
});

Deno.test("parseJson() refuses objects that cannot be converted to a text", () => {
  for (const text of ['{"model":{"toString":1}}', '[{"a":{"valueOf":{}}}]']) {
    assertThrows(() => parseJson(text), SyntaxError, "which is not allowed");
  }
});

Deno.test("parseJson() fails with a message that can be printed", () => {
  for (const text of ["\x1b[31m", '{"\u202e', "{\x9b", "x".repeat(1e6), "\0"]) {
    const { message } = assertThrows(() => parseJson(text), SyntaxError);
    assert(!/[\p{Cc}\p{Cf}]/u.test(message) && message.length < 300, JSON.stringify(message));
  }
});

Deno.test("the files of a run that are nested too deep are typed errors", () => {
  const deep = `{"step":1,"a":${nested(100_000)}}`;
  assertThrows(
    () => parseMetrics(`${deep}\n`, "metrics.jsonl"),
    DataError,
    "line 1 is no line of metrics: it is nested",
  );
  assertThrows(() => evaluationFromJson(deep, "evaluation.json"), DataError, "evaluation.json is not JSON");
  assertThrows(() => configFromJson(deep, "config.json"), UsageError, "config.json is not JSON: it is nested");
});

Deno.test("messages about a config.json show its keys and values without control characters", () => {
  for (const text of ['{"\x9b31mx":1}', '{"lr":"\x9b31m\u202e"}', '{"\\u001b[31m":1}', `{"lr":"${"x".repeat(1e6)}"}`]) {
    const { message } = assertThrows(() => configFromJson(text, "config.json"), UsageError);
    assert(!/[\p{Cc}\p{Cf}]/u.test(message) && message.length < 400, JSON.stringify(message));
  }
});
