import { assert, assertEquals } from "@std/assert";
import { type Graph, graphOf } from "./graph.ts";
import { type Import, violations } from "./layers.ts";
import { filesOf } from "./support.ts";

let graphs: Promise<[program: Graph, library: Graph]> | undefined;

/** Both graphs, read once. */
function bothGraphs(): Promise<[program: Graph, library: Graph]> {
  return graphs ??= Promise.all([graphOf("main.ts"), graphOf("src/mod.ts")]);
}

Deno.test("imports only point down the table of rooms in docs/design.md", async () => {
  const [program, library] = await bothGraphs();
  assert(program.imports.length > 0 && library.imports.length > 0);
  assertEquals(violations([...program.imports, ...library.imports]), []);
});

Deno.test("everything from outside is a pinned npm package or built in", async () => {
  const [program, library] = await bothGraphs();
  for (const target of [...program.outside, ...library.outside]) {
    assert(/^(node:|npm:(@[^/]+\/)?[^@/]+@\d+\.\d+\.\d+)/.test(target), target);
  }
});

Deno.test("every source file and every kernel is part of the program or the library", async () => {
  const [program, library] = await bothGraphs();
  const reached = new Set([...program.inside, ...library.inside]);
  assertEquals(filesOf("src", "shaders").filter((path) => !reached.has(path)), []);
});

Deno.test("violations() finds a planted upward, sideways or stray import, and no other", () => {
  const planted: Import[] = [
    { from: "src/backend/webgpu/device.ts", to: "src/graph/plan.ts" },
    { from: "src/data/cifar.ts", to: "src/backend/webgpu/device.ts" },
    { from: "src/io/safetensors.ts", to: "src/tensor/tensor.ts" },
    { from: "src/data/cifar.ts", to: "src/io/safetensors.ts" },
    { from: "src/nn/linear.ts", to: "src/optim/sgd.ts" },
    { from: "src/train/trainer.ts", to: "src/mod.ts" },
    { from: "src/cli/train.ts", to: "main.ts" },
    { from: "src/cli/train.ts", to: "src/extra/thing.ts" },
    { from: "src/helpers.ts", to: "src/errors.ts" },
    { from: "src/ops/conv.ts", to: "tests/run.ts" },
  ];
  for (const bad of planted) assertEquals(violations([bad]).length, 1, `${bad.from} -> ${bad.to}`);
  const fine: Import[] = [
    { from: "main.ts", to: "src/cli/commands.ts" },
    { from: "src/cli/train.ts", to: "src/data/dataset.ts" },
    { from: "src/ops/conv.ts", to: "shaders/conv/conv2d.wgsl" },
    { from: "src/ops/conv.ts", to: "src/ops/shape.ts" },
    { from: "src/data/cifar.ts", to: "src/errors.ts" },
    { from: "src/version.ts", to: "deno.json" },
  ];
  assertEquals(violations(fine), []);
});
