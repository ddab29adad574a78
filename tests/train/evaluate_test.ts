/**
 * Testing a model: loss, accuracies and confusion against a direct computation, and saved weights that give the same bits
 * when they are loaded again.
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { TrainingError, WeightsError } from "../../src/errors.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import type { StoredTensor } from "../../src/io/stored_tensor.ts";
import { manualSeed, nn, noGrad, tensor } from "../../src/mod.ts";
import { DeviceData } from "../../src/train/device_data.ts";
import { evaluateModel } from "../../src/train/evaluate.ts";
import { loadWeights, saveWeights } from "../../src/run/weights.ts";
import { withFolder } from "../data/fixtures.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { allOf, images, train, trainerOf } from "./fixtures.ts";

const half = { normalize: "half", channels: 3 } as const;
// One whole batch of evaluation, and one that is not.
const COUNT = 1007;

/** What evaluateModel() must give, from the logits of the model, in float64. */
async function direct(model: nn.Module, pixels: Uint8Array, labels: Uint8Array) {
  const x = Float32Array.from(pixels, (byte) => (byte / 255 - 0.5) / 0.5);
  const logits = await model.forward(tensor(x, { shape: [labels.length, 3, 32, 32] })).data();
  const confusion = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  let total = 0;
  labels.forEach((label, i) => {
    const row = [...logits.subarray(i * 10, i * 10 + 10)], most = Math.max(...row);
    total += most + Math.log(row.reduce((sum, one) => sum + Math.exp(one - most), 0)) - row[label]!;
    confusion[label]![row.indexOf(most)]!++;
  });
  return { loss: total / labels.length, confusion };
}

Deno.test("evaluateModel() agrees with a direct computation, also in another order, and twice", async () => {
  const dataset = images(4, COUNT), data = await DeviceData.upload(await requestBackend(), dataset, dataset.test);
  const { labels, pixels } = await allOf(dataset.test);
  // Trained a little, so that it does not guess one class alone.
  const trainer = await trainerOf(images(800), { epochs: 2, lr: 0.02 }), { model } = trainer;
  await train(trainer);
  const expected = await direct(model, pixels, labels);
  const guessed = expected.confusion[0]!.map((_, i) => expected.confusion.reduce((sum, row) => sum + row[i]!, 0));
  assert(guessed.filter((count) => count > 0).length > 3, `${guessed}`);

  const first = await evaluateModel(model, data, 10, half);
  assertClose([first.loss], [expected.loss], { rtol: 1e-5, atol: 0 });
  assertEquals(first.confusion, expected.confusion);
  const right = expected.confusion.map((row, label) => row[label]!);
  assertEquals(first.accuracy, right.reduce((sum, count) => sum + count, 0) / COUNT);
  const of = Array.from({ length: 10 }, (_, label) => labels.filter((one) => one === label).length);
  assertEquals(first.perClass, right.map((count, label) => count / of[label]!));
  assertEquals(await evaluateModel(model, data, 10, half), first);

  await data.begin(1, 0);
  const shuffled = await evaluateModel(model, data, 10, half);
  assertEquals(shuffled.confusion, first.confusion);
  assertClose([shuffled.loss], [first.loss], { rtol: 1e-6, atol: 0 });
});

Deno.test("evaluateModel() leaves the model's mode, and has no accuracy for a class without images", async () => {
  const dataset = images(3), data = await DeviceData.upload(await requestBackend(), dataset, dataset.train);
  const { labels } = await allOf(dataset.train);
  for (const training of [true, false]) {
    const model = nn.models.lenet().train(training);
    let during: boolean | undefined;
    const { forward } = model;
    model.forward = (x) => {
      during = model.training;
      return forward.call(model, x);
    };
    const { perClass } = await evaluateModel(model, data, 10, half);
    assertEquals([during, model.training, model.conv1.training], [false, training, training]);
    assertEquals(perClass.map((share) => !Number.isNaN(share)), perClass.map((_, label) => labels.includes(label)));
  }
});

Deno.test("evaluateModel() refuses a loss that is not finite", async () => {
  const dataset = images(3), data = await DeviceData.upload(await requestBackend(), dataset, dataset.train);
  const model = nn.models.lenet();
  noGrad(() => model.fc3.bias!.fill_(NaN));
  await assertRejects(() => evaluateModel(model, data, 10, half), TrainingError, "the loss of the images is NaN");
});

