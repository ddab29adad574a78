/**
 * ONNX files of networks with every kind of layer and op: ONNX Runtime gives what the network gives, for batches of 1
 * and of 7, and ONNX's own checker accepts each file. What such files cannot express is refused by name.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import * as ort from "npm:onnxruntime-node@1.30.0";
import { ShapeError, WeightsError } from "../../src/errors.ts";
import {
  cat,
  F,
  getRngState,
  narrow,
  nn,
  noGrad,
  ones,
  randn,
  stack,
  type Tensor,
  tensor,
  zeros,
} from "../../src/mod.ts";
import { exportOnnx, type OnnxOptions } from "../../src/onnx/export.ts";
import { assertClose } from "../support/close.ts";
import { toTensor } from "../support/gradcheck.ts";
import { checkOnnx } from "../support/onnx.ts";
import { testWith } from "../support/tools.ts";
import { uniform } from "../support/random.ts";

/** A network of layers and a function. */
class Net extends nn.Module {
  readonly layers: nn.Module[];
  constructor(readonly compute: (x: Tensor, layers: nn.Module[]) => Tensor, ...layers: nn.Module[]) {
    super();
    this.layers = layers;
    layers.forEach((one, i) => Object.assign(this, { [`layer${i}`]: one }));
  }
  override forward(x: Tensor): Tensor {
    return this.compute(x, this.layers);
  }
}

const one = (...all: nn.Module[]) => new nn.Sequential(...all);

/** Every layer, with every option that changes what is computed, on [4, 6, 6]. */
const LAYERS: Record<string, nn.Module> = {
  "conv2d": one(new nn.Conv2d(4, 6, [3, 2], { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 })),
  "conv2d without bias": one(new nn.Conv2d(4, 3, 3, { bias: false, padding: "same" })),
  "conv2d with an even kernel": one(new nn.Conv2d(4, 3, 2, { padding: "same" })),
  "conv2d, reflect": one(new nn.Conv2d(4, 3, 3, { padding: [1, 2], paddingMode: "reflect" })),
  "conv2d, replicate": one(new nn.Conv2d(4, 3, 3, { padding: 1, paddingMode: "replicate" })),
  "conv2d, circular": one(new nn.Conv2d(4, 3, 3, { padding: [2, 1], paddingMode: "circular" })),
  "convTranspose2d": one(
    new nn.ConvTranspose2d(4, 6, 3, { stride: 2, padding: [1, 0], outputPadding: [1, 0], groups: 2 }),
  ),
  "convTranspose2d, dilation": one(new nn.ConvTranspose2d(4, 2, 2, { dilation: [2, 1], bias: false })),
  "linear": one(new nn.Flatten(), new nn.Linear(4 * 6 * 6, 5), new nn.Linear(5, 3, { bias: false })),
  "linear of rows": one(new nn.Linear(6, 5)),
  "maxPool2d": one(new nn.MaxPool2d([3, 2], { stride: [1, 2], padding: 1 })),
  "avgPool2d": one(new nn.AvgPool2d([3, 2], { stride: [2, 1], padding: 1 })),
  "avgPool2d, padding not counted": one(new nn.AvgPool2d(3, { padding: 1, countIncludePad: false })),
  "avgPool2d, ceil": one(new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true })),
  "avgPool2d, ceil, not counted": one(
    new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
  ),
  "avgPool2d, ceil without padding": one(new nn.AvgPool2d(4, { ceilMode: true })),
  "avgPool2d, divisor": one(new nn.AvgPool2d(3, { stride: 2, padding: 1, divisorOverride: -2, ceilMode: true })),
  "adaptiveAvgPool2d": one(new nn.AdaptiveAvgPool2d([2, 3])),
  "adaptiveAvgPool2d, global": one(new nn.AdaptiveAvgPool2d(1), new nn.Flatten()),
  "adaptiveAvgPool2d, uneven": one(new nn.AdaptiveAvgPool2d([4, null])),
  "batchNorm2d": one(new nn.BatchNorm2d(4), new nn.BatchNorm2d(4, { affine: false, eps: 0.01 })),
  "batchNorm1d": one(new nn.Flatten(), new nn.BatchNorm1d(144)),
  "groupNorm": one(new nn.GroupNorm(2, 4, { eps: 0.1 }), new nn.GroupNorm(4, 4, { affine: false })),
  "layerNorm": one(new nn.LayerNorm(6), new nn.LayerNorm([4, 6, 6], { eps: 0.1 })),
  "layerNorm without weights": one(new nn.LayerNorm([6, 6], { elementwiseAffine: false })),
  "dropout": one(new nn.Dropout(0.5), new nn.Dropout2d(0.5), new nn.Flatten()),
  "upsample": one(new nn.Upsample({ scaleFactor: [2, 3] })),
  "upsample by a fraction": one(new nn.Upsample({ scaleFactor: [1.7, 0.6] })),
  "upsample to a size": one(new nn.Upsample({ size: [14, 4] })),
  "zeroPad2d": one(new nn.ZeroPad2d([1, 2, -1, 3])),
  "reflectionPad2d": one(new nn.ReflectionPad2d([1, 2, 0, 3])),
  "replicationPad2d": one(new nn.ReplicationPad2d([1, 2, 0, 3])),
  "residual": one(new nn.Residual(new nn.Conv2d(4, 4, 3, { padding: 1 }), new nn.ReLU())),
  "identity": one(new nn.Identity()),
  "activations": new Net(
    (x, all) => cat(all.map((one) => one.forward(x.mul(4))), 1),
    new nn.ReLU(),
    new nn.ReLU6(),
    new nn.Sigmoid(),
    new nn.Tanh(),
    new nn.SiLU(),
    new nn.LogSigmoid(),
    new nn.Hardswish(),
    new nn.LeakyReLU(0.2),
    new nn.ELU(1.5),
    new nn.Hardtanh(-0.5, 2),
    new nn.GELU(),
    new nn.GELU({ approximate: "tanh" }),
    new nn.Softplus(),
    new nn.Softplus({ beta: 2, threshold: 3 }),
    new nn.Softmax(1),
    new nn.LogSoftmax(),
  ),
};

