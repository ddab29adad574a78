/**
 * The tuner, with trials whose results and times are given, and on the device; and the file that keeps its choices.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { tuneFor } from "../../src/cli/gpu.ts";
import { Output } from "../../src/cli/output.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { type Offer, variantsOf } from "../../src/graph/variants.ts";
import { compile, tensor } from "../../src/mod.ts";
import { choicesFile, loadChoices, saveChoices } from "../../src/train/choices.ts";
import { offersOf, tune } from "../../src/train/tuner.ts";
import { wgrad } from "../project/support.ts";

const gpu = await requestGpu();

/** An offer that is never run. */
function offer(key: string, names: readonly string[], size = 1): Offer {
  return { key, names, node: { op: { name: key }, inputs: [{ size }], outputs: [], attrs: {} } as never };
}

interface Fake {
  readonly ms: number;
  readonly result?: number;
  readonly fails?: boolean;
}

/** Trials by name; `log` gets what was timed, and the clock goes on by each. */
function trials(fakes: Readonly<Record<string, Fake>>, log: string[] = [], clock = { at: 0 }) {
  return (_: Gpu, __: Offer, name: string) => {
    const { ms, result = 1, fails } = fakes[name]!;
    if (fails) return Promise.reject(new Error("does not compile"));
    clock.at += 100;
    return Promise.resolve({
      result: () => Promise.resolve([Float32Array.of(result, 2)]),
      time(roundMs: number) {
        log.push(name);
        clock.at += roundMs;
        return Promise.resolve(ms);
      },
      dispose() {},
    });
  };
}

/** Runs `fn` with no choices made, and takes back those that it makes. */
async function clean<T>(fn: () => Promise<T>): Promise<T> {
  const { chosen } = variantsOf(gpu), before = new Map(chosen);
  chosen.clear();
  try {
    return await fn();
  } finally {
    chosen.clear();
    for (const [key, name] of before) chosen.set(key, name);
  }
}

async function withCache(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), before = Deno.env.get("WGRAD_DATA");
  Deno.env.set("WGRAD_DATA", folder);
  try {
    await clean(() => fn(folder));
  } finally {
    if (before === undefined) Deno.env.delete("WGRAD_DATA");
    else Deno.env.set("WGRAD_DATA", before);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the fastest variant is chosen, by halving: slow ones are timed once", () =>
  clean(async () => {
    const log: string[] = [];
    const fakes = { a: { ms: 4 }, b: { ms: 9 }, c: { ms: 2 }, d: { ms: 8 } };
    const [tuned] = await tune(gpu, [offer("op", ["a", "b", "c", "d"])], { trial: trials(fakes, log) });
    assertEquals([tuned!.name, tuned!.before, tuned!.after, tuned!.refused], ["c", 4, 2, []]);
    assertEquals(variantsOf(gpu).chosen.get("op"), "c");
    assertEquals(log.filter((name) => name === "b").length, 1);
    assert(log.filter((name) => name === "c").length > 2);
  }));

Deno.test("the estimate's pick stays where another gains less than the noise", () =>
  clean(async () => {
    const fakes = { a: { ms: 4 }, b: { ms: 3.95 } };
    const [tuned] = await tune(gpu, [offer("op", ["a", "b"])], { trial: trials(fakes) });
    assertEquals([tuned!.name, tuned!.after], ["a", 4]);
  }));

Deno.test("a variant with another result, or that does not run, is never timed nor chosen", () =>
  clean(async () => {
    const log: string[] = [];
    const fakes = {
      a: { ms: 4 },
      wrong: { ms: 1, result: 1.01 },
      nan: { ms: 1, result: NaN },
      broken: { ms: 1, fails: true },
      rounded: { ms: 2, result: 1 + 1e-6 },
    };
    const [tuned] = await tune(gpu, [offer("op", Object.keys(fakes))], { trial: trials(fakes, log) });
    assertEquals([tuned!.name, tuned!.refused], ["rounded", ["wrong", "nan", "broken"]]);
    assertEquals(log.filter((name) => name !== "a" && name !== "rounded"), []);
  }));

Deno.test("a budget ends the tuning; what it does not reach is left to the estimate, the largest comes first", () =>
  clean(async () => {
    const clock = { at: 0 }, fakes = { a: { ms: 4 }, b: { ms: 2 } };
    const offers = [offer("small", ["a", "b"], 1), offer("large", ["a", "b"], 100), offer("middle", ["a", "b"], 10)];
    const options = { trial: trials(fakes, [], clock), now: () => clock.at };
    const tuned = await tune(gpu, offers, { ...options, budget: 310 });
    assertEquals(tuned.map(({ key }) => key), ["large"]);
    assertEquals([...variantsOf(gpu).chosen.keys()], ["large"]);
    assert(clock.at < 310 + 200, `${clock.at}`);
  }));

