/** A few seconds of fuzzing for each reader. `deno task fuzz` goes on without end. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { allTargets, fuzz } from "./fuzz.ts";
import type { Target } from "./target.ts";

const folder = await Deno.makeTempDir({ prefix: "wgrad-fuzz-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const targets = await allTargets(folder);

Deno.test("every reader has a fuzzer", () => {
  assertEquals(targets.length, 18);
});

for (const target of targets) {
  Deno.test(`damaged files of ${target.name} are typed errors, or are read`, async () => {
    const { cases, refused } = await fuzz(target, { seed: 1, cases: 500, time: 1500 });
    assert(cases > 0 && refused > 0, `${cases} cases, ${refused} refused`);
  });
}

/** Readers that are wrong, and what the fuzzer says of them. */
const WRONG: [what: string, read: Target["read"], message: RegExp][] = [
  ["throws what is not typed", () => {
    throw new RangeError("x");
  }, /an error that is not typed/],
  ["prints what it read", () => {
    throw new Error("\x1b[31m");
  }, /has a message that cannot be printed/],
  ["ignores the checksum", (bytes) => bytes.toHex(), /read something else than the file that its checksum is of/],
];

for (const [what, read, message] of WRONG) {
  Deno.test(`fuzz() finds a reader that ${what}`, async () => {
    const zip = targets.find(({ name }) => name === "zip")!;
    const { message: found } = await assertRejects(() => fuzz({ ...zip, read }, { seed: 1, cases: 50 }), Error);
    assert(message.test(found) && /Again: deno task fuzz zip --seed 1 --first \d+ --cases 1$/.test(found), found);
  });
}