const matrix = randn([6, 5]), matrices = randn([4, 5, 2]);

/** What tensors can be computed from tensors, besides. */
const OPS: Record<string, (x: Tensor) => Tensor> = {
  "arithmetic": (x) => x.add(x.mul(2)).sub(x.div(3)).add(tensor([1, 2, 3, 4, 5, 6])).neg(),
  "powers": (x) => x.abs().add(1).pow(1.5).sqrt().log().exp().add(x.pow(2)),
  "maximum, minimum": (x) => x.maximum(0.5).add(x.minimum(tensor([[0.1], [0], [0.2], [1], [2], [3]]))),
  "comparisons": (x) => {
    const y = x.relu();
    return cat([y.eq(0), y.ne(0), x.lt(0.1), x.le(0.1), x.gt(0.1), x.ge(0.1)], -1);
  },
  "reshape": (x) => x.reshape([-1, 2, 2, 36]).reshape([x.shape[0]! * 4, 36]).reshape([x.shape[0]!, 144]),
  "squeeze, unsqueeze": (x) => x.unsqueeze(1).squeeze(1).unsqueeze(-1),
  "the batch elsewhere": (x) => x.permute([1, 0, 2, 3]).reshape([4, -1]).reshape([4, x.shape[0]!, 36]).transpose(0, 1),
  "transpose": (x) => x.transpose(1, 3).permute([0, 2, 1, 3]),
  "cat, stack, narrow": (x) => stack([narrow(x, 1, 1, 2), cat([narrow(x, 1, 3, 1), narrow(x, 1, 0, 1)], 1)], 2),
  "pad of three dimensions": (x) => F.pad(x, [1, 0, 0, 2, 3, 1], { value: 1.5 }),
  "pad that cuts": (x) => F.pad(x, [-1, 2, -2, -1], { value: 1.5 }),
  "pad of a row": (x) => F.pad(x.flatten(2), [2, 3], { mode: "circular" }),
  "sum": (x) => x.sum([2, 3]).add(x.sum(1, true).sum(-1).sum(-1)),
  "mean": (x) => x.mean(-1).mean([1, 2], true).squeeze(-1),
  "extrema": (x) => cat([x.max(1), x.min(1), x.amax([1, 2]).unsqueeze(1).expand([-1, 6, -1]), x.amin(1)], 1),
  "matmul": (x) => x.matmul(matrix).matmul(matrices),
  "attention": (x) => {
    const rows = x.flatten(2).transpose(1, 2);
    return rows.matmul(rows.transpose(1, 2)).mul(0.1).softmax().matmul(rows);
  },
  "a vector's product": (x) => x.matmul(tensor([1, 2, 3, 4, 5, 6])),
  "expand": (x) => cat([tensor([[1, 2]]).expand([x.shape[0]!, 2]), x.mean([2, 3])], 1),
  "detach, clone": (x) => x.detach().clone().relu().clone(),
  "constants": (x) => x.mul(ones([6]).mul(2).add(zeros([4, 1, 1]).add(0.5))),
};

