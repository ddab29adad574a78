/**
 * Normalisation: layers and functions with every option against PyTorch (forward, running statistics, gradients,
 * printed form), a net that trains with them, eager and compiled; what is refused.
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ShapeError, WeightsError } from "../../src/errors.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { compile, F, nn, noGrad, ones, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { readAll } from "../../src/tensor/realize.ts";
import { applyWeights, saveWeights } from "../../src/run/weights.ts";
import { map, type Nd } from "../support/array.ts";
import { assertClose, assertRelative } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { withMerging } from "../support/merging.ts";
import { setWeights } from "../support/nets.ts";
import { bits, uniform } from "../support/random.ts";

type Shape = number[];

interface LayerCase {
  layer: "BatchNorm1d" | "BatchNorm2d" | "GroupNorm" | "LayerNorm";
  args: unknown[];
  options: Record<string, unknown>;
  text: string;
  shape: Shape;
  offset: number;
  output: number[];
  grads: number[][];
  evaluated: number[];
  state: Record<string, number[]>;
}

interface FunctionCase {
  op: "batch_norm" | "group_norm" | "layer_norm";
  shape: Shape;
  first: boolean | [number] | [Shape];
  affine: [Shape | null, Shape | null];
  options: Record<string, unknown>;
  gradFn: string;
  output: number[];
  grads: number[][];
  running: number[][];
}

interface TrainCase {
  train: { lr: number; momentum: number };
  losses: number[];
  logits: number[];
  state: Record<string, number[]>;
}

const cases = readLines<LayerCase | FunctionCase | TrainCase>("norms.jsonl");

/** As golden_norms.py: of long arrays a sample. */
function sampled(data: ArrayLike<number>): number[] {
  return Array.from(data).filter((_, i) => i % (Math.floor(data.length / 16) | 1) === 0);
}

/** Likewise, an input far from 0. */
function inputOf(seed: number, shape: Shape, offset = 0): Nd {
  const x = uniform(seed, shape);
  return offset ? map(x, (v) => Math.round(v * 1024) / 1024 + offset) : x;
}

const shifted = (seed: number, shape: readonly number[], by = 1) => map(uniform(seed, shape), (v) => v + by);

async function assertSamples(
  found: readonly Tensor[],
  expected: readonly number[][],
  what: string,
  atol = 4e-6,
): Promise<void> {
  assertEquals(found.length, expected.length);
  (await readAll(found)).forEach((data, i) => {
    assertClose(sampled(data), expected[i]!, { rtol: 1e-5, atol, what: `${what} ${i}` });
  });
}

/** How a layer is called in a test's name. */
const titled = (text: string, shape: Shape, offset = 0) => `${text} of [${shape}]${offset ? ` at ${offset}` : ""}`;

for (const golden of cases.filter((one): one is LayerCase => "layer" in one)) {
  const { layer, args, options, text, shape, offset } = golden;

  const make = () => {
    // deno-lint-ignore no-explicit-any
    const module: nn.Module = new (nn[layer] as any)(...args, options);
    noGrad(() => module.parameters().forEach((p, i) => p.copy_(toTensor(shifted(20 + i, p.shape)))));
    return module;
  };
  const check = async (module: nn.Module, y: Tensor, grads: readonly Tensor[]) => {
    // A mean of 1000 is rounded by up to 3e-5, and the elements are 0.6 off it.
    const atol = offset ? 2e-4 : 4e-6;
    await assertSamples([y], [golden.output], "output", atol);
    await assertSamples(grads, golden.grads, "gradient", offset ? 5e-3 : atol);
    assertEquals(module.namedBuffers().map(([name]) => name), Object.keys(golden.state));
    await assertSamples(module.buffers(), Object.values(golden.state), "buffer");
    const evaluated = module.eval().forward(toTensor(inputOf(13, shape, offset)));
    await assertSamples([evaluated], [golden.evaluated], "output in evaluation", atol);
    await assertSamples(module.buffers(), Object.values(golden.state), "buffer after evaluation");
  };

  Deno.test(`${titled(text, shape, offset)} agrees with PyTorch`, async () => {
    const module = make();
    assertEquals(String(module), text);
    let x!: Tensor, y!: Tensor;
    for (let step = 0; step < 3; step++) {
      module.zeroGrad();
      x = toTensor(inputOf(10 + step, shape, offset), { requiresGrad: true });
      y = module.forward(x);
      y.backward(toTensor(uniform(9000, shape)));
    }
    await check(module, y, [x, ...module.parameters()].map((one) => one.grad!));
  });

  // The kernels are the same: what differs is that the buffers are updated where they lie.
  if (layer !== "BatchNorm2d" || offset) continue;
  Deno.test(`${titled(text, shape)} agrees with PyTorch when compiled`, async () => {
    const module = make(), x = zeros(shape, { requiresGrad: true }), dy = toTensor(uniform(9000, shape));
    const program = compile(() => {
      const y = module.forward(x);
      module.zeroGrad();
      x.grad = null;
      y.backward(dy);
      return [y, ...[x, ...module.parameters()].map((one) => one.grad!)];
    });
    for (let step = 0; step < 3; step++) {
      noGrad(() => x.copy_(toTensor(inputOf(10 + step, shape))));
      await program.run();
    }
    const [y, ...grads] = program.result as [Tensor, ...Tensor[]];
    await check(module, y, grads);
    await program.dispose();
  });
}

