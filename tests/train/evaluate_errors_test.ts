/**
 * Testing a model that throws: nothing is left behind.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { requestBackend } from "../../src/backend/request.ts";
import { nn } from "../../src/mod.ts";
import { Program } from "../../src/tensor/compile.ts";
import { DeviceData } from "../../src/train/device_data.ts";
import { evaluateModel } from "../../src/train/evaluate.ts";
import { images } from "./fixtures.ts";

const half = { normalize: "half", channels: 3 } as const;
const upload = async () => {
  const dataset = images(3);
  return await DeviceData.upload(await requestBackend(), dataset, dataset.train);
};

Deno.test("evaluateModel() leaves the mode of every module, also where the model throws", async () => {
  const data = await upload(), model = nn.models.lenet();
  model.conv2.eval(); // Frozen, say, while the rest is trained.
  const modes = () => [model, model.conv1, model.conv2].map(({ training }) => training);
  await evaluateModel(model, data, 10, half);
  assertEquals(modes(), [true, true, false]);
  model.forward = () => {
    assertEquals(modes(), [false, false, false]);
    throw new Error("no forward");
  };
  await assertRejects(() => evaluateModel(model, data, 10, half), Error, "no forward");
  assertEquals(modes(), [true, true, false]);
});

Deno.test("evaluateModel() disposes of its program where a run of it fails", async () => {
  const data = await upload(), { run, dispose } = Program.prototype, model = nn.models.lenet();
  let disposed = 0;
  Program.prototype.run = () => Promise.reject(new Error("no run"));
  Program.prototype.dispose = function () {
    disposed++;
    return dispose.call(this);
  };
  try {
    await assertRejects(() => evaluateModel(model, data, 10, half), Error, "no run");
  } finally {
    Object.assign(Program.prototype, { run, dispose });
  }
  assertEquals([disposed, model.training], [1, true]);
});