Deno.test("each family has a candidate, however slow the estimate thinks it", () =>
  clean(async () => {
    const names = [...Array.from({ length: 20 }, (_, i) => `registers ${i}`), "other 1", "other 2"];
    const fakes = Object.fromEntries(names.map((name) => [name, { ms: name === "other 1" ? 1 : 5 }]));
    const [tuned] = await tune(gpu, [offer("op", names)], { trial: trials(fakes), candidates: 4 });
    assertEquals(tuned!.name, "other 1");
  }));

const product = () => {
  const a = tensor(new Float32Array(64 * 36).map((_, i) => i % 7 - 3), { shape: [64, 36] });
  return compile(() => a.matmul(a.t()));
};

Deno.test("on the device: a real choice is made, kept in a file, and taken by the next plan", () =>
  withCache(async (folder) => {
    const program = product(), lines: string[] = [];
    const output = new Output({ json: false, quiet: true });
    const tuned = await tuneFor(gpu, "full", () => program.dispatches(), output);
    assertEquals(tuned.length, 1);
    const [{ key, name }] = tuned as [typeof tuned[number]];
    await program.replan();
    const [offered] = await offersOf(gpu, () => product().dispatches());
    assert(offered!.names.includes(name), name);
    await program.run();
    assertEquals(
      (await program.result.data())[0],
      Array.from({ length: 36 }, (_, i) => (i % 7 - 3) ** 2).reduce((a, b) => a + b),
    );
    const file = choicesFile(gpu)!;
    assertStringIncludes(file, join(folder, "tuning"));
    variantsOf(gpu).chosen.clear();
    await loadChoices(gpu, (line) => lines.push(line));
    assertEquals([variantsOf(gpu).chosen.get(key), lines], [name, []]);
  }));

Deno.test("off tunes nothing, and neither does auto on a software driver", () =>
  clean(async () => {
    const output = new Output({ json: false, quiet: true }), never = () => Promise.reject(new Error("planned"));
    assertEquals(await tuneFor(gpu, "off", never, output), []);
    if (gpu.adapter.cpu) assertEquals(await tuneFor(gpu, "auto", never, output), []);
  }));

Deno.test("a damaged file is one warning, a file of another version or device counts as none", () =>
  withCache(async () => {
    const file = choicesFile(gpu)!, lines: string[] = [], { chosen } = variantsOf(gpu);
    const load = () => loadChoices(gpu, (line) => lines.push(line));
    await load();
    assertEquals([chosen.size, lines], [0, []]);
    chosen.set("op", "a");
    await saveChoices(gpu, (line) => lines.push(line));
    const good = await Deno.readTextFile(file);
    for (
      const text of [
        good.replace(/"wgrad": "[^"]*"/, '"wgrad": "0.0.0"'),
        good.replace(/"vendor": "[^"]*"/, '"vendor": "x"'),
      ]
    ) {
      chosen.clear();
      await Deno.writeTextFile(file, text);
      await load();
      assertEquals([chosen.size, lines], [0, []]);
    }
    for (const text of ["{", good.replace('"op": "a"', '"op": 3'), "[]", good.replace(/"choices"/, '"chosen"')]) {
      chosen.clear();
      lines.length = 0;
      await Deno.writeTextFile(file, text);
      await load();
      assertEquals(chosen.size, 0);
      if (text === "[]") continue; // Somebody else's file, as far as one can tell.
      assertEquals(lines.length, 1, text);
      assertStringIncludes(lines[0]!, "wgrad bench --tune makes it anew");
    }
  }));

Deno.test("a folder that cannot be written is one warning", () =>
  withCache(async (folder) => {
    const lines: string[] = [];
    await Deno.writeTextFile(join(folder, "tuning"), "a file");
    variantsOf(gpu).chosen.set("op", "a");
    await saveChoices(gpu, (line) => lines.push(line));
    assertEquals(lines.length, 1);
    assertStringIncludes(lines[0]!, "the next run will tune again");
  }));

Deno.test("wgrad train --tune takes off, auto and full", async () => {
  const { code, stderr } = await wgrad("train", "--tune", "fulll");
  assertEquals([code, stderr.trimEnd().split("\n").length], [2, 1], stderr);
  assertStringIncludes(stderr, "fulll");
});

Deno.test("kept choices are used by a run, and not by one with --tune off", () =>
  withCache(async (folder) => {
    // A choice that cannot be read shows which run looked for it.
    const file = choicesFile(gpu)!;
    await Deno.mkdir(join(folder, "tuning"));
    await Deno.writeTextFile(file, "damaged");
    const train = async (mode: string) => {
      const args = ["--data", "synthetic", "--max-steps", "1", "--out", join(folder, mode), "--tune", mode];
      const { code, stderr } = await wgrad("train", ...args);
      assertEquals(code, 0, stderr);
      return stderr.includes("wgrad bench --tune makes it anew");
    };
    assertEquals([await train("auto"), await train("off")], [true, false]);
  }));