for (const golden of cases.filter((one): one is FunctionCase => "op" in one)) {
  const { op, shape, first, affine, options, gradFn } = golden;
  const given = ["weight", "bias"].filter((_, i) => affine[i]).join(" and ") || "neither weight nor bias";
  const how = JSON.stringify(options).replaceAll('"', "");
  Deno.test(`${op} with ${given}, ${how}${first ? "" : " and no running statistics"} agrees with PyTorch`, async () => {
    const x = toTensor(uniform(10, shape), { requiresGrad: true }), channels = shape.slice(1, 2);
    const [weight, bias] = affine.map((one, i) => one && toTensor(shifted(20 + i, one), { requiresGrad: true })) as [
      Tensor | null,
      Tensor | null,
    ];
    const running = op === "batch_norm" && first
      ? [toTensor(uniform(14, channels)), toTensor(shifted(15, channels, 1.5))]
      : [];
    const [mean = null, variance = null] = running, [how] = Array.isArray(first) ? first : [];
    const y = op === "batch_norm"
      ? F.batchNorm(x, mean, variance, weight, bias, options)
      : op === "group_norm"
      ? F.groupNorm(x, how as number, weight, bias, options)
      : F.layerNorm(x, how as Shape, weight, bias, options);
    assertEquals(y.gradFn!.name, gradFn);
    y.backward(toTensor(uniform(9000, shape)));
    await assertSamples([y], [golden.output], "output");
    await assertSamples([x, weight, bias].flatMap((one) => one ? [one.grad!] : []), golden.grads, "gradient");
    await assertSamples(running, golden.running, "running statistic");
  });
}

/** golden_norms.py's net: images [N, 2, 6, 6] to 4 classes. */
class NormNet extends nn.Module {
  conv = new nn.Conv2d(2, 4, 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(4);
  fc = new nn.Linear(144, 4);

  override forward(x: Tensor): Tensor {
    return this.fc.forward(F.relu(this.bn1.forward(this.conv.forward(x))).flatten(1));
  }
}

const images = (step: number) => toTensor(uniform(500 + step, [5, 2, 6, 6]));
const labels = (step: number) => tensor(bits(600 + step, 5).map((b) => b % 4));

for (const how of ["eagerly", "as a program", "as a program, merged"]) {
  Deno.test(`a net with batch norm trains as in PyTorch, ${how}`, () =>
    withMerging(how.endsWith("merged"), async () => {
      const golden = cases.find((one): one is TrainCase => "train" in one)!;
      const net = setWeights(new NormNet(), 400), optimizer = new optim.SGD(net.parameters(), golden.train);
      const step = (x: Tensor, y: Tensor) => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(net.forward(x), y);
        loss.backward();
        optimizer.step();
        return loss;
      };
      const losses: Tensor[] = [], found: number[] = [];
      if (how !== "eagerly") {
        const x = images(0), y = labels(0), program = compile(() => step(x, y));
        for (let i = 0; i < 20; i++) {
          x.copy_(images(i));
          y.copy_(labels(i));
          await program.run();
          found.push(await program.result.item());
        }
      } else {
        for (let i = 0; i < 20; i++) losses.push(step(images(i), labels(i)));
        found.push(...(await values(losses)).map(([loss]) => loss!));
      }
      assertClose(found, golden.losses, { rtol: 1e-5, atol: 0, what: "losses" });
      assertEquals([...net.stateDict().keys()], Object.keys(golden.state));
      for (const [name, one] of net.stateDict()) {
        assertRelative(sampled(await one.data()), golden.state[name]!, 1e-5, name);
      }
      const logits = net.eval().forward(images(0));
      assertRelative(sampled(await logits.data()), golden.logits, 1e-5, "logits in evaluation");
    }));
}