/** The files that were written, for the checker. */
const files = new Map<string, Uint8Array>();

/** Weights and statistics that are not those of the start. */
function disturb(module: nn.Module): void {
  noGrad(() =>
    [...module.stateDict()].forEach(([name, one], i) => {
      if (one.dtype === "f32") one.copy_(toTensor(uniform(i, one.shape, 0.5)).add(name.endsWith("var") ? 1 : 0.1));
    })
  );
}

/** An image's result is its own here, so that a batch of 1 has the first result of 7. */
async function assertSame(name: string, module: nn.Module, shape: OnnxOptions["shape"]): Promise<void> {
  const bytes = await exportOnnx(module, { shape, name }), x = uniform(1, [7, ...shape], 2);
  files.set(name, bytes);
  const y = noGrad(() => module.eval().forward(toTensor(x))), expected = await y.data();
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  for (const batch of [1, 7]) {
    const data = Float32Array.from(x.data).subarray(0, x.data.length * batch / 7);
    const { logits } = await session.run({ images: new ort.Tensor("float32", data, [batch, ...shape]) });
    assertEquals(logits!.dims, y.shape.with(0, batch), name);
    const own = expected.subarray(0, expected.length * batch / 7);
    assertClose(logits!.data as Float32Array, own, { rtol: 0, atol: 1e-4, what: `${name}, batch of ${batch}` });
  }
  await session.release();
}

for (const [name, { make, input }] of Object.entries(nn.models.MODELS)) {
  Deno.test(`ONNX Runtime computes what ${name} does`, () => assertSame(name, make(), input));
}
for (const [name, module] of Object.entries(LAYERS)) {
  Deno.test(`ONNX Runtime computes what a layer does: ${name}`, () => {
    disturb(module);
    return assertSame(name, module, [4, 6, 6]);
  });
}
for (const [name, compute] of Object.entries(OPS)) {
  Deno.test(`ONNX Runtime computes what a function does: ${name}`, () => assertSame(name, new Net(compute), [4, 6, 6]));
}

Deno.test("every layer of nn is in an ONNX file that was compared", () => {
  const used = Object.values(LAYERS).flatMap((net) => net.namedModules().map(([, one]) => one.constructor));
  const losses = /Loss$/,
    missing = Object.entries(nn).filter(([name, one]) =>
      typeof one === "function" && one !== nn.Module && !losses.test(name) && !used.includes(one)
    );
  assertEquals(missing.map(([name]) => name), []);
});

await testWith("onnx", "ONNX's checker accepts every file, and finds its shapes", async () => {
  assert(files.size >= 50);
  await checkOnnx(files);
});

// --- what cannot be written ------------------------------------------------------------------------------------------

/** Changes a buffer whenever it runs. */
class Counting extends nn.Module {
  readonly inner = new nn.Linear(6, 6);
  readonly count = this.registerBuffer("runs", zeros([1]));
  override forward(x: Tensor): Tensor {
    this.count.add_(1);
    return this.inner.forward(x);
  }
}

