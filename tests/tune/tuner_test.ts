/**
 * The tuner, with trials whose results and times are given, and on the device.
 */
import { GPU, SOFTWARE_GPU } from "../../src/backend/profile.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { tuneFor } from "../../src/cli/gpu.ts";
import { Output } from "../../src/cli/output.ts";
import { counters } from "../support/counters.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";
import type { Data } from "../../src/graph/node.ts";
import { type Offer, variantsOf } from "../../src/graph/device.ts";
import { compile, F, nn, type Tensor, tensor } from "../../src/mod.ts";
import { noise } from "../../src/random.ts";
import { matmulOp } from "../../src/ops/matmul/matmul.ts";
import { faultOf, type Lap, type Sample, timeLaps, type Workbench, workbench } from "../../src/tune/trials.ts";
import { offersOf, tune, type TuneOptions } from "../../src/tune/tuner.ts";
import { clean, withCache } from "./choosing.ts";
import { doubled, doubling, FACTORS } from "./doubling.ts";

const gpu = await requestBackend();

/** An offer that is never run. */
function offer(key: string, names: readonly string[], cost = 1): Offer {
  return { key, names, cost, node: { op: { name: key } } as never };
}

interface Fake {
  readonly ms: number;
  /** The first of three elements; the others are 2 and 3. */
  readonly result?: number;
  readonly fails?: boolean;
}

/** What a fake device did. */
interface Log {
  readonly timed: string[];
  open: number;
  at: number;
}

/** Fake trials by name, with a fake clock: each takes 100 ms to prepare, and its `ms` to run. */
function fake(fakes: Readonly<Record<string, Fake>>, expected: readonly Sample[] = []) {
  const log: Log = { timed: [], open: 0, at: 0 };
  const options: TuneOptions = {
    now: () => log.at,
    open: () => ({
      expected,
      prepare(name) {
        log.at += 100;
        if (fakes[name]!.fails) return Promise.reject(new Error("does not compile"));
        log.open++;
        return Promise.resolve({
          name,
          replay: null as never,
          dispatches: 0,
          results: [],
          dispose: () => void log.open--,
        });
      },
      results: (trials) =>
        Promise.resolve(trials.map(({ name }): Data[] => [Float32Array.of(fakes[name]!.result ?? 1, 2, 3)])),
      dispose() {},
    }),
    time(_, laps: readonly Lap[]) {
      return Promise.resolve(laps.map(({ trial: { name }, runs }) => {
        log.timed.push(name);
        log.at += fakes[name]!.ms * runs;
        return fakes[name]!.ms;
      }));
    },
  };
  return { log, options };
}

Deno.test("the fastest variant is chosen, by halving: the slower half is timed less often", () =>
  clean(gpu, async () => {
    const { log, options } = fake({
      a: { ms: 4 },
      b: { ms: 5 },
      c: { ms: 2 },
      d: { ms: 7 },
      e: { ms: 3 },
      f: { ms: 99 },
    });
    const [tuned] = await tune(gpu, [offer("op", ["a", "b", "c", "d", "e", "f"])], options);
    assertEquals(tuned, { key: "op", pick: "a", name: "c", before: 4, after: 2, refused: [] });
    assertEquals(variantsOf(gpu).chosen.get("op"), "c");
    const count = (name: string) => log.timed.filter((one) => one === name).length;
    assertEquals([count("f"), count("d"), count("e"), count("c")], [1, 2, 3, 6]);
    assertEquals(log.open, 0);
  }));

Deno.test("the estimate's pick stays where another gains less than the noise", () =>
  clean(gpu, async () => {
    const { options } = fake({ a: { ms: 4 }, b: { ms: 3.95 } });
    const [tuned] = await tune(gpu, [offer("op", ["a", "b"])], options);
    assertEquals([tuned!.name, tuned!.before, tuned!.after], ["a", 4, 4]);
    const better = fake({ a: { ms: 4 }, b: { ms: 3.8 } });
    assertEquals((await tune(gpu, [offer("op", ["a", "b"])], better.options))[0]!.name, "b");
  }));

