/**
 * Runs that start from weights (`--init`) and leave some of them as they are (`--freeze`).
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UsageError, WeightsError } from "../../src/errors.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { encodePytorch } from "../../src/io/pytorch.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { type StoredTensor, toFloat32 } from "../../src/io/stored_tensor.ts";
import { manualSeed, nn } from "../../src/mod.ts";
import { makeConfig } from "../../src/config/config.ts";
import { fineTune } from "../../src/run/fine_tune.ts";
import type { GivenConfig } from "../../src/config/settings.ts";
import { makeTrainer } from "../../src/run/make_trainer.ts";
import { storedState } from "../../src/nn/files.ts";
import { readWeights } from "../../src/run/weights.ts";
import { withFolder } from "../data/fixtures.ts";
import { uniform } from "../support/random.ts";
import { images, train } from "../train/fixtures.ts";
import { bitsOf, newestOf, openSession } from "./session_support.ts";

const PARAMETERS = ["conv1", "conv2", "fc1", "fc2", "fc3"].flatMap((name) => [`${name}.weight`, `${name}.bias`]);

/** Weights of LeNet that no seed gives; those of `shapes` have other sizes. */
function weights(shapes: Record<string, readonly number[]> = {}): Map<string, StoredTensor> {
  return new Map(
    nn.models.lenet().namedParameters().map(([name, own], i) => {
      const shape = shapes[name] ?? own.shape;
      return [name, { dtype: "F32", shape, data: Float32Array.from(uniform(100 + i, shape, 0.125).data) }];
    }),
  );
}

/** The bits of tensors by name. */
function bits(tensors: ReadonlyMap<string, StoredTensor>, names: readonly string[] = PARAMETERS): Map<string, string> {
  return new Map(names.map((name) => [name, new Uint8Array(toFloat32(tensors.get(name)!)!.slice().buffer).toHex()]));
}

/** Fine-tunes a new LeNet of this seed. @returns its state, and what was said. */
async function tuned(init: string | undefined, freeze: string[] = [], seed = 0) {
  manualSeed(seed);
  const model = nn.models.lenet(), said: string[] = [];
  await fineTune(model, { init, freeze }, (line) => said.push(line));
  const frozen = model.namedParameters().flatMap(([name, { requiresGrad }]) => requiresGrad ? [] : [name]);
  return { bits: bits(await storedState(model.stateDict())), said, frozen };
}

Deno.test("--init takes the weights of safetensors, .pth and checkpoints, of which it takes the averages", () =>
  withFolder(async (folder) => {
    const stored = weights(), path = (name: string) => join(folder, name);
    await Deno.writeFile(path("a.safetensors"), encodeSafetensors(stored));
    await Deno.writeFile(path("a.pth"), await encodePytorch(stored));
    for (const name of ["a.safetensors", "a.pth"]) {
      const { bits: got, said, frozen } = await tuned(path(name));
      assertEquals([got, said, frozen], [bits(stored), [`weights from ${path(name)}`], []]);
    }
    for (const ema of [undefined, 0.9]) {
      const { session } = await openSession(path(`${ema}`), images(8), { epochs: 1, ema });
      await session.run();
      const { last } = session.folder.checkpoints, { tensors } = await newestOf(session);
      const part = ema === undefined ? "model" : "ema";
      const expected = new Map(PARAMETERS.map((name) => [name, tensors.get(`${part}.${name}`)!]));
      assertEquals((await tuned(last)).bits, bits(expected));
      assertEquals(bits((await readWeights(last)).tensors), bits(expected));
    }
  }));

Deno.test("a head of other classes starts anew, as its seed has it, and is named; any other size is an error", () =>
  withFolder(async (folder) => {
    const file = join(folder, "a.safetensors");
    const write = async (shapes: Record<string, readonly number[]>, without?: string) => {
      const stored = weights(shapes), whole = bits(stored);
      if (without) stored.delete(without);
      await Deno.writeFile(file, encodeSafetensors(stored));
      return whole;
    };
    const stored = await write({ "fc3.weight": [5, 84], "fc3.bias": [5] });
    for (const seed of [0, 1]) {
      const { bits: got, said } = await tuned(file, [], seed), random = (await tuned(undefined, [], seed)).bits;
      assertEquals(said, [`weights from ${file}; of another size, and started anew: fc3.weight, fc3.bias`]);
      for (const name of PARAMETERS) {
        assertEquals(got.get(name), (name.startsWith("fc3") ? random : stored).get(name), name);
      }
    }
    await write({ "fc2.weight": [60, 120] });
    await assertRejects(() => tuned(file), WeightsError, `${file}: `);
    const other = await assertRejects(() => tuned(file), WeightsError);
    assert(other.message.includes("fc2.weight has shape [60, 120] instead of [84, 120]"), other.message);
    await write({}, "fc3.bias");
    assert((await assertRejects(() => tuned(file), WeightsError)).message.endsWith("missing fc3.bias"));
    const none = join(folder, "none");
    const missing = await assertRejects(() => tuned(none), WeightsError);
    assertEquals(missing.message, `cannot read ${none}: no such file or folder`);
    await Deno.writeTextFile(none, "text");
    await assertRejects(() => tuned(none), WeightsError, `${none} is not a weights file`);
  }));