/** Computes with a buffer of whole numbers. */
class Masking extends nn.Module {
  readonly mask = this.registerBuffer("mask", tensor([0, 1, 0, 1, 0, 1], { dtype: "u32" }));
  override forward(x: Tensor): Tensor {
    return x.mul(this.mask.eq(1));
  }
}

/** Has a parameter of the name that the file's input has. */
class Named extends nn.Module {
  readonly images = ones([6], { requiresGrad: true });
  override forward(x: Tensor): Tensor {
    return x.mul(this.images);
  }
}

const REFUSED: Record<string, [nn.Module, string]> = {
  "a loss": [new Net((x) => F.smoothL1Loss(x, x.mul(2), { reduction: "none" })), "smoothL1Loss has no counterpart"],
  "argmax": [new Net((x) => x.argmax(1)), "argmax has no counterpart there"],
  "integers": [new Masking(), "it computes with u32, and not with f32 alone"],
  "a name that is taken": [new Named(), "its tensor images would have the name of its input or output"],
  "batch statistics": [
    one(new nn.BatchNorm2d(4, { trackRunningStats: false })),
    "normalisation by the statistics of the batch itself has no counterpart there (in 0)",
  ],
  "dropout that goes on": [new Net((x) => F.dropout(x)), "dropout, the generator's state"],
  "a buffer that changes": [new Counting(), "forward changes a tensor of before"],
  "a size in a number": [new Net((x) => x.mul(x.shape[0]!)), "/Mul depends on the batch's size"],
  "a size in a slice": [new Net((x) => narrow(x, 0, 0, x.shape[0]! - 1)), "/Slice depends on the batch's size"],
  "a size in a shape": [new Net((x) => x.mul(ones([x.shape[0]!, 1, 1, 1]))), "depends on the batch's size"],
  "chance": [new Net((x) => x.mul(randn([6]))), "depends on the batch's size, or on chance"],
  "several batches": [
    new Net((x) => x.flatten(1).matmul(x.flatten(1).t()).reshape([1, 1, x.shape[0]!, x.shape[0]!]).sum([0, 1])),
    "the batch in several extents",
  ],
  "no batch": [new Net((x) => x.sum()), "its output is [], not [batch, …]"],
  "no tensor": [new Net((() => Promise.resolve(1)) as unknown as () => Tensor), "forward gives a Promise"],
};

for (const [what, [module, message]] of Object.entries(REFUSED)) {
  Deno.test(`what ONNX cannot express is refused: ${what}`, async () => {
    const state = async () => [(await getRngState())[2], module.training, Object.getOwnPropertyNames(module)];
    const before = await state();
    const error = await assertRejects(() => exportOnnx(module, { shape: [4, 6, 6] }), WeightsError, message);
    assert(error.message.startsWith(`${module.constructor.name} cannot be written as ONNX: `), error.message);
    if (module instanceof Counting) assertEquals(await module.count.item(), 0);
    assertEquals(await state(), before);
  });
}

Deno.test("options of an export that do not fit are refused", async () => {
  const module = one(new nn.Flatten(), new nn.Linear(144, 5)), shape = [4, 6, 6];
  const refused = (options: object, message: string, Refusal: typeof WeightsError | typeof ShapeError = ShapeError) =>
    assertRejects(() => exportOnnx(module, options as OnnxOptions), Refusal, message);
  await refused({}, "shape");
  await refused({ shape: [4, 0, 6] }, "[4, 0, 6] is no shape");
  await refused({ shape, labels: [] }, 'unknown option "labels"');
  await refused({ shape, classes: "abcde" }, 'classes must be an array of texts, got "abcde"');
  await refused({ shape, classes: ["a", "b"] }, "its output is [batch, 5], not [batch, 2]", WeightsError);
  const mean = [0, 0, 0, 0];
  await refused({ shape, normalization: { mean, deviation: [1] } }, "deviation must have a number for each of 4");
});
