/**
 * Activations: values and gradients against PyTorch's, near 0, near every corner and far away; printed forms; what is
 * refused.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import { F, nn, type Tensor, tensor } from "../../src/mod.ts";
import { assertClose } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { uniform } from "../support/random.ts";

interface Case {
  name: string;
  options: Record<string, number | string>;
  repr: string;
  y: (number | string)[];
  dx: (number | string)[];
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
  Deno.test(`${one.repr} agrees with PyTorch, as a layer and as a function`, async () => {
    const [layer, f] = make(one), data = one.y.length === near.length ? near : all;
    assertEquals(String(layer), one.repr);
    for (const call of [(x: Tensor) => layer.forward(x), f]) {
      const x = tensor(data, { requiresGrad: true }), y = call(x);
      y.mul(tensor(dy.slice(0, data.length))).sum().backward();
      const [values, gradient] = [await y.data(), await x.grad!.data()];
      assertClose([...values], one.y.map(Number), { ...LIMIT, what: "y" });
      assertClose([...gradient], one.dx.map(Number), { ...LIMIT, what: "dx" });
    }
  });
}

Deno.test("activations keep NaN, and take infinities to their limits", async () => {
  const x = tensor([NaN, Infinity, -Infinity]),
    limits: [(x: Tensor) => Tensor, number, number][] = [
      [F.sigmoid, 1, 0],
      [F.tanh, 1, -1],
      [F.relu6, 6, 0],
      [(x) => F.leakyRelu(x), Infinity, -Infinity],
      [(x) => F.elu(x), Infinity, -1],
      [(x) => F.hardtanh(x), 1, -1],
      [(x) => F.softplus(x), Infinity, 0],
      [F.logSigmoid, 0, -Infinity],
    ];
  for (const [f, top, bottom] of limits) {
    assertEquals([...await f(x).data()].map((v) => Math.abs(v) === 0 ? 0 : v), [NaN, top, bottom], f.toString());
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
    ["u32", () => F.sigmoid(tensor(Uint32Array.of(1))), "sigmoid"],
  ] as const
) {
  Deno.test(`activations refuse what makes no sense: ${what}`, () => {
    assertThrows(make as () => unknown, ShapeError, message);
  });
}
