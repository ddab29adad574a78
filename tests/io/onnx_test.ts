/**
 * ONNX files as bytes: every kind of field is read back, ONNX Runtime and ONNX's checker take them, and those of the
 * tutorials' networks are, operator by operator, what PyTorch's own exporter writes.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as ort from "npm:onnxruntime-node@1.30.0";
import { WeightsError } from "../../src/errors.ts";
import { encodeOnnx, type OnnxModel } from "../../src/io/onnx.ts";
import { nn } from "../../src/mod.ts";
import { exportOnnx } from "../../src/onnx/export.ts";
import { VERSION } from "../../src/version.ts";
import { readLines } from "../support/golden.ts";
import { checkOnnx } from "../support/onnx.ts";
import { testWith } from "../support/tools.ts";
import { readOnnx } from "./onnx_reader.ts";

const MODEL: OnnxModel = {
  name: "graph é",
  producer: ["tests", "1"],
  inputs: [{ name: "x", shape: ["batch", 3], text: "what it is" }],
  outputs: [{ name: "z", shape: ["batch", 1] }],
  nodes: [
    { name: "a", op: "LeakyRelu", inputs: ["x"], outputs: ["y"], attributes: { alpha: { float: 0.1 } } },
    { name: "b", op: "Pad", inputs: ["y", "pads", ""], outputs: ["p"], attributes: { mode: { text: "edge" } } },
    { name: "c", op: "ReduceMax", inputs: ["p"], outputs: ["m"], attributes: { axes: [-1], keepdims: 1 } },
    { name: "d", op: "Add", inputs: ["m", "w"], outputs: ["z"], attributes: {} },
  ],
  initializers: new Map([
    ["pads", { shape: [4], data: BigInt64Array.of(0n, -1n, 0n, 2n) }],
    // A part of a buffer, not all of it.
    ["w", { shape: [1, 1], data: new Float32Array([9, 0.5, 9]).subarray(1, 2) }],
  ]),
  metadata: { key: "a text", other: "" },
};

Deno.test("each kind of field of an ONNX file is what it should be", () => {
  const read = readOnnx(encodeOnnx(MODEL));
  assertEquals([read.ir, read.producer, read.opsets, read.name], [8, ["tests", "1"], [["", 17]], "graph é"]);
  assertEquals(read.metadata, MODEL.metadata);
  assertEquals(read.inputs, [{ name: "x", type: 1, shape: ["batch", 3], text: "what it is" }]);
  assertEquals(read.outputs, [{ name: "z", type: 1, shape: ["batch", 1], text: undefined }]);
  assertEquals(read.nodes.map(({ name, op, inputs, outputs }) => [name, op, inputs, outputs]), [
    ["a", "LeakyRelu", ["x"], ["y"]],
    ["b", "Pad", ["y", "pads", ""], ["p"]],
    ["c", "ReduceMax", ["p"], ["m"]],
    ["d", "Add", ["m", "w"], ["z"]],
  ]);
  assertEquals(read.nodes.map(({ attributes }) => attributes), [
    { alpha: Math.fround(0.1) },
    { mode: "edge" },
    { axes: [-1], keepdims: 1 },
    {},
  ]);
  assertEquals(read.nodes.map(({ kinds }) => kinds), [[1], [3], [7, 2], []]);
  const [pads, w] = read.initializers;
  assertEquals([pads!.name, pads!.shape, pads!.type], ["pads", [4], 7]);
  assertEquals(new BigInt64Array(pads!.data.slice().buffer), BigInt64Array.of(0n, -1n, 0n, 2n));
  assertEquals([w!.name, w!.shape, w!.type], ["w", [1, 1], 1]);
  assertEquals(new Float32Array(w!.data.slice().buffer), Float32Array.of(0.5));
});

Deno.test("ONNX Runtime runs what was written", async () => {
  const session = await ort.InferenceSession.create(encodeOnnx(MODEL));
  assertEquals([session.inputNames, session.outputNames], [["x"], ["z"]]);
  const { z } = await session.run({ x: new ort.Tensor("float32", [7, 1, -2, 9, -40, -30], [2, 3]) });
  assertEquals([z!.dims, [...z!.data as Float32Array]], [[2, 1], [1.5, -2.5]]);
  await session.release();
});

await testWith(
  "onnx",
  "ONNX's checker accepts what was written",
  () => checkOnnx(new Map([["model", encodeOnnx(MODEL)]])),
);

Deno.test("weights that an ONNX file cannot hold are refused, before they are written", () => {
  const data = { byteLength: 2 ** 31 } as Float32Array, initializers = new Map([["w", { shape: [2 ** 29], data }]]);
  assertThrows(() => encodeOnnx({ ...MODEL, initializers }), WeightsError, "an ONNX file must be smaller than 2 GiB");
});

interface Golden {
  model: keyof typeof nn.models.MODELS;
  ir: number;
  nodes: { name: string; op: string; inputs: string[]; outputs: string[]; attributes: Record<string, unknown> }[];
  initializers: { name: string; shape: number[] }[];
}

for (const { model, ir, nodes, initializers } of readLines<Golden>("onnx.jsonl")) {
  Deno.test(`the ONNX file of ${model} has the operators and names of PyTorch's`, async () => {
    const { make, input: [channels] } = nn.models.MODELS[model], module = make(), classes = [..."0123456789"];
    const normalization = { mean: Array(channels).fill(0.5), deviation: Array(channels).fill(0.25) };
    const bytes = await exportOnnx(module, { shape: [channels, 32, 32], classes, normalization, name: model });
    const read = readOnnx(bytes);
    assertEquals(read.nodes.map(({ kinds: _, ...node }) => node), nodes);
    assertEquals(read.initializers.map(({ name, shape }) => ({ name, shape })), initializers);
    for (const { name, data } of read.initializers) {
      const parameter = await module.stateDict().get(name!)!.data();
      assert(parameter.every((one, i) => Object.is(one, new DataView(data.slice().buffer).getFloat32(4 * i, true))));
    }
    const list = (one: number) => Array(channels).fill(one);
    const text = `(byte / 255 - mean) / std by channel, with mean [${list(0.5).join(", ")}] and std [${
      list(0.25).join(", ")
    }]`;
    assertEquals(read.inputs, [{ name: "images", type: 1, shape: ["batch", channels, 32, 32], text }]);
    assertEquals(read.outputs, [{ name: "logits", type: 1, shape: ["batch", 10], text: undefined }]);
    assertEquals([read.ir, read.opsets, read.producer], [ir, [["", 17]], ["wgrad", VERSION]]);
    assertEquals(read.metadata, {
      model,
      wgrad: VERSION,
      classes: JSON.stringify(classes),
      mean: JSON.stringify(normalization.mean),
      std: JSON.stringify(normalization.deviation),
    });
  });
}
