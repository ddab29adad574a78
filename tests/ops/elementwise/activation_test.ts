/**
 * Activations: values and gradients against PyTorch's, near 0, near every corner, far away, and at NaN and infinities;
 * printed forms; all of them in a compiled step; what is refused.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../../src/errors.ts";
import { compile, F, manualSeed, nn, optim, stack, type Tensor, tensor } from "../../../src/mod.ts";
import { assertClose, assertSameBits } from "../../support/close.ts";
import { readLines } from "../../support/golden.ts";
import { values } from "../../support/gradcheck.ts";
import { withMerging } from "../../support/merging.ts";
import { uniform } from "../../support/random.ts";

interface Case {
  name: string;
  options: Record<string, number | string>;
  repr: string;
  gradFn: string | null;
  y: (number | string)[];
  dx: (number | string)[];
  /** At NaN, ∞ and −∞, for a gradient of 2. */
  edges: { y: (number | string)[]; dx: (number | string)[] };
}

const FAR = [
  0,
  -0,
  1e-6,
  -1e-6,
  0.5,
  3,
  -3,
  6,
  6.5,
  -1,
  1,
  19.9,
  20.1,
  -20,
  50,
  -50,
  90,
  -90,
  1e4,
  -1e4,
  1e30,
  -1e30,
];
const near = [...uniform(900, [40], 4).data], all = [...near, ...FAR], dy = [...uniform(901, [all.length]).data];

/** The layer, and the function with the same options. */
function make({ name, options }: Case): [nn.Module, (x: Tensor) => Tensor] {
  const { negative_slope: slope, alpha, min_val: min, max_val: max, beta, threshold } = options as Record<
    string,
    number
  >;
  switch (name) {
    case "LeakyReLU":
      return [new nn.LeakyReLU(slope), (x) => F.leakyRelu(x, slope)];
    case "ELU":
      return [new nn.ELU(alpha), (x) => F.elu(x, alpha)];
    case "Hardtanh":
      return [new nn.Hardtanh(min, max), (x) => F.hardtanh(x, min, max)];
    case "GELU":
      return [new nn.GELU(options as F.GeluOptions), (x) => F.gelu(x, options as F.GeluOptions)];
    case "Softplus": {
      const given = beta === undefined ? {} : { beta, threshold: threshold! };
      return [new nn.Softplus(given), (x) => F.softplus(x, given)];
    }
    case "Softmax":
      return [new nn.Softmax(0), (x) => F.softmax(x, 0)];
    case "LogSoftmax":
      return [new nn.LogSoftmax(0), (x) => F.logSoftmax(x, 0)];
    case "Sigmoid":
      return [new nn.Sigmoid(), F.sigmoid];
    case "Tanh":
      return [new nn.Tanh(), F.tanh];
    case "SiLU":
      return [new nn.SiLU(), F.silu];
    case "LogSigmoid":
      return [new nn.LogSigmoid(), F.logSigmoid];
    case "ReLU6":
      return [new nn.ReLU6(), F.relu6];
    case "Hardswish":
      return [new nn.Hardswish(), F.hardswish];
    default:
      return [new nn.Identity(), (x) => x.mul(1)];
  }
}

/** Relative to the value where that is large, and to 1 where it is small. */
const LIMIT = { rtol: 2e-6, atol: 1e-6 };

