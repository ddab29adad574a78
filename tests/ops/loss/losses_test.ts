/**
 * Losses beyond the golden cases: what they cost, compiled steps, many rows, labels out of range, what is refused.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../../src/errors.ts";
import { compile, F, nn, ones, type Tensor, tensor, zeros } from "../../../src/mod.ts";
import { map, nd } from "../../support/array.ts";
import { assertClose } from "../../support/close.ts";
import { toTensor, values } from "../../support/gradcheck.ts";
import { bits, uniform } from "../../support/random.ts";

const labelsOf = (seed: number, shape: readonly number[], classes: number) =>
  nd(shape, Array.from(bits(seed, shape.reduce((a, b) => a * b, 1)), (b) => b % classes));
const weight = tensor([0.5, 2, 3, 1]);

const options: Record<string, F.CrossEntropyOptions> = {
  "without options": {},
  smoothed: { labelSmoothing: 0.1 },
  weighted: { weight },
  "with an ignored label": { ignoreIndex: 1 },
  "with everything": { weight, ignoreIndex: 2, labelSmoothing: 0.1 },
};
for (const [what, given] of Object.entries(options)) {
  for (const reduction of ["mean", "sum"] as const) {
    Deno.test(`crossEntropy() ${what}, its ${reduction} and its gradient, are one dispatch`, async () => {
      const x = toTensor(uniform(1, [8, 4], 4), { requiresGrad: true });
      const y = toTensor(labelsOf(2, [8], 4), { dtype: "u32" });
      const program = compile(() => {
        x.grad = null;
        F.crossEntropy(x, y, { ...given, reduction }).backward();
        return x.grad!;
      });
      assertEquals(await program.dispatches(), 1);
      await program.dispose();
    });
  }
}

Deno.test("crossEntropy() of probabilities and its gradient are one dispatch", async () => {
  const x = toTensor(uniform(1, [8, 4], 4), { requiresGrad: true }), t = ones([8, 4]);
  const program = compile(() => {
    x.grad = null;
    F.crossEntropy(x, t).backward();
    return x.grad!;
  });
  assertEquals(await program.dispatches(), 1);
  await program.dispose();
});

Deno.test("a compiled step sees new labels, and weights that were changed", async () => {
  const x = toTensor(uniform(3, [5, 4], 4), { requiresGrad: true }), y = tensor(new Uint32Array([0, 1, 2, 3, 1]));
  const own = tensor([1, 1, 1, 1]), given = { weight: own, ignoreIndex: 1 };
  const program = compile(() => {
    x.grad = null;
    const loss = F.crossEntropy(x, y, given);
    loss.backward();
    return [loss, x.grad!];
  });
  for (const [labels, weights] of [[[0, 1, 2, 3, 1], [1, 1, 1, 1]], [[1, 3, 3, 0, 2], [0.5, 2, 3, 1]]] as const) {
    y.copy_(tensor(Uint32Array.from(labels)));
    own.copy_(tensor(weights));
    await program.run();
    const [loss, grad] = await values(program.result as Tensor[]);
    const again = toTensor(uniform(3, [5, 4], 4), { requiresGrad: true });
    const once = F.crossEntropy(again, y, given);
    once.backward();
    assertClose(loss!, await once.data());
    assertClose(grad!, await again.grad!.data());
  }
  await program.dispose();
});

Deno.test("crossEntropy() of more rows than one workgroup takes, with every option", async () => {
  const x = uniform(40, [2, 4, 700], 4), y = labelsOf(41, [2, 700], 4), target = toTensor(y, { dtype: "u32" });
  const given = { ignoreIndex: 1, labelSmoothing: 0.1, weight };
  const rows = toTensor(x, { requiresGrad: true }), whole = toTensor(x, { requiresGrad: true });
  // The sum of losses of rows over the sum of their weights.
  const weights = y.data.map((label) => [0.5, 0, 3, 1][label]!).reduce((a, b) => a + b);
  const expected = F.crossEntropy(rows, target, { ...given, reduction: "none" }).sum().div(weights);
  const loss = F.crossEntropy(whole, target, given);
  expected.backward();
  loss.backward();
  assertClose(await loss.data(), await expected.data());
  assertClose(await whole.grad!.data(), await rows.grad!.data(), { rtol: 1e-5, atol: 1e-9 });
  // Probabilities that are those of the labels.
  const soft = toTensor(x, { requiresGrad: true }), hard = toTensor(x, { requiresGrad: true });
  const shares = nd(
    [2, 4, 700],
    x.data.map((_, i) => y.data[Math.floor(i / 2800) * 700 + i % 700] === Math.floor(i / 700) % 4 ? 1 : 0),
  );
  F.crossEntropy(soft, toTensor(shares)).backward();
  F.crossEntropy(hard, target).backward();
  assertClose(await soft.grad!.data(), await hard.grad!.data(), { rtol: 1e-5, atol: 1e-9 });
});

Deno.test("a label out of range that is not the ignored one gives NaN, alone or among others", async () => {
  for (const reduction of ["mean", "sum", "none"] as const) {
    // Unknown to the CPU, once computed.
    const labels = toTensor(map(labelsOf(4, [3], 4), () => 0), { dtype: "u32" }).add(
      tensor(new Uint32Array([1, 9, 255])),
    );
    const x = toTensor(uniform(5, [3, 4]));
    const loss = await F.crossEntropy(x, labels, { ignoreIndex: 255, reduction, weight }).data();
    const nll = await F.nllLoss(x, labels, { ignoreIndex: 255, reduction }).data();
    if (reduction === "none") {
      assert(loss[0]! > 0 && Number.isNaN(loss[1]) && loss[2] === 0, `${loss}`);
      assert(Number.isNaN(nll[1]) && nll[2] === 0, `${nll}`);
    } else assert(Number.isNaN(loss[0]) && Number.isNaN(nll[0]), `${loss}, ${nll}`);
  }
});

Deno.test("losses of large tensors, whose elements lie in several workgroups", async () => {
  const x = uniform(6, [70, 100], 4), t = map(uniform(7, [70, 100]), (v) => (v + 1) / 2);
  const a = toTensor(x, { requiresGrad: true });
  const loss = F.binaryCrossEntropyWithLogits(a, toTensor(t));
  loss.backward();
  const expected = x.data.map((v, i) => Math.max(v, 0) - v * t.data[i]! + Math.log1p(Math.exp(-Math.abs(v))));
  assertClose(await loss.data(), [expected.reduce((s, v) => s + v, 0) / 7000]);
  assertClose(await a.grad!.data(), x.data.map((v, i) => (1 / (1 + Math.exp(-v)) - t.data[i]!) / 7000), { atol: 1e-9 });
});

// --- what is refused -------------------------------------------------------------------------------------------------

// deno-lint-ignore no-explicit-any
const any = (value: unknown) => value as any;
const x = zeros([2, 5]), y = tensor(new Uint32Array(2)), image = zeros([2, 5, 3, 3]);
const bce = F.binaryCrossEntropyWithLogits;
const learned = ones([5], { requiresGrad: true });

const refused: [call: () => unknown, message: string][] = [
  [
    () => F.crossEntropy(x, zeros([2])),
    "crossEntropy: expected [N, C, …] and labels u32 [N, …], or [C] and [], or probabilities f32 of the logits' shape; " +
    "got [2, 5] and f32 [2]",
  ],
  [() => F.crossEntropy(image, y), "crossEntropy: expected [N, C, …] and labels u32 [N, …], or [C] and []"],
  [
    () => F.nllLoss(image, y),
    "nllLoss: expected [N, C, …] and labels u32 [N, …], or [C] and []; got [2, 5, 3, 3] and u32 [2]",
  ],
  [() => F.nllLoss(x, zeros([2])), "nllLoss: labels: expected a tensor of u32, got f32"],
  [() => F.nllLoss(zeros([]), tensor(new Uint32Array(1), { shape: [] })), "nllLoss: expected [N, C, …]"],
  [() => F.crossEntropy(x, y, { weight: ones([4]) }), "crossEntropy: weight must be f32 [5], got f32 [4]"],
  [() => F.crossEntropy(x, x, { weight: ones([4]) }), "crossEntropy: weight must be f32 [5], got f32 [4]"],
  [() => F.nllLoss(x, y, { weight: y }), "nllLoss: weight must be f32 [5], got u32 [2]"],
  [() => F.nllLoss(x, y, { weight: any([1, 2]) }), "nllLoss: weight: expected a Tensor, got an array"],
  [() => F.nllLoss(x, y, { weight: any(0) }), "nllLoss: weight: expected a Tensor, got 0"],
  [
    () => F.crossEntropy(x, y, { weight: learned }),
    "crossEntropy: weight cannot require gradients where labels are given",
  ],
  [
    () => F.crossEntropy(x, y, { ignoreIndex: -100 }),
    "crossEntropy: ignoreIndex must be a whole number from 0 to 4294967295",
  ],
  [() => new nn.NLLLoss({ ignoreIndex: 0.5 }), "nllLoss: ignoreIndex must be a whole number from 0 to 4294967295"],
  [() => F.crossEntropy(x, x, { ignoreIndex: 1 }), "crossEntropy: ignoreIndex is for labels, not for probabilities"],
  [() => F.crossEntropy(x, tensor(new Uint32Array([1, 7])), { ignoreIndex: 9 }), "crossEntropy: label 7 of 5 classes"],
  [() => F.nllLoss(x, y, any({ labelSmoothing: 0.1 })), 'nllLoss: unknown option "labelSmoothing"'],
  [() => new nn.L1Loss(any({ beta: 1 })), 'l1Loss: unknown option "beta" (it has reduction)'],
  [() => F.l1Loss(x, y), "l1Loss: expected a tensor of f32, got u32"],
  [() => F.l1Loss(x, zeros([3])), "l1Loss: [2, 5] and [3] do not broadcast"],
  [() => F.smoothL1Loss(x, zeros([3])), "smoothL1Loss: [2, 5] and [3] do not broadcast"],
  [() => F.smoothL1Loss(x, x, { beta: -1 }), "smoothL1Loss: beta must be a number of 0 or more, got -1"],
  [() => new nn.SmoothL1Loss({ beta: NaN }), "smoothL1Loss: beta must be a number of 0 or more, got NaN"],
  [() => F.huberLoss(x, x, { delta: 0 }), "huberLoss: delta must be a number above 0, got 0"],
  [() => new nn.HuberLoss({ delta: any("1") }), 'huberLoss: delta must be a number above 0, got "1"'],
  [() => F.huberLoss(x, any(3)), "huberLoss: expected a Tensor, got 3"],
  [() => bce(x, zeros([5])), "binaryCrossEntropyWithLogits: targets must have shape [2, 5], as the logits, got [5]"],
  [
    () => bce(x, x, { posWeight: ones([2]) }),
    "binaryCrossEntropyWithLogits: posWeight: [2] and [2, 5] do not broadcast",
  ],
  [
    () => bce(x, x, { weight: ones([3, 2, 5]) }),
    "binaryCrossEntropyWithLogits: weight [3, 2, 5] does not broadcast to [2, 5]",
  ],
  [() => bce(x, x, { weight: learned }), "binaryCrossEntropyWithLogits: weight cannot require gradients"],
  [() => bce(x, x, { posWeight: any(2) }), "binaryCrossEntropyWithLogits: posWeight: expected a Tensor, got 2"],
  [() => new nn.BCEWithLogitsLoss({ reduction: any("avg") }), 'binaryCrossEntropyWithLogits: no such reduction: "avg"'],
];
for (const [call, message] of refused) {
  Deno.test(`refused: ${message}`, () => {
    const error = assertThrows(call);
    assert(error instanceof ShapeError, String(error));
    assertEquals(error.message.slice(0, message.length), message);
  });
}