Deno.test("weights that were saved and loaded give the same logits, bit for bit", () =>
  withFolder(async (folder) => {
    const path = join(folder, "w.safetensors");
    manualSeed(3);
    for (const model of ["lenet", "lenet-gray"] as const) {
      const net = model === "lenet" ? nn.models.lenet() : nn.models.lenetGray();
      await saveWeights(net, path, { model, normalize: "cifar10" });
      const { module, ...of } = await loadWeights(path);
      assertEquals([of.model, of.normalize], [model, "cifar10"]);
      const x = tensor(Float32Array.from({ length: 4 * 3 * 1024 }, (_, i) => Math.sin(i)));
      const images = x.reshape([-1, model === "lenet" ? 3 : 1, 32, 32]);
      const [before, after] = [await net.forward(images).data(), await module.forward(images).data()];
      assertSameBits(after, before);
      assertNotEquals(before[0], before[1]);
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["w.safetensors"]);
  }));

Deno.test("a weights file has PyTorch's names and layouts", () =>
  withFolder(async (folder) => {
    const path = join(folder, "w.safetensors"), net = nn.models.lenet();
    await saveWeights(net, path, { model: "lenet", normalize: "half" });
    const { tensors, metadata } = decodeSafetensors(await Deno.readFile(path), path);
    assertEquals([metadata.format, metadata.model, metadata.normalize], ["pt", "lenet", "half"]);
    assertEquals([...tensors].map(([name, { shape }]) => `${name} ${shape.join("x")}`), [
      "conv1.weight 6x3x5x5",
      "conv1.bias 6",
      "conv2.weight 16x6x5x5",
      "conv2.bias 16",
      "fc1.weight 120x400",
      "fc1.bias 120",
      "fc2.weight 84x120",
      "fc2.bias 84",
      "fc3.weight 10x84",
      "fc3.bias 10",
    ]);
    assertSameBits(tensors.get("fc2.weight")!.data as Float32Array, await net.fc2.weight.data());
  }));

Deno.test("loadWeights() names what does not fit, and what cannot be read", () =>
  withFolder(async (folder) => {
    const path = join(folder, "w.safetensors"), net = nn.models.lenet(), whole = new Map<string, StoredTensor>();
    for (const [name, { shape, value }] of net.stateDict()) {
      whole.set(name, { dtype: "F32", shape, data: new Float32Array(value.size) });
    }
    const refused = async (change: (tensors: Map<string, StoredTensor>) => void): Promise<string> => {
      const tensors = new Map(whole);
      change(tensors);
      await Deno.writeFile(path, encodeSafetensors(tensors));
      const { message } = await assertRejects(() => loadWeights(path), WeightsError);
      assert(message.startsWith(`${path}: `) && !message.includes("\n"), message);
      return message.slice(path.length + 2);
    };
    assertEquals(
      await refused((tensors) => {
        tensors.delete("fc1.bias");
        tensors.set("fc9.bias", { dtype: "F32", shape: [1], data: new Float32Array(1) });
        tensors.set("conv1.bias", { dtype: "F32", shape: [2, 3], data: new Float32Array(6) });
        tensors.set("conv2.bias", { dtype: "U32", shape: [16], data: new Uint32Array(16) });
      }),
      "the weights do not fit Net: missing fc1.bias; unexpected fc9.bias; " +
        "conv1.bias has shape [2, 3] instead of [6]; conv2.bias is u32 instead of f32",
    );
    assertEquals(
      await refused((tensors) => tensors.set("x", { dtype: "F32", shape: [0], data: new Float32Array(0) })),
      '"x" has no elements',
    );
    const many = await refused((tensors) => {
      for (let i = 0; i < 1000; i++) tensors.set(`more.${i}`, { dtype: "F32", shape: [1], data: new Float32Array(1) });
    });
    assert(many.startsWith("the weights do not fit Net: unexpected more.0, more.1,") && many.length < 1100, many);

    await Deno.writeFile(path, encodeSafetensors(whole, { model: "alexnet", normalize: "__proto__" }));
    const { model, normalize } = await loadWeights(path);
    assertEquals([model, normalize], ["lenet", "half"]);
    const other = await assertRejects(() => loadWeights(path, { model: "lenet-gray" }), WeightsError);
    assert(other.message.includes("conv1.weight has shape [6, 3, 5, 5] instead of [6, 1, 5, 5]"), other.message);

    for (const [name, why] of [["none", "no such file or folder"], ["", "it is a folder"]]) {
      const error = await assertRejects(() => loadWeights(join(folder, name!)), WeightsError);
      assert(error.message.toLowerCase().includes(why!) && !error.message.includes("\n"), error.message);
    }
  }));
