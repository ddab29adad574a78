import { assert, assertEquals, assertThrows } from "@std/assert";
import { counters } from "../support/counters.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { compile, F, nn, optim, ShapeError, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { lenet } from "../../src/models/lenet.ts";
import { layersOf } from "../../src/measure/summary.ts";
import { stepMemory } from "../../src/measure/memory.ts";
import { execute, wgrad } from "../project/support.ts";
import { testWith } from "../support/tools.ts";

/** Every kind of layer that has multiply-adds, in nested modules, one of them called twice, and a product beside layers. */
class Odd extends nn.Module {
  readonly stem = new nn.Sequential(
    new nn.Conv2d(4, 8, [3, 5], { stride: 2, padding: 1, groups: 2, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
  );
  readonly again = new nn.Conv2d(8, 8, 3, { padding: 1 });
  readonly up = new nn.ConvTranspose2d(8, 6, 2, { stride: 2, groups: 2 });
  readonly pool = new nn.AdaptiveAvgPool2d(2);
  readonly head = new nn.Linear(24, 5);

  override forward(x: Tensor): Tensor {
    x = this.again.forward(this.again.forward(this.stem.forward(x)));
    x = this.head.forward(this.pool.forward(this.up.forward(x)).flatten(1));
    return x.matmul(x.transpose(0, 1).detach()).sum([1], true).add(x);
  }
}

const odd = [
  // name, kind, output, parameters, multiply-adds for one image by hand
  ["stem.0", "Conv2d", [2, 8, 5, 3], 8 * 2 * 15, 8 * 5 * 3 * (2 * 15)],
  ["stem.1", "BatchNorm2d", [2, 8, 5, 3], 16, 0],
  ["stem.2", "ReLU", [2, 8, 5, 3], 0, 0],
  ["again", "Conv2d", [2, 8, 5, 3], 8 * 8 * 9 + 8, 8 * 5 * 3 * 8 * 9],
  ["again", "Conv2d", [2, 8, 5, 3], 0, 8 * 5 * 3 * 8 * 9], // Its parameters are counted already.
  ["up", "ConvTranspose2d", [2, 6, 10, 6], 8 * 3 * 4 + 6, 8 * 5 * 3 * (3 * 4)],
  ["pool", "AdaptiveAvgPool2d", [2, 6, 2, 2], 0, 0],
  ["head", "Linear", [2, 5], 125, 120],
  ["", "Odd", [2, 5], 0, 2 * 2 * 5 / 2], // [2, 5] by [5, 2], between the layers.
];

Deno.test("layersOf() has every call with its shape, parameters and multiply-adds, and leaves the model as it was", () => {
  const model = new Odd(), before = String(model), statistics = model.buffers().map(({ value }) => value);
  model.stem.eval();
  const found = layersOf(model, [2, 4, 9, 8]);
  assertEquals(found.map((one) => [one.name, one.kind, one.output, one.parameters, one.multiplyAdds]), odd);
  assertEquals(
    found.reduce((sum, one) => sum + one.parameters, 0),
    model.parameters().reduce((n, p) => n + p.numel, 0),
  );
  assertEquals([model.training, model.stem.training, String(model)], [true, false, before]);
  assertEquals(model.buffers().map(({ value }) => value), statistics);
  assertEquals(Object.keys(model).includes("forward"), false);
});

Deno.test("layersOf() refuses images that the model does not take, and leaves the model as it was", () => {
  const model = lenet();
  assertThrows(() => layersOf(model, [1, 1, 32, 32]), ShapeError, "conv2d");
  assertEquals([model.training, Object.hasOwn(model.conv1, "forward")], [true, false]);
});

await testWith("torch", "layersOf() has the shapes and parameters that PyTorch's hooks see", async (python) => {
  const { code, stdout, stderr } = await execute(python, [
    "-c",
    `
import json, torch
from torch import nn
def walk(model, x):
    rows = []
    for name, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, _, y, name=name: rows.append(
                [name, type(m).__name__, list(y.shape), sum(p.numel() for p in m.parameters())]))
    model(x)
    return rows
layers = nn.Sequential(nn.Conv2d(3, 6, 5), nn.MaxPool2d(2, stride=2), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2, stride=2),
    nn.Flatten(), nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10))
odd = nn.Sequential(nn.Conv2d(4, 8, (3, 5), stride=2, padding=1, groups=2, bias=False), nn.BatchNorm2d(8),
    nn.ConvTranspose2d(8, 6, 2, stride=2, groups=2, output_padding=1), nn.GroupNorm(2, 6), nn.ZeroPad2d((1, 2, 3, 0)),
    nn.Upsample(scale_factor=2), nn.AvgPool2d(3, stride=2, padding=1), nn.AdaptiveAvgPool2d((2, 3)), nn.Dropout(),
    nn.GELU(), nn.Flatten(), nn.LayerNorm(36), nn.Linear(36, 7, bias=False))
print(json.dumps([walk(layers, torch.zeros(4, 3, 32, 32)), walk(odd, torch.zeros(2, 4, 9, 8))]))
`,
  ]);
  assertEquals([code, stderr], [0, ""]);
  const { Conv2d, MaxPool2d, Flatten, Linear, Sequential } = nn;
  const layers = new Sequential(
    new Conv2d(3, 6, 5),
    new MaxPool2d(2),
    new Conv2d(6, 16, 5),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(400, 120),
    new Linear(120, 84),
    new Linear(84, 10),
  );
  const odd = new Sequential(
    new Conv2d(4, 8, [3, 5], { stride: 2, padding: 1, groups: 2, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ConvTranspose2d(8, 6, 2, { stride: 2, groups: 2, outputPadding: 1 }),
    new nn.GroupNorm(2, 6),
    new nn.ZeroPad2d([1, 2, 3, 0]),
    new nn.Upsample({ scaleFactor: 2 }),
    new nn.AvgPool2d(3, { stride: 2, padding: 1 }),
    new nn.AdaptiveAvgPool2d([2, 3]),
    new nn.Dropout(),
    new nn.GELU(),
    new Flatten(),
    new nn.LayerNorm(36),
    new Linear(36, 7, { bias: false }),
  );
  const rows = (model: nn.Module, shape: number[]) =>
    layersOf(model, shape).map((one) => [one.name, one.kind, one.output, one.parameters]);
  assertEquals([rows(layers, [4, 3, 32, 32]), rows(odd, [2, 4, 9, 8])], JSON.parse(stdout));
});

Deno.test("stepMemory() tells what planning the step on this machine's device takes", async () => {
  const gpu = await requestBackend(), batch = 37;
  const model = lenet(), optimizer = new optim.Adam(model.parameters());
  const planned = stepMemory(model, optimizer, [batch, 3, 32, 32], gpu);
  // The same step over tensors that have their places already.
  const net = lenet(), adam = new optim.Adam(net.parameters()), states = [...adam.stateDict().values()];
  const x = zeros([batch, 3, 32, 32]), labels = tensor(new Uint32Array(batch));
  for (const one of [...net.parameters(), ...states, adam.paramGroups[0]!.rate, x, labels]) await one.data();
  const program = compile(() => {
    adam.zeroGrad();
    const loss = F.crossEntropy(net.forward(x), labels);
    loss.backward();
    adam.step();
    return loss;
  });
  const before = counters.bytesLive;
  await program.dispatches();
  // A block of the least size may come from the pool.
  const difference = planned.activations + planned.gradients - (counters.bytesLive - before);
  assert(Math.abs(difference) <= 512, `${difference}`);
  await program.dispose();
  const { parameters, gradients, optimizer: state, buffers, total } = planned, bytes = 4 * 62006;
  // Adam has two averages, and a count for each of the ten parameters.
  assertEquals({ parameters, gradients, state, buffers }, {
    parameters: bytes,
    gradients: bytes,
    state: 2 * bytes + 4 * 10,
    buffers: 0,
  });
  assertEquals(planned.batch, 4 * (batch * 3 * 32 * 32 + batch));
  assertEquals(total, planned.batch + parameters + gradients + state + planned.activations);
});

Deno.test("stepMemory() needs no adapter, makes nothing, and plans what no adapter could hold", () => {
  const before = { ...counters };
  const of = (batch: number) => {
    const model = lenet();
    return stepMemory(model, new optim.SGD(model.parameters()), [batch, 3, 32, 32]);
  };
  const small = of(32768), large = of(65536);
  const ratio = large.activations / small.activations;
  assert(ratio > 1.9 && ratio < 2.1, `${ratio}`);
  assertEquals([small.optimizer, large.optimizer], [0, 0]);
  assertEquals({ ...counters }, before);
});

Deno.test("wgrad summary prints the layers, the totals and the memory, with and without an adapter", async () => {
  const none = { VK_ICD_FILENAMES: "none.json", VK_DRIVER_FILES: "none.json" };
  const args = ["run", "--quiet", "--no-check", "--allow-all", "main.ts", "summary", "--backend", "vulkan"];
  const bare = await execute(Deno.execPath(), [...args, "--batch-size", "8", "--json"], { env: none });
  assertEquals(bare.code, 0, bare.stderr);
  const result = JSON.parse(bare.stdout);
  const { adapter, multiplyAdds, parameters, trainable, input } = result;
  assertEquals({ adapter, multiplyAdds, parameters, trainable, input }, {
    adapter: null,
    multiplyAdds: 651720,
    parameters: 62006,
    trainable: 62006,
    input: [8, 3, 32, 32],
  });
  assert(bare.stderr.includes("since there is no adapter"));
  const { code, stdout } = await wgrad("summary", "--model", "lenet-gray", "--optimizer", "muon");
  assertEquals(code, 0);
  assert(/conv1 +Conv2d +\[4, 6, 28, 28\] +156 +117,600\n/.test(stdout), stdout);
  assert(/parameters: 61,706, of which trained: 61,706\n/.test(stdout), stdout);
});