Deno.test("gradients that are wanted alone are the same", async () => {
  for (const layer of [new nn.BatchNorm2d(4), new nn.GroupNorm(2, 4), new nn.LayerNorm([4, 3, 3])]) {
    const run = async (of: (x: Tensor) => Tensor[]) => {
      const x = toTensor(uniform(1, [2, 4, 3, 3])), wanted = of(x);
      for (const one of [x, layer.weight!, layer.bias!]) one.requiresGrad = wanted.includes(one);
      layer.forward(x).backward(toTensor(uniform(2, [2, 4, 3, 3])));
      const grads = wanted.map((one) => one.grad!);
      layer.zeroGrad();
      return await values(grads);
    };
    const [dx, dweight, dbias] = await run((x) => [x, layer.weight!, layer.bias!]);
    assertEquals(await run((x) => [x]), [dx!]);
    assertEquals(await run(() => [layer.weight!]), [dweight!]);
    assertEquals(await run(() => [layer.bias!]), [dbias!]);
  }
});

Deno.test("a layer that is used twice in a step counts both batches; without gradients too", async () => {
  const bn = new nn.BatchNorm1d(1, { momentum: null }), x = tensor([[1], [3]]);
  noGrad(() => bn.forward(bn.forward(x).mul(0).add(x.mul(3))));
  assertEquals(await bn.numBatchesTracked!.item(), 2);
  assertClose(await bn.runningMean!.data(), [4]);
  assertClose(await bn.runningVar!.data(), [10]);
});