Deno.test("--freeze takes names of parameters and of layers, * and ?, and says what it froze", async () => {
  const cases: [patterns: string[], expected: string[]][] = [
    [["conv*"], PARAMETERS.slice(0, 4)],
    [["conv?"], PARAMETERS.slice(0, 4)],
    [["conv2"], ["conv2.weight", "conv2.bias"]],
    [["*.bias"], PARAMETERS.filter((name) => name.endsWith("bias"))],
    [["fc?.weight", "fc1"], ["fc1.weight", "fc1.bias", "fc2.weight", "fc3.weight"]],
    [["conv1.bias", "*1.bias", "conv1"], ["conv1.weight", "conv1.bias", "fc1.bias"]],
  ];
  for (const [patterns, expected] of cases) {
    const { frozen, said } = await tuned(undefined, patterns);
    assertEquals(frozen, expected, patterns.join());
    assertEquals(said.length, 1);
    assertEquals(said[0]!.replace("frozen: ", "").split(", ").sort(), expected.toSorted());
  }
  for (const pattern of ["conv", "onv1", "conv1.w", "CONV1", "conv1.weight.", "conv1?weights", "(conv1", "c+"]) {
    const error = await assertRejects(() => tuned(undefined, ["fc1", pattern]), UsageError);
    assertEquals(error.message, `--freeze ${pattern} matches no parameter: there are ${PARAMETERS.join(", ")}`);
  }
  for (const patterns of [["*"], ["conv*", "fc*"], ["*.weight", "*.bias"]]) {
    const error = await assertRejects(() => tuned(undefined, patterns), UsageError);
    assertEquals(error.message, "--freeze leaves no parameter to train");
  }
});

const UPDATES: Record<string, GivenConfig> = {
  "SGD with momentum and decay": { weightDecay: 0.1 },
  "Adam, averages and clipping": { optimizer: "adam", lr: 0.001, ema: 0.9, clipGrad: 0.5 },
  "AdamW with decay": { optimizer: "adamw", lr: 0.001, weightDecay: 0.5 },
  "Muon": { optimizer: "muon", lr: 0.001 },
};

for (const [name, given] of Object.entries(UPDATES)) {
  Deno.test(`frozen parameters keep their bits while all others change: ${name}`, () =>
    withFolder(async (folder) => {
      const freeze = ["conv1", "fc1.weight", "fc3.bias"], all = { epochs: 1, freeze, ...given };
      const { session } = await openSession(join(folder, "run"), images(8), all);
      const before = bits(await storedState(session.trainer.model.stateDict()));
      await session.run();
      const stored = await newestOf(session), { trainer } = session;
      const frozen = ["conv1.weight", "conv1.bias", "fc1.weight", "fc3.bias"];
      for (const kind of given.ema ? ["model", "ema"] : ["model"]) {
        const after = bits(new Map(PARAMETERS.map((name) => [name, stored.tensors.get(`${kind}.${name}`)!])));
        const same = PARAMETERS.filter((name) => after.get(name) === before.get(name));
        assertEquals(same, frozen, kind);
      }
      // The optimizer has the others alone, and the gradients for the histograms are of those.
      const states = [...bitsOf(stored).keys()].filter((name) => name.startsWith("optimizer."));
      assert(states.length > 0 && !states.some((name) => /\.(6|7|8|9)$/.test(name)), states.join());
      assertEquals([...(await trainer.gradients()).keys()], PARAMETERS.filter((name) => !frozen.includes(name)));
    }));
}

Deno.test("the norm of --clip-grad is that of the parameters that train", async () => {
  const gpu = await requestBackend(),
    dataset = images(4),
    norm = async (freeze: string[]) => {
      const trainer = await makeTrainer(gpu, makeConfig({ freeze }), dataset);
      return Math.hypot(...[...(await trainer.gradients()).values()].map((part) => Math.hypot(...part)));
    };
  const some = await norm(["conv*", "fc1"]);
  assert(some < await norm([]));
  // SGD's first step moves the weights by lr times the clipped gradient.
  const trainer = await makeTrainer(
    gpu,
    makeConfig({ freeze: ["conv*", "fc1"], clipGrad: some / 4, lr: 1, momentum: 0, maxSteps: 1 }),
    dataset,
  );
  const before = (await storedState(trainer.model.stateDict())).values().toArray();
  await train(trainer);
  const after = (await storedState(trainer.model.stateDict())).values().toArray();
  const moved = Math.hypot(...before.map(({ data }, i) => {
    const other = after[i]!.data as Float32Array;
    return Math.hypot(...(data as Float32Array).map((one, j) => one - other[j]!));
  }));
  assert(Math.abs(moved / (some / 4) - 1) < 1e-3, `${moved} instead of ${some / 4}`);
});