Deno.test("a variant with another result, or that does not compile, is never timed nor chosen, and told", () =>
  clean(gpu, async () => {
    const { log, options } = fake({
      a: { ms: 4 },
      wrong: { ms: 1, result: 1.001 },
      nan: { ms: 1, result: NaN },
      broken: { ms: 1, fails: true },
      rounded: { ms: 2, result: 1 + 1e-6 },
    });
    const lines: string[] = [], warn = (line: string) => lines.push(line);
    const [tuned] = await tune(gpu, [offer("op 3x3 {}", ["a", "wrong", "nan", "broken", "rounded"])], {
      ...options,
      warn,
    });
    assertEquals([tuned!.name, tuned!.refused], ["rounded", ["broken", "wrong", "nan"]]);
    assertEquals(log.timed.filter((name) => name !== "a" && name !== "rounded"), []);
    assertEquals(lines[0], 'warning: op 3x3: the variant "broken" is refused: does not compile');
    assertEquals(lines.length, 3);
    assertEquals(log.open, 0);
  }));

Deno.test("the estimate's pick is refused where it is not what the CPU computes", () =>
  clean(gpu, async () => {
    const fakes = { a: { ms: 1, result: 1.01 }, b: { ms: 4 }, c: { ms: 3 } };
    const { log, options } = fake(fakes, [{ output: 0, index: 0, value: 1 }]);
    const [tuned] = await tune(gpu, [offer("op", ["a", "b", "c"])], options);
    assertEquals(tuned, { key: "op", pick: "a", name: "c", before: null, after: 3, refused: ["a"] });
    assert(!log.timed.includes("a"));
    const all = fake({ a: { ms: 1, result: 9 } }, [{ output: 0, index: 0, value: 1 }]);
    variantsOf(gpu).chosen.clear();
    assertEquals(await tune(gpu, [offer("op", ["a"])], all.options), []);
    assertEquals(variantsOf(gpu).chosen.size, 0);
  }));

Deno.test("a budget is kept; the most expensive offer comes first, and the estimate selects for those that are not reached", () =>
  clean(gpu, async () => {
    const offers = [offer("small", ["a", "b"], 1), offer("large", ["a", "b"], 100), offer("middle", ["a", "b"], 10)];
    const reached: [number, number][] = [];
    for (const budget of [0, 300, 600, 850, 5000]) {
      const { log, options } = fake({ a: { ms: 4 }, b: { ms: 2 } });
      variantsOf(gpu).chosen.clear();
      const tuned = await tune(gpu, offers, { ...options, budget });
      assertEquals(tuned.map(({ key }) => key), ["large", "middle", "small"].slice(0, tuned.length));
      assertEquals([...variantsOf(gpu).chosen.keys()], tuned.map(({ key }) => key));
      assert(log.at <= budget, `${log.at} of ${budget} ms`);
      assertEquals(log.open, 0);
      reached.push([budget, tuned.length]);
    }
    assertEquals(reached, [[0, 0], [300, 0], [600, 1], [850, 2], [5000, 3]]);
  }));

Deno.test("a measurement for which time runs out chooses nothing", () =>
  clean(gpu, async () => {
    // There is time for the first run of both, but not for the rounds that would show the difference.
    const { log, options } = fake({ a: { ms: 90 }, b: { ms: 80 } });
    assertEquals(await tune(gpu, [offer("op", ["a", "b"])], { ...options, budget: 500 }), []);
    assert(log.timed.length > 0 && log.at <= 500, `${log.timed} ${log.at}`);
  }));

