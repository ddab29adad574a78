/**
 * Every loss with every option against PyTorch: forward, all gradients, gradFn's name; fused and not, and its module.
 */
import { assertEquals } from "@std/assert";
import { F, nn, type Tensor } from "../../../src/mod.ts";
import { recorder } from "../../../src/graph/recorder.ts";
import { readAll } from "../../../src/tensor/realize.ts";
import { map, type Nd, nd } from "../../support/array.ts";
import { assertClose, assertShape } from "../../support/close.ts";
import { load, readLines, type Stored } from "../../support/golden.ts";
import { toTensor } from "../../support/gradcheck.ts";
import { bits, uniform } from "../../support/random.ts";

const BCE = "binaryCrossEntropyWithLogits";

/** How golden_losses.py makes an input. */
interface Input {
  shape: number[];
  scale?: number;
  classes?: number;
  data?: number[];
  labels?: number;
  uniform?: number;
  whole?: number;
  share?: number;
  weight?: number;
}

interface Case {
  op: keyof typeof modules;
  options: Record<string, unknown>;
  inputs: Input[];
  tensors?: Record<string, Input>;
  gradFn?: string;
  output: Stored;
  grads: (number | string)[][];
}

const modules = {
  crossEntropy: nn.CrossEntropyLoss,
  nllLoss: nn.NLLLoss,
  mseLoss: nn.MSELoss,
  l1Loss: nn.L1Loss,
  smoothL1Loss: nn.SmoothL1Loss,
  huberLoss: nn.HuberLoss,
  [BCE]: nn.BCEWithLogitsLoss,
};

function made(input: Input): Nd {
  const { shape, scale = 1, classes, data, labels, whole, share, weight } = input;
  if (data) return nd(shape, data);
  if (labels !== undefined) {
    return nd(shape, Array.from(bits(labels, shape.reduce((a, b) => a * b, 1)), (b) => b % classes!));
  }
  const x = uniform((input.uniform ?? whole ?? share ?? weight)!, shape, scale);
  if (whole !== undefined) return map(x, Math.round);
  if (share !== undefined) return map(x, (v) => (v + 1) / 2);
  return weight === undefined ? x : map(x, (v) => v + 1.25);
}

const close = { rtol: 1e-5, atol: 2e-6, special: true };
const RULES = ["fuseCrossEntropy", "fuseCrossEntropyGrad"];

for (const [index, golden] of readLines<Case>("losses.jsonl").entries()) {
  const { op, options, inputs, tensors = {}, output, grads } = golden;
  const shapes = inputs.map(({ shape }) => `[${shape}]`).join(" and ");
  const text = JSON.stringify({ ...options, ...tensors }).replaceAll('"', "");
  const labels = inputs[1]!.labels !== undefined || inputs[1]!.data?.every(Number.isInteger) && op !== BCE;

  /** The loss by the function or the module, with its gradients times `factor`. */
  const run = (by: "function" | "module", factor: number) => {
    const [x, y] = inputs.map((input, i) =>
      toTensor(made(input), labels && i === 1 ? { dtype: "u32" } : { requiresGrad: true })
    ) as [Tensor, Tensor];
    const given = Object.entries(tensors).map(([name, input]): [string, Tensor] => [
      name,
      toTensor(made(input), { requiresGrad: op === "crossEntropy" && !labels }),
    ]);
    // deno-lint-ignore no-explicit-any
    const all: any = { ...options, ...Object.fromEntries(given) };
    const module = new modules[op](all), loss = by === "function" ? F[op](x, y, all) : module.forward(x, y);
    assertEquals(String(module), `${modules[op].name}()`);
    assertShape(loss.shape, output.shape);
    if (golden.gradFn) assertEquals(loss.gradFn!.name, golden.gradFn);
    const dy = loss.numel === 1 ? nd(loss.shape, [1]) : uniform(9000, loss.shape);
    if (loss.numel === 1 && factor === 1) loss.backward();
    else loss.backward(toTensor(map(dy, (v) => v * factor)));
    const leaves = [x, y, ...given.map(([, one]) => one)].filter((leaf) => leaf.requiresGrad);
    assertEquals(leaves.length, grads.length);
    return { factor, tensors: [loss, ...leaves.map((leaf) => leaf.grad!)] };
  };

  const compare = async (runs: ReturnType<typeof run>[]) => {
    const found = await readAll(runs.flatMap((one) => one.tensors));
    for (const { factor } of runs) {
      const [loss, ...gradients] = found.splice(0, grads.length + 1);
      assertClose(loss!, load(output).data, { ...close, what: "output" });
      grads.forEach((grad, i) =>
        assertClose(gradients[i]!, grad.map((v) => Number(v) * factor), { ...close, what: `gradient ${i}` })
      );
    }
  };

  Deno.test(`${op}() agrees with PyTorch: ${shapes}, ${text} (${index})`, async () => {
    await compare([run("function", 1), run("module", 0.5)]);
    if (op !== "crossEntropy" || options["reduction"] === "none") return;
    RULES.forEach((name) => recorder.skippedRules.add(name));
    try {
      await compare([run("function", 0.5)]);
    } finally {
      recorder.skippedRules.clear();
    }
  });
}
