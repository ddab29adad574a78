/**
 * `deno task fuzz [TARGET…] [--seed N] [--first N] [--cases N]`: feeds readers with damaged files, without end unless `--cases`
 * says how many of each, and prints the counts.
 */
import { parseArgs } from "@std/cli/parse-args";
import { allTargets, fuzz } from "./fuzz.ts";

/** How many cases of a target are run before the next one gets its turn. */
const ROUND = 1000;

const { _: names, seed, first, cases } = parseArgs(Deno.args, { string: ["seed", "first", "cases"] });
const start = Number(seed ?? crypto.getRandomValues(new Uint32Array(1))[0]), most = Number(cases ?? Infinity);
const folder = await Deno.makeTempDir({ prefix: "wgrad-fuzz-" });
try {
  const targets = (await allTargets(folder)).filter(({ name }) => names.length === 0 || names.includes(name));
  if (targets.length === 0) throw new Error(`no such target: ${names.join(" ")}`);
  const began = performance.now();
  let total = 0, refused = 0;
  for (let done = Number(first ?? 0), end = done + most; done < end; done += ROUND) {
    for (const target of targets) {
      const before = performance.now(),
        counts = await fuzz(target, { seed: start, first: done, cases: Math.min(ROUND, end - done) });
      const each = ((performance.now() - before) / counts.cases).toFixed(2);
      total += counts.cases;
      refused += counts.refused;
      const share = (100 * counts.refused / counts.cases).toFixed(1), more = (counts.memory / 2 ** 20).toFixed(0);
      console.log(
        `${target.name.padEnd(12)} ${counts.cases} cases from ${done}, ${share} % refused, ${each} ms each, ` +
          `slowest ${counts.slowest.toFixed(0)} ms, memory ${more} MiB`,
      );
    }
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(`seed ${start}: ${total} cases in ${seconds} s, ${refused} refused, none wrong`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