Deno.test("each family has a candidate, however slow the estimate thinks it", () =>
  clean(gpu, async () => {
    const names = [...Array.from({ length: 20 }, (_, i) => `registers ${i}`), "other 1", "other 2"];
    const { log, options } = fake(Object.fromEntries(names.map((name) => [name, { ms: name === "other 1" ? 1 : 3 }])));
    const [tuned] = await tune(gpu, [offer("op", names)], { ...options, candidates: 4 });
    assertEquals(tuned!.name, "other 1");
    assertEquals([...new Set(log.timed)].sort(), ["other 1", "registers 0", "registers 1", "registers 2"]);
  }));

Deno.test("the line of progress says which kernel is tuned, and goes at the end", () =>
  clean(gpu, async () => {
    const { options } = fake({ a: { ms: 4 }, b: { ms: 2 } }), lines: string[] = [];
    const offers = [offer("small", ["a", "b"], 1), offer("large", ["a", "b"], 100)];
    await tune(gpu, offers, { ...options, progress: (text) => lines.push(text) });
    assertEquals(lines, [
      "tuning kernels for this device: 1 of 2 (large)",
      "tuning kernels for this device: 2 of 2 (small)",
      "",
    ]);
  }));

Deno.test("on the device: a variant that computes something else is refused although it is the fastest", () =>
  clean(gpu, async () => {
    const { offers } = await doubled(gpu, doubling(Object.keys(FACTORS)));
    assertEquals(offers.map(({ names, cost }) => [names, cost]), [[Object.keys(FACTORS), 10]]);
    const speed: Record<string, number> = { "plain 1": 4, "plain 2": 3, "wrong 1": 1, "broken 1": 1 };
    const time = (_: unknown, laps: readonly Lap[]) => Promise.resolve(laps.map(({ trial }) => speed[trial.name]!));
    const lines: string[] = [];
    const [tuned] = await tune(gpu, offers, { time, warn: (line) => lines.push(line) });
    assertEquals([tuned!.name, tuned!.refused], ["plain 2", ["broken 1", "wrong 1"]]);
    assertStringIncludes(lines[0]!, 'doubling 3: the variant "broken 1" is refused: shaders/broken 1.wgsl:');
    assertStringIncludes(lines[1]!, 'the variant "wrong 1" is refused: element ');
    assertEquals((await doubled(gpu, doubling(Object.keys(FACTORS)))).y, [2, 4, 6]);
  }));

Deno.test("on the device: the estimate's pick of a known op is compared with the CPU", () =>
  clean(gpu, async () => {
    // It claims to be the product [3, 1] [1, 1], which doubling is not.
    const attrs = { m: 3, n: 1, k: 1, transA: false, transB: false, batchA: false, batchB: false };
    const { offers: [one] } = await doubled(gpu, doubling(["plain 1", "plain 2"], "matmul"), attrs);
    const { node } = one!, lines: string[] = [];
    const both = {
      ...node,
      op: {
        ...node.op,
        formOf: matmulOp,
        outputs: () => node.op.outputs([node.inputs[0]!], attrs),
      },
    };
    const offer = { ...one!, node: { ...both, inputs: [node.inputs[0]!, node.inputs[0]!] } as never };
    assertEquals(await tune(gpu, [{ ...offer, key: "matmul" }], { warn: (line) => lines.push(line) }), []);
    assertEquals(lines.map((line) => /is refused: element \d is .*, not /.test(line)), [true, true], lines.join());
  }));

