/**
 * The file of selected variants: what is stored, who reads it, and which files are ignored.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { requestBackend } from "../../src/backend/request.ts";
import { keyOf } from "../../src/backend/variants.ts";
import { variantsOf } from "../../src/graph/device.ts";
import { choicesFile, loadChoices, saveChoices } from "../../src/tune/choices.ts";
import { SHADERS } from "../../shaders/mod.ts";
import { kernelsHash } from "../../src/tune/kernel_texts.ts";
import { deno, filesOf, read, wgrad } from "../project/support.ts";
import { withCache } from "./choosing.ts";
import { doubled, doubling, FACTORS } from "./doubling.ts";

const gpu = await requestBackend(), { chosen } = variantsOf(gpu);

Deno.test("a choice is kept, and used by the next process", () =>
  withCache(gpu, async (folder) => {
    const program = fileURLToPath(new URL("./doubling.ts", import.meta.url));
    const next = async () => {
      const { code, stdout, stderr } = await deno("run", "--quiet", "--no-check", "--allow-all", program);
      assertEquals(code, 0, stderr);
      return JSON.parse(stdout);
    };
    assertEquals(await next(), { count: 0, y: [2, 4, 6] });
    const { offers } = await doubled(gpu, doubling(Object.keys(FACTORS)));
    // A wrong one, so that its use shows.
    chosen.set(offers[0]!.key, "wrong 1");
    await saveChoices(gpu, (line) => assert(false, line));
    assertStringIncludes(await choicesFile(gpu), join(folder, "tuning"));
    assertEquals([...Deno.readDirSync(join(folder, "tuning"))].length, 1);
    assertEquals(await next(), { count: 1, y: [3, 6, 9] });
    assertEquals(offers[0]!.key, keyOf(offers[0]!.node));
  }));

Deno.test("a name that no variant has is no choice", () =>
  withCache(gpu, async () => {
    const { offers } = await doubled(gpu, doubling(["plain 1", "plain 2"]));
    chosen.set(offers[0]!.key, "wrong 1");
    assertEquals((await doubled(gpu, doubling(["plain 1", "plain 2"]))).y, [2, 4, 6]);
  }));

Deno.test("a file of another version or other kernels counts as none; another device's or damaged, it is one warning", () =>
  withCache(gpu, async () => {
    const file = await choicesFile(gpu), lines: string[] = [], warn = (line: string) => lines.push(line);
    assertEquals([await loadChoices(gpu, warn), lines], [0, []]);
    chosen.set("op", "a").set("another", "b");
    await saveChoices(gpu, warn);
    const good = await Deno.readTextFile(file);
    const load = async (text: string) => {
      chosen.clear();
      lines.length = 0;
      await Deno.writeTextFile(file, text);
      const count = await loadChoices(gpu, warn);
      assertEquals(chosen.size, count);
      return count;
    };
    assertEquals([await load(good), lines], [2, []]);
    assertEquals(chosen.get("op"), "a");
    for (const part of ["wgrad", "deno", "kernels"]) {
      const stale = good.replace(new RegExp(`"${part}": "[^"]*"`), `"${part}": "0"`);
      assert(stale !== good);
      assertEquals([await load(stale), lines], [0, []], part);
    }
    const damaged = [
      "",
      "{",
      "null",
      "3",
      "[]",
      "{}",
      good.slice(0, -5),
      good.replace('"op": "a"', '"op": 3'),
      good.replace('"choices"', '"chosen"'),
      good.replace(/"name": "[^"]*"/, '"name": "Voodoo 2"'),
      good.replace(/"backend": "[^"]*"/, '"backend": "gl"'),
    ];
    for (const text of damaged) {
      assertEquals([await load(text), lines.length], [0, 1], text);
      assert(lines[0]!.startsWith(`warning: ${file} is not used: `), lines[0]);
      assert(lines[0]!.endsWith("; wgrad bench --tune makes it anew") && !lines[0]!.includes("\n"), lines[0]);
    }
    // Made anew.
    chosen.set("op", "a");
    await saveChoices(gpu, warn);
    assertEquals([await loadChoices(gpu, warn), lines.length], [1, 1]);
  }));

Deno.test("another driver, or the software driver without its threads, has a file of its own", () =>
  withCache(gpu, async () => {
    const other = (change: object) => ({ ...gpu, adapter: { ...gpu.adapter, ...change } }) as typeof gpu;
    const changes = [{}, { name: "Voodoo 2" }, { vendor: "0" }, { architecture: "x" }, {
      kind: gpu.adapter.kind === "gpu" ? "software gpu" : "gpu",
    }];
    const files = await Promise.all(changes.map((change) => choicesFile(other(change))));
    assertEquals(new Set(files).size, changes.length);
    const odd = await choicesFile(other({ name: "../../\0 " }));
    assert(/adapter-[0-9a-f]{8}\.json$/.test(odd), odd);
  }));

Deno.test("a folder that cannot be written, or is not known, is one warning", () =>
  withCache(gpu, async (folder) => {
    const lines: string[] = [], warn = (line: string) => lines.push(line);
    await Deno.writeTextFile(join(folder, "tuning"), "a file");
    chosen.set("op", "a");
    await saveChoices(gpu, warn);
    assertEquals(lines.length, 1);
    assert(/^warning: the tuned kernels are not kept: .*; the next run will tune again$/.test(lines[0]!), lines[0]);
    const names = ["WGRAD_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"];
    const before = names.map((name) => [name, Deno.env.get(name)] as const);
    try {
      for (const name of names) Deno.env.delete(name);
      assertEquals(await loadChoices(gpu, warn), 0);
      await saveChoices(gpu, warn);
      assertEquals(lines.length, 2);
    } finally {
      for (const [name, value] of before) if (value !== undefined) Deno.env.set(name, value);
    }
  }));

Deno.test("shaders/mod.ts has every kernel of shaders/: a new one must be added there", async () => {
  assertEquals(
    Object.keys(SHADERS).map((name) => `shaders/${name}`),
    filesOf("shaders").filter((path) => path.endsWith(".wgsl")),
  );
  for (const [name, text] of Object.entries(SHADERS)) assertEquals(text, read(`shaders/${name}`), name);
  assert(/^[0-9a-f]{64}$/.test(await kernelsHash()));
});

Deno.test("wgrad train --tune takes off, auto and full", async () => {
  const { code, stdout, stderr } = await wgrad("train", "--tune", "fulll");
  assertEquals([code, stdout], [2, ""]);
  assertEquals(
    stderr,
    "error: flag --tune: fulll is not one of off, auto, full (did you mean full?); see wgrad train --help\n",
  );
});

Deno.test("kept choices are used by a run and by eval, and not by a run with --tune off, whose config says so", () =>
  withCache(gpu, async (folder) => {
    // Batches of 8 use the software driver's threads, as this process does.
    chosen.set("op", "a");
    await saveChoices(gpu, (line) => assert(false, line));
    const train = async (mode: string) => {
      const args = ["--data", "synthetic", "--max-steps", "1", "--batch-size", "8", "--out", folder, "--name", mode];
      const { code, stdout, stderr } = await wgrad("train", ...args, "--tune", mode);
      assertEquals(code, 0, stderr);
      assertEquals(JSON.parse(await Deno.readTextFile(join(folder, mode, "config.json"))).tune, mode);
      return stdout.includes("kernels: 1 were tuned for it earlier\n");
    };
    assertEquals([await train("auto"), await train("off")], [true, false]);
    const weights = join(folder, "auto", "model.safetensors");
    const { stdout } = await wgrad("eval", "--weights", weights, "--data", "synthetic");
    assertStringIncludes(stdout, "kernels: 1 were tuned for it earlier\n");
  }));