Deno.test("the state of a net with buffers goes through a file, the count as PyTorch's int64", async () => {
  const path = await Deno.makeTempFile(), from = new NormNet(), to = new NormNet();
  try {
    from.forward(images(0));
    await saveWeights(from, path, { model: "lenet", normalize: "half" });
    const { tensors } = decodeSafetensors(await Deno.readFile(path), path), count = "bn1.num_batches_tracked";
    assertEquals(tensors.get(count), { dtype: "I64", shape: [], data: BigInt64Array.of(1n) });
    applyWeights(to, tensors, path);
    assertEquals(await values([...to.stateDict().values()]), await values([...from.stateDict().values()]));
    for (const data of [BigInt64Array.of(-1n), BigInt64Array.of(2n ** 32n)]) {
      const wrong = new Map(tensors).set(count, { dtype: "I64", shape: [], data });
      assertThrows(() => applyWeights(to, wrong, path), WeightsError, `"${count}" has ${data[0]}, which is no u32`);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("numbers are printed as Python does", () => {
  const layers = [1, 0.5, 1e-4, 1e-5, 1.5e-12, 1e15, 1e16, 2e20].map((eps) => String(new nn.LayerNorm(2, { eps })));
  assertEquals(layers.map((text) => /eps=([^,]*)/.exec(text)![1]), [
    "1",
    "0.5",
    "0.0001",
    "1e-05",
    "1.5e-12",
    "1000000000000000",
    "1e+16",
    "2e+20",
  ]);
});

// deno-lint-ignore no-explicit-any
type Any = any;

Deno.test("what does not fit is refused in one line that names it", () => {
  const x = zeros([2, 4, 3, 3]),
    c = ones([4]),
    u = ones([4], { dtype: "u32" }),
    grad = ones([4], { requiresGrad: true });
  const batch = (...args: Any[]) => (F.batchNorm as Any)(...args), training = { training: true };
  const refused: [() => unknown, string][] = [
    [() => batch(x, null, null), "batchNorm: expected runningMean and runningVar; got none"],
    [() => batch(x, c, null), "expected runningMean and runningVar; got only runningMean"],
    [() => batch(x, null, c, null, null, training), "runningVar, or null twice; got only runningVar"],
    [() => batch(x, zeros([3]), c), "batchNorm: runningMean: expected [4], got [3]"],
    [() => batch(x, c, u), "batchNorm: runningVar: expected a tensor of f32, got u32"],
    [() => batch(x, c, grad), "batchNorm: runningVar must not require a gradient"],
    [() => batch(x, c, c, zeros([4, 1])), "batchNorm: weight: expected [4], got [4, 1]"],
    [() => batch(x, c, c, null, u), "batchNorm: bias: expected a tensor of f32, got u32"],
    [() => batch(x, c, c, training), "batchNorm: weight: expected a Tensor, got an object"],
    [() => batch(x, c, 1), "batchNorm: runningVar: expected a Tensor, got 1"],
    [() => batch(zeros([4]), c, c), "batchNorm: expected an input of 2 dimensions or more, got [4]"],
    [
      () => batch(zeros([1, 4]), c, c, null, null, training),
      "more than 1 value per channel when training, got input [1, 4]",
    ],
    [() => batch(x, c, c, null, null, { train: true }), 'batchNorm: unknown option "train"'],
    [() => batch(x, c, c, null, null, { training: 1 }), "batchNorm: training must be true or false, got 1"],
    [
      () => batch(x, c, c, null, null, { eps: -1 }),
      "batchNorm: eps must be a number of 0 or more that f32 holds, got -1",
    ],
    [
      () => batch(x, c, c, null, null, { momentum: null }),
      "batchNorm: momentum must be a number that f32 holds, got null",
    ],
    [() => batch(u.reshape([2, 2]), null, null, null, null, training), "batchNorm: expected a tensor of f32, got u32"],
    [() => F.groupNorm(x, 3), "groupNorm: 4 channels do not divide into 3 groups"],
    [() => F.groupNorm(x, 0), "do not divide into 0 groups"],
    [() => F.groupNorm(c, 2), "groupNorm: expected an input of 2 dimensions or more, got [4]"],
    [() => F.groupNorm(zeros([1, 4]), 4), "groupNorm: expected more than 1 value per channel"],
    [() => F.groupNorm(x, 2, ones([2])), "groupNorm: weight: expected [4], got [2]"],
    [() => F.groupNorm(x, 2, null, null, { eps: NaN }), "groupNorm: eps must be"],
    [() => F.groupNorm(x, 2, null, null, { affine: true } as Any), 'groupNorm: unknown option "affine"'],
    [() => F.layerNorm(x, 4), "layerNorm: the input [2, 4, 3, 3] does not end with [4]"],
    [() => F.layerNorm(c, [4, 4]), "layerNorm: expected an input of 2 dimensions or more, got [4]"],
    [
      () => F.layerNorm(x, []),
      "layerNorm: expected the extents of the last dimensions, such as 8 or [4, 4], got an array",
    ],
    [() => F.layerNorm(x, 0), "got 0"],
    [() => F.layerNorm(x, [3, 3], ones([9])), "layerNorm: weight: expected [3, 3], got [9]"],
    [() => F.layerNorm(x, 3, null, null, { eps: Infinity }), "layerNorm: eps must be"],
    [() => new nn.BatchNorm2d(0), "BatchNorm2d: the number of channels must be 1 or more, got 0"],
    [() => new nn.BatchNorm1d(4, { affine: 1 } as Any), "BatchNorm1d: affine must be true or false, got 1"],
    [() => new nn.BatchNorm2d(4, { trackRunningStats: null } as Any), "BatchNorm2d: trackRunningStats must be true"],
    [() => new nn.BatchNorm2d(4, { momentum: NaN }), "BatchNorm2d: momentum must be a number that f32 holds, got NaN"],
    [
      () => new nn.BatchNorm2d(4, { eps: "1" } as Any),
      'BatchNorm2d: eps must be a number of 0 or more that f32 holds, got "1"',
    ],
    [() => new nn.BatchNorm2d(4, { track: true } as Any), 'BatchNorm2d: unknown option "track"'],
    [
      () => new nn.BatchNorm2d(4).forward(zeros([2, 4])),
      "BatchNorm2d: expected 4 dimensions and 4 channels, got [2, 4]",
    ],
    [() => new nn.BatchNorm2d(3).forward(x), "BatchNorm2d: expected 4 dimensions and 3 channels, got [2, 4, 3, 3]"],
    [
      () => new nn.BatchNorm1d(4).forward(x),
      "BatchNorm1d: expected 2 or 3 dimensions and 4 channels, got [2, 4, 3, 3]",
    ],
    [() => new nn.GroupNorm(3, 4), "GroupNorm: 4 channels do not divide into 3 groups"],
    [() => new nn.GroupNorm(1, 1.5), "GroupNorm: the number of channels must be 1 or more, got 1.5"],
    [() => new nn.GroupNorm(2, 4, { affine: 0 } as Any), "GroupNorm: affine must be true or false, got 0"],
    [() => new nn.GroupNorm(2, 2).forward(x), "GroupNorm: expected 2 channels, got [2, 4, 3, 3]"],
    [() => new nn.LayerNorm([2, 0]), "LayerNorm: expected the extents of the last dimensions"],
    [() => new nn.LayerNorm(2, { affine: false } as Any), 'LayerNorm: unknown option "affine"'],
    [
      () => new nn.LayerNorm(2, { elementwiseAffine: "no" } as Any),
      "LayerNorm: elementwiseAffine must be true or false",
    ],
  ];
  for (const [call, message] of refused) {
    const error = assertThrows(call, ShapeError, message);
    assert(!error.message.includes("\n"));
  }
});

Deno.test("batchNorm2d() is batchNorm() by another name", () => assertStrictEquals(F.batchNorm2d, F.batchNorm));