for (const one of readLines<Case>("activations.jsonl")) {
  const [layer, f] = make(one), data = one.y.length === near.length ? near : all;
  const calls = [(x: Tensor) => layer.forward(x), f];

  Deno.test(`${one.repr} agrees with PyTorch, as a layer and as a function`, async () => {
    assertEquals(String(layer), one.repr);
    for (const call of calls) {
      const x = tensor(data, { requiresGrad: true }), y = call(x);
      if (one.gradFn) assertEquals(y.gradFn!.name, one.gradFn);
      y.backward(tensor(dy.slice(0, data.length)));
      assertClose(await y.data(), one.y.map(Number), { ...LIMIT, what: "y" });
      assertClose(await x.grad!.data(), one.dx.map(Number), { ...LIMIT, what: "dx" });
    }
  });

  Deno.test(`${one.repr} of NaN and infinities is PyTorch's`, async () => {
    for (const call of calls) {
      const x = tensor([NaN, Infinity, -Infinity], { requiresGrad: true }), y = call(x);
      y.backward(tensor([2, 2, 2]));
      assertClose(await y.data(), one.edges.y.map(Number), { special: true, what: "y" });
      assertClose(await x.grad!.data(), one.edges.dx.map(Number), { special: true, what: "dx" });
    }
  });
}

/** All activations side by side, between two linear layers. */
class Everything extends nn.Module {
  readonly first = new nn.Linear(5, 7);
  readonly all = new nn.Sequential(...readLines<Case>("activations.jsonl").map((one) => make(one)[0]));
  readonly last = new nn.Linear(7, 3);

  override forward(x: Tensor): Tensor {
    const h = this.first.forward(x);
    return this.last.forward(stack(this.all.namedChildren().map(([, layer]) => layer.forward(h))).mean(0));
  }
}

/** The losses of three steps, and the parameters after them. */
async function trained(compiled: boolean): Promise<(Float32Array | Uint32Array)[]> {
  manualSeed(3);
  const net = new Everything(), optimizer = new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = tensor([...uniform(902, [20], 2).data], { shape: [4, 5] }), labels = tensor(Uint32Array.of(0, 2, 1, 2));
  const step = () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net.forward(x), labels);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const program = compiled ? compile(step) : null, losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    program?.run();
    losses.push(await (program ? program.result : step()).item());
  }
  return [Float32Array.from(losses), ...await values(net.parameters())];
}

Deno.test("a compiled step that uses all activations computes what single steps do, merged or not", async () => {
  const eager = await trained(false);
  for (const merging of [false, true]) {
    const found = await withMerging(merging, () => trained(true));
    found.forEach((one, i) => assertSameBits(one, eager[i]!, `merged: ${merging}, ${i}`));
  }
});

for (
  const [what, make, message] of [
    [
      "leakyRelu",
      () => F.leakyRelu(tensor([1]), NaN),
      "leakyRelu: negativeSlope must be a number that f32 holds, got NaN",
    ],
    [
      "LeakyReLU",
      () => new nn.LeakyReLU("1" as never),
      'LeakyReLU: negativeSlope must be a number that f32 holds, got "1"',
    ],
    ["elu", () => F.elu(tensor([1]), Infinity), "elu: alpha must be a number that f32 holds, got Infinity"],
    ["hardtanh", () => F.hardtanh(tensor([1]), 2, 1), "hardtanh: minVal 2 is more than maxVal 1"],
    ["Hardtanh", () => new nn.Hardtanh(2, 1), "hardtanh: minVal 2 is more than maxVal 1"],
    [
      "gelu",
      () => F.gelu(tensor([1]), { approximate: "erf" as never }),
      'gelu: approximate must be "none" or "tanh", got "erf"',
    ],
    ["GELU", () => new nn.GELU({ approx: "tanh" } as never), 'gelu: unknown option "approx" (it has approximate)'],
    ["softplus", () => F.softplus(tensor([1]), { beta: 0 }), "softplus: beta must be more than 0, got 0"],
    ["Softmax", () => new nn.Softmax(0.5), "Softmax: dim must be a whole number, got 0.5"],
    ["LogSoftmax", () => new nn.LogSoftmax("1" as never), 'LogSoftmax: dim must be a whole number, got "1"'],
    ["u32", () => F.sigmoid(tensor(Uint32Array.of(1))), "sigmoid"],
  ] as const
) {
  Deno.test(`activations refuse what makes no sense: ${what}`, () => {
    assertThrows(make as () => unknown, ShapeError, message);
  });
}
