/**
 * t.gradFn: PyTorch's names, and the chain of predecessors in argument order.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { F, type Tensor, tensor, zeros } from "../../src/mod.ts";

const x = zeros([2, 3], { requiresGrad: true }), square = zeros([3, 3], { requiresGrad: true });
const image = zeros([1, 2, 6, 6], { requiresGrad: true }), w = zeros([4, 2, 3, 3], { requiresGrad: true });
const labels = tensor(new Uint32Array([0, 1]));

/** [op, result, its gradFn's name in PyTorch]; a pattern where PyTorch numbers overloads. */
const names: [string, () => Tensor, string | RegExp][] = [
  ["add", () => x.add(1), "AddBackward0"],
  ["sub", () => x.sub(x), "SubBackward0"],
  ["mul", () => x.mul(2), "MulBackward0"],
  ["div", () => x.div(2), "DivBackward0"],
  ["pow", () => x.pow(2), /^PowBackward[01]$/],
  ["maximum", () => x.maximum(x), "MaximumBackward0"],
  ["minimum", () => x.minimum(x), "MinimumBackward0"],
  ["neg", () => x.neg(), "NegBackward0"],
  ["exp", () => x.exp(), "ExpBackward0"],
  ["log", () => x.log(), "LogBackward0"],
  ["sqrt", () => x.sqrt(), "SqrtBackward0"],
  ["abs", () => x.abs(), "AbsBackward0"],
  ["sigmoid", () => x.sigmoid(), "SigmoidBackward0"],
  ["tanh", () => x.tanh(), "TanhBackward0"],
  ["relu", () => x.relu(), "ReluBackward0"],
  ["F.relu", () => F.relu(x), "ReluBackward0"],
  ["matmul", () => x.matmul(square), "MmBackward0"],
  ["t", () => x.t(), /^T(ranspose)?Backward0$/],
  ["transpose", () => x.transpose(0, 1), "TransposeBackward0"],
  ["permute", () => x.permute([1, 0]), "PermuteBackward0"],
  ["reshape", () => x.reshape([3, 2]), "ViewBackward0"],
  ["flatten", () => image.flatten(1), "ViewBackward0"],
  ["squeeze", () => image.squeeze(0), /^SqueezeBackward[01]$/],
  ["unsqueeze", () => x.unsqueeze(0), "UnsqueezeBackward0"],
  ["expand", () => x.expand([4, 2, 3]), "ExpandBackward0"],
  ["sum", () => x.sum(), "SumBackward0"],
  ["sum over a dimension", () => x.sum(0), /^SumBackward[01]$/],
  ["mean", () => x.mean(), "MeanBackward0"],
  ["mean over a dimension", () => x.mean(0), /^MeanBackward[01]$/],
  ["max", () => x.max(), /^MaxBackward[01]$/],
  ["min over a dimension", () => x.min(1), /^MinBackward[01]$/],
  ["amax", () => x.amax(), "AmaxBackward0"],
  ["amin over dimensions", () => x.amin([0, 1]), "AminBackward0"],
  ["softmax", () => x.softmax(), "SoftmaxBackward0"],
  ["logSoftmax", () => x.logSoftmax(), "LogSoftmaxBackward0"],
  ["clone", () => x.clone(), "CloneBackward0"],
  ["conv2d", () => F.conv2d(image, w), "ConvolutionBackward0"],
  ["maxPool2d", () => F.maxPool2d(image, 2), "MaxPool2DWithIndicesBackward0"],
  ["linear", () => F.linear(x, square, zeros([3], { requiresGrad: true })), "AddmmBackward0"],
  ["mseLoss", () => F.mseLoss(x, zeros([2, 3])), "MseLossBackward0"],
  ["crossEntropy", () => F.crossEntropy(x, labels), "NllLossBackward0"],
];

for (const [op, make, name] of names) {
  Deno.test(`gradFn of ${op} has PyTorch's name`, () => {
    const found = make().gradFn!.name;
    if (typeof name === "string") assertEquals(found, name);
    else assertMatch(found, name);
  });
}

const next = (y: Tensor) => y.gradFn!.next.map((fn) => fn.name);

Deno.test("gradFn.next follows the argument order and holds what requires grad alone", () => {
  const b = zeros([4], { requiresGrad: true }), plain = zeros([1, 2, 6, 6]);
  const leaf = "AccumulateGrad";
  assertEquals(next(F.conv2d(image.relu(), w.neg(), b)), ["ReluBackward0", "NegBackward0", leaf]);
  assertEquals(next(F.conv2d(plain, w, b)), [leaf, leaf]);
  assertEquals(next(F.conv2d(plain, w.neg())), ["NegBackward0"]);
  assertEquals(
    next(F.linear(x.exp(), square, zeros([3], { requiresGrad: true }))),
    ["ExpBackward0", leaf]
      .concat(leaf),
  );
  assertEquals(next(x.exp().mul(x.neg())), ["ExpBackward0", "NegBackward0"]);
  assertEquals(next(x.mul(2)), [leaf]);
  assertEquals(next(F.crossEntropy(x, labels)), ["LogSoftmaxBackward0"]);
});

Deno.test("a leaf and a tensor without grad have no gradFn; AccumulateGrad has no predecessor", () => {
  assertEquals([x.gradFn, zeros([2]).exp().gradFn], [null, null]);
  assertEquals(x.exp().gradFn!.next[0]!.next, []);
});

Deno.test("gradFn walks down a chain", () => {
  let fn = F.mseLoss(F.maxPool2d(F.relu(F.conv2d(image, w)), 2).flatten(1).sum(1), zeros([1])).gradFn;
  const chain: string[] = [];
  while (fn) {
    chain.push(fn.name.replace(/^SumBackward1$/, "SumBackward0"));
    fn = fn.next[0] ?? null;
  }
  assertEquals(chain, [
    "MseLossBackward0",
    "SumBackward0",
    "ViewBackward0",
    "MaxPool2DWithIndicesBackward0",
    "ReluBackward0",
    "ConvolutionBackward0",
    "AccumulateGrad",
  ]);
});