/** Steps whose nodes are of every op with variants, in every form. */
const steps: Record<string, () => Tensor[]> = {
  "convolutions with every option, relu and mask": () => {
    const x = tensor(noise(2 * 4 * 9 * 8, 1), { shape: [2, 4, 9, 8], requiresGrad: true });
    const a = new nn.Conv2d(4, 6, [3, 2], { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 });
    const b = new nn.Conv2d(6, 5, 3, { padding: 1 });
    F.relu(b.forward(F.relu(a.forward(x)))).sum().backward();
    return [x.grad!, ...[...a.parameters(), ...b.parameters()].map(({ grad }) => grad!)];
  },
  "convolutions with pools, and linear layers": () => {
    const net = nn.models.lenet(), x = tensor(noise(3 * 3072, 1), { shape: [3, 3, 32, 32] });
    F.crossEntropy(net.forward(x), tensor(Uint32Array.of(1, 2, 3))).backward();
    return net.parameters().map(({ grad }) => grad!);
  },
  "products of batches": () => {
    const a = tensor(noise(2 * 5 * 6, 1), { shape: [2, 5, 6], requiresGrad: true });
    const b = tensor(noise(2 * 6 * 7, 2), { shape: [2, 6, 7], requiresGrad: true });
    const c = tensor(noise(42, 3), { shape: [6, 7], requiresGrad: true });
    a.matmul(b).sum().add(a.matmul(c).sum()).backward();
    return [a, b, c].map(({ grad }) => grad!);
  },
};

for (const [what, fn] of Object.entries(steps)) {
  Deno.test(`the CPU's elements are the device's, and the check finds others: ${what}`, () =>
    clean(gpu, async () => {
      const program = compile(fn), offers = await offersOf(gpu, () => program.dispatches());
      assert(offers.length > 2, `${offers.length}`);
      for (const offer of offers) {
        const bench = workbench(gpu, offer);
        if (typeof bench === "string") throw new Error(`${offer.key}: ${bench}`);
        const [first, second] = offer.names as [string, string], family = first.split(" ")[0]!;
        const names = [first, offer.names.find((name) => !name.startsWith(family)) ?? second], trials = [];
        for (const name of names) trials.push(await bench.prepare(name));
        const results = await bench.results(trials);
        assertEquals(new Set(bench.expected.map(({ output }) => output)).size, offer.node.outputs.length, offer.key);
        for (const [i, result] of results.entries()) {
          assertEquals(faultOf(result, bench.expected, null), null, `${offer.key}: ${names[i]}`);
          // Eighths: nothing is rounded, in whatever order it is added.
          result.forEach((values, output) => assertEquals(values, results[0]![output], `${offer.key}: ${names[i]}`));
        }
        for (const { output, index } of bench.expected) {
          const wrong = results[0]!.map((values) => values.slice());
          wrong[output]![index]! += 1 / 64;
          if (wrong[output] instanceof Uint32Array) wrong[output]![index]! = results[0]![output]![index]! + 1;
          assert(faultOf(wrong, bench.expected, null) !== null, `${offer.key}: ${output}, ${index}`);
        }
        for (const one of trials) one.dispose();
        bench.dispose();
      }
      await program.dispose();
    }));
}

Deno.test("runs are timed by the GPU's clock, and by the CPU's where the GPU has none", () =>
  clean(gpu, async () => {
    const { offers: [offer] } = await doubled(gpu, doubling(["plain 1", "plain 2"]));
    const bench = workbench(gpu, offer!) as Workbench, trial = await bench.prepare("plain 1");
    const plain = new Proxy((gpu as WebGpuBackend).device, {
      get(device, key) {
        const value = key === "features" ? new Set() : Reflect.get(device, key, device);
        return typeof value === "function" ? value.bind(device) : value;
      },
    });
    const without = new WebGpuBackend(plain, gpu.adapter);
    assertEquals(await without.time([{ replay: trial.replay, times: 1 }]), null);
    for (const one of [gpu, without]) {
      const { dispatches } = counters, times = await timeLaps(one, [{ trial, runs: 3 }, { trial, runs: 5 }]);
      assertEquals(times.length, 2);
      assert(times.every((ms) => ms >= 0 && ms < 1e4), `${times}`);
      if (one === without) assertEquals(counters.dispatches - dispatches, 8);
    }
    trial.dispose();
    bench.dispose();
  }));

