/**
 * The references of the tests against PyTorch: they need no GPU, and every other test leans on them.
 */
import { assert } from "@std/assert";
import { map, type Nd, nd, reshape } from "../support/array.ts";
import { assertClose, assertRelative, assertShape } from "../support/close.ts";
import { differences } from "../support/differences.ts";
import { goldenBatch, goldenWeights, load, type OpCase, readLines, type Stored } from "../support/golden.ts";
import { uniform } from "../support/random.ts";
import { crossEntropy, linear, mseLoss, unary } from "../support/reference.ts";
import { conv2d, maxPool2d } from "../support/reference_conv.ts";
import { referenceOps } from "../support/reference_ops.ts";

const cases = readLines<OpCase>("ops.jsonl");

// Golden values are float32's shortest decimals; some cases overflow float32 on purpose.
const rounded = (values: Float64Array) => Float32Array.from(values);

for (const { name, op, options, inputs: stored, output, dy, grads } of cases) {
  Deno.test(`reference of ${op} agrees with PyTorch: ${name}`, () => {
    const reference = referenceOps[op]!, inputs = stored.map(load);
    const forward = (...x: ReturnType<typeof load>[]) => reference.forward(x, options);
    const y = forward(...inputs);
    assertShape(y.shape, output.shape);
    assertClose(rounded(y.data), load(output).data, { rtol: 2e-7, atol: 1e-9, special: true, what: "output" });
    if (!dy || !grads) return;
    const analytic = reference.gradients?.(load(dy), inputs, options);
    grads.map(load).forEach((expected, i) => {
      if (analytic) {
        assertShape(analytic[i]!.shape, expected.shape);
        const close = { rtol: 2e-7, atol: 1e-7, special: true, what: `gradient ${i}` };
        assertClose(rounded(analytic[i]!.data), expected.data, close);
      } else {
        const { value } = differences(forward, inputs, i, load(dy));
        assertRelative(value, expected.data, 1e-7, `gradient ${i} by differences`);
      }
    });
  });
}

Deno.test("the analytic gradients of the references agree with central differences", () => {
  let compared = 0;
  for (const { name, op, options, inputs: stored, dy } of cases) {
    const reference = referenceOps[op]!, inputs = stored.map(load);
    const kinks = /ties|equal|NaN|special|edges|zero|infinit|number|large/.test(name);
    if (!reference.gradients || !dy || kinks) continue;
    reference.gradients(load(dy), inputs, options).forEach((gradient, i) => {
      if (!gradient) return;
      const { value } = differences((...x) => reference.forward(x, options), inputs, i, load(dy));
      assertRelative(value, gradient.data, 1e-7, `${name}: gradient ${i}`);
      compared++;
    });
  }
  assert(compared > 100, `only ${compared} gradients were compared`);
});

/** LeNet's forward in float64, with make_golden.py's weights. */
function lenet(x: Nd, seed: number): Nd {
  const shapes = [[6, x.shape[1]!, 5, 5], [6], [16, 6, 5, 5], [16], [120, 400], [120], [84, 120], [84], [10, 84], [10]];
  const p = goldenWeights(seed, shapes), relu = (t: Nd) => map(t, unary.relu);
  for (const layer of [0, 2]) x = maxPool2d(relu(conv2d(x, p[layer]!, p[layer + 1]!)), 2).y;
  x = reshape(x, [x.shape[0]!, 400]);
  for (const layer of [4, 6]) x = relu(linear(x, p[layer]!, p[layer + 1]!));
  return linear(x, p[8]!, p[9]!);
}

Deno.test("the seeded weights and batches are PyTorch's: LeNet's logits and losses in float64", () => {
  const batches = readLines<{ batch: number; count: number; logits: Stored; loss: number }>("lenet.jsonl").slice(0, -1);
  for (const { batch, count, logits, loss } of batches) {
    const { images, labels } = goldenBatch(batch, count), y = lenet(images, 100);
    assertClose(y.data, load(logits).data, { rtol: 1e-6, atol: 1e-8, what: `logits of batch ${batch}` });
    assertClose(crossEntropy(y, nd([count], labels)).data, [loss], { rtol: 1e-6, atol: 0, what: "loss" });
  }
  const [gray] = readLines<{ output: Stored; loss: number }>("lenet_gray.jsonl"),
    y = lenet(uniform(300, [1, 1, 32, 32]), 200);
  assertClose(y.data, load(gray!.output).data, { rtol: 1e-6, atol: 1e-8 });
  assertClose(mseLoss(y, uniform(301, [1, 10])).data, [gray!.loss], { rtol: 1e-6, atol: 0 });
});
