/** The patterns of `--freeze`. */
import { assertEquals } from "@std/assert";
import { matchesName } from "../../src/run/fine_tune.ts";
import { Draw } from "../property/draw.ts";

/** The same by a regular expression, which may take very long. */
function expected(pattern: string, name: string): boolean {
  const text = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${text}(\\..*)?$`).test(name);
}

Deno.test("matchesName() matches what the regular expression of the pattern matches", () => {
  const draw = new Draw(3),
    text = (letters: string, most: number) =>
      Array.from({ length: draw.int(0, most) }, () => draw.pick([...letters])).join("");
  for (let i = 0; i < 20_000; i++) {
    const pattern = text("ab.*?(", 6), name = text("ab.(", 8);
    assertEquals(matchesName(pattern, name), expected(pattern, name), `${pattern} ${name}`);
  }
});

Deno.test("matchesName() takes no longer for many stars", () => {
  const name = "features.".repeat(500), before = performance.now();
  assertEquals(matchesName("*".repeat(5000) + "x", name), false);
  assertEquals(matchesName("*e".repeat(1000) + "x", name), false);
  assertEquals(performance.now() - before < 5000, true);
});
