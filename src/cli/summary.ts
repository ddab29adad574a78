/**
 * `wgrad summary`: the layers of a model, their parameters and multiply-adds, and the memory of a training step.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import { requestBackend } from "../backend/request.ts";
import { MODELS } from "../models/registry.ts";
import { makeConfig } from "../config/config.ts";
import { SETTINGS } from "../config/settings.ts";
import { type Layer, layersOf } from "../measure/summary.ts";
import { type StepMemory, stepMemory } from "../measure/memory.ts";
import { makeOptimizer } from "../config/update.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";

/** The settings of a run that `summary` shares. */
type Shared = Extract<typeof SETTINGS[number], { name: "model" | "batch-size" | "optimizer" | "adapter" | "backend" }>;
const SHARED = SETTINGS.filter(({ name }) =>
  ["model", "batch-size", "optimizer", "adapter", "backend"].includes(name)
) as Shared[];

/** `wgrad summary`. */
export const command = defineCommand({
  name: "summary",
  summary: "Show a model's layers, parameters, multiply-adds and memory",
  description: "Shows each layer in the order of the calls, with the shape that it makes, its parameters, and its " +
    "multiply-adds for one image (those of convolutions and matrix products, forward), then the GPU memory of a training " +
    "step, as it is planned for this machine's adapter. The training images come on top of it, a byte for each number. " +
    "Where there is no adapter, the step is planned for a GPU of WebGPU's least limits.",
  flags: [
    ...SHARED,
    {
      name: "json",
      kind: "boolean",
      help: "End stdout with one JSON object; all else goes to stderr",
      group: "Output",
    },
  ],
  examples: [
    ["wgrad summary", "Show LeNet, and the memory of a step of 4 images"],
    ["wgrad summary --batch-size 512 --optimizer adam", "Show the memory of larger steps with another optimizer"],
  ],
  async run({ values: { json, model: name, batchSize, optimizer, adapter, backend } }): Promise<number> {
    const output = new Output({ json });
    const config = makeConfig({ model: name, batchSize, optimizer });
    const model = MODELS[name].make(), input = [batchSize, ...MODELS[name].input];
    const layers = layersOf(model, input), parameters = model.parameters();
    const gpu = await requestBackend({ ...(adapter ? { adapter } : {}), ...(backend ? { backend } : {}) }).catch(
      (error) => {
        if (error instanceof GpuError) return null;
        throw error;
      },
    );
    const memory = stepMemory(model, makeOptimizer(config, parameters), input, gpu ?? undefined);
    const totals = {
      parameters: parameters.reduce((sum, one) => sum + one.numel, 0),
      trainable: parameters.reduce((sum, one) => sum + (one.requiresGrad ? one.numel : 0), 0),
      multiplyAdds: layers.reduce((sum, one) => sum + one.multiplyAdds, 0),
    };
    output.result(
      `${name}: ${model.constructor.name} on images of ${input.slice(1).join(" x ")}, ${batchSize} at a time`,
    );
    for (const line of layerTable(layers)) output.result(line);
    output.result(`parameters: ${count(totals.parameters)}, of which trained: ${count(totals.trainable)}`);
    output.result(
      `multiply-adds: ${count(totals.multiplyAdds)} an image, ${count(totals.multiplyAdds * batchSize)} a batch`,
    );
    const planned = gpu ? gpu.adapter.name : "a GPU of WebGPU's least limits, since there is no adapter";
    output.result(`memory of a step with ${optimizer}, planned for ${planned}:`);
    for (const line of memoryTable(memory)) output.result(line);
    output.json({ model: name, input, optimizer, layers, ...totals, memory, adapter: gpu?.adapter.name ?? null });
    return 0;
  },
});

const count = (number: number) => number.toLocaleString("en-US");

function layerTable(layers: readonly Layer[]): string[] {
  const head = ["layer", "kind", "output", "parameters", "multiply-adds"];
  const rows = layers.map(({ name, kind, output, parameters, multiplyAdds }) => [
    name || "(model)",
    kind,
    `[${output.join(", ")}]`,
    count(parameters),
    count(multiplyAdds),
  ]);
  return columns([head, ...rows], 3);
}

const PARTS: readonly (readonly [keyof StepMemory, string])[] = [
  ["batch", "batch"],
  ["parameters", "parameters"],
  ["buffers", "buffers"],
  ["gradients", "gradients"],
  ["optimizer", "optimizer state"],
  ["activations", "activations"],
  ["total", "total"],
];

function memoryTable(memory: StepMemory): string[] {
  return columns(PARTS.map(([key, name]) => [name, size(memory[key])]), 1);
}

function size(bytes: number): string {
  const [unit, scale] = bytes >= 2 ** 30 ? ["GiB", 2 ** 30] : bytes >= 2 ** 20 ? ["MiB", 2 ** 20] : ["KiB", 1024];
  return `${(bytes / (scale as number)).toFixed(1)} ${unit}`;
}

/** Rows as lines: the columns from `right` on are aligned to the right, the others to the left. */
function columns(rows: readonly (readonly string[])[], right: number): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, i) => i >= right ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")}`
  );
}