Deno.test("inputs that cannot be made up, or are too large, are left to the estimate, in plain sight", () =>
  clean(gpu, async () => {
    const value = (bytes: number, dtype: string) => ({ bytes, size: bytes / 4, shape: [bytes / 4], dtype });
    const node = (...inputs: object[]) => ({ op: { name: "op" }, inputs, outputs: [], attrs: {} }) as never;
    const offers = [
      { ...offer("labels 9", ["a", "b"]), node: node(value(36, "u32")) },
      { ...offer("huge 9", ["a", "b"]), node: node(value(2 ** 29, "f32")) },
    ];
    const lines: string[] = [];
    assertEquals(await tune(gpu, offers, { warn: (line) => lines.push(line) }), []);
    assertEquals(lines, [
      "note: labels 9 is not tuned: its inputs cannot be made up",
      "note: huge 9 is not tuned: 512 MiB are too large to try",
    ]);
  }));

const product = () => {
  const a = tensor(new Float32Array(64 * 36).map((_, i) => i % 7 - 3), { shape: [64, 36] });
  return compile(() => a.matmul(a.t()));
};

Deno.test("on the device: a kernel is tuned, told in two lines, and planned anew; full does it once more", () =>
  withCache(gpu, async () => {
    const program = product(), said: string[] = [];
    const output = { say: (line: string) => said.push(line), warn: (line: string) => said.push(line), progress() {} };
    for (let i = 0; i < 2; i++) {
      const tuned = await tuneFor(gpu, "full", () => program.dispatches(), output as unknown as Output);
      assertEquals(tuned.length, 1);
      const { key, name, before, after, refused } = tuned[0]!;
      assertEquals([variantsOf(gpu).chosen.get(key), refused], [name, []]);
      assert(before! > 0 && after > 0 && after <= before!);
      await program.replan();
    }
    assertEquals(said.length, 4);
    assertEquals(said[0], `tuning 1 kernel for ${gpu.adapter.name}`);
    assert(/^tuned 1 kernel in \d+\.\d s: [01] chosen anew$/.test(said[1]!), said[1]);
    await program.run();
    const first = Array.from({ length: 36 }, (_, i) => (i % 7 - 3) ** 2).reduce((a, b) => a + b);
    assertEquals((await program.result.data())[0], first);
  }));

Deno.test("auto tunes on a GPU what was not tuned before, for 5 s at most; on a software driver, and off, nothing", () =>
  withCache(gpu, async () => {
    const output = new Output({ json: false, quiet: true }), never = () => Promise.reject(new Error("planned"));
    const software = Object.create(gpu, { profile: { value: SOFTWARE_GPU } }) as typeof gpu;
    assertEquals(await tuneFor(gpu, "off", never, output), []);
    assertEquals(await tuneFor(software, "auto", never, output), []);
    // The same device, as if it were a GPU.
    const card = Object.create(gpu, { profile: { value: GPU } }) as typeof gpu;
    const { log, options } = fake({ a: { ms: 4 }, b: { ms: 2 } });
    const plan = () => {
      for (let i = 0; i < 40; i++) variantsOf(card).listener?.(offer(`op ${i}`, ["a", "b"], 40 - i));
      return Promise.resolve();
    };
    const tuned = await tuneFor(card, "auto", plan, output, options);
    assert(tuned.length > 10 && tuned.length < 40 && log.at <= 5000, `${tuned.length} in ${log.at} ms`);
    const later = await tuneFor(card, "auto", plan, output, fake({ a: { ms: 4 }, b: { ms: 2 } }).options);
    assertEquals(later[0]!.key, `op ${tuned.length}`);
    const rest = await tuneFor(card, "auto", plan, output, fake({ a: { ms: 4 }, b: { ms: 2 } }).options);
    assertEquals(tuned.length + later.length + rest.length, 40);
    assertEquals(await tuneFor(card, "auto", plan, output, { open: () => "never" }), []);
  }));
