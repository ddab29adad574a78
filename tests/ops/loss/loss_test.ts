/**
 * softmax, logSoftmax, crossEntropy and mseLoss.
 */
import { assertRejects } from "@std/assert";
import { F, type Tensor, tensor } from "../../../src/mod.ts";
import { map, nd, zip } from "../../support/array.ts";
import { assertClose } from "../../support/close.ts";
import { checkOp, gradcheck, toTensor } from "../../support/gradcheck.ts";
import { bits, uniform } from "../../support/random.ts";
import { binary, crossEntropy, logSoftmax } from "../../support/reference.ts";

const labels = (seed: number, count: number, classes: number) =>
  nd([count], Array.from(bits(seed, count), (b) => b % classes));

for (
  const [shape, dim] of [[[5, 10], -1], [[3, 4, 5], 0], [[3, 4, 5], 1], [[2, 7, 3, 3], 1], [[3, 1000], 1], [
    [4097, 2],
    0,
  ], [[
    7,
  ], 0]] as const
) {
  const small = { smooth: shape.reduce<number>((a, b) => a * b, 1) < 300 };
  Deno.test(`softmax(), logSoftmax() of [${shape}] over ${dim}`, async () => {
    await checkOp("logSoftmax", [uniform(1, shape, 4)], { dim }, small);
    await checkOp("softmax", [uniform(2, shape, 4)], { dim }, small);
  });
}

Deno.test("softmax(), logSoftmax() default to the last dimension", async () => {
  await checkOp("logSoftmax", [uniform(3, [3, 4])]);
  await checkOp("softmax", [uniform(3, [3, 4])]);
});

Deno.test("logSoftmax() is exact where exp overflows, and keeps what softmax rounds to 0", () =>
  checkOp("logSoftmax", [map(uniform(4, [5, 7]), (v) => v * 1e4)], {}, { smooth: false }));

Deno.test("softmax() of one class is 1, its logarithm 0", async () => {
  assertClose(await toTensor(uniform(5, [4, 1])).softmax().data(), [1, 1, 1, 1], { rtol: 0, atol: 0 });
  assertClose(await toTensor(uniform(5, [4, 1])).logSoftmax().data(), [0, 0, 0, 0], { rtol: 0, atol: 0 });
});

for (const [n, classes] of [[1, 10], [4, 10], [5, 7], [3, 2], [128, 10], [2, 1000]] as const) {
  Deno.test(`crossEntropy() of [${n}, ${classes}] and its gradient`, async () => {
    const inputs = [uniform(6, [n, classes], 4), labels(7, n, classes)];
    await checkOp("crossEntropy", inputs);
    await checkOp("crossEntropy", inputs, { labelSmoothing: 0.1, reduction: "sum" });
    await checkOp("crossEntropy", inputs, { labelSmoothing: 0.3, reduction: "none" });
    await checkOp("crossEntropy", inputs, { reduction: "none" });
  });
}

Deno.test("crossEntropy() of large logits and its gradient", () =>
  checkOp("crossEntropy", [map(uniform(8, [5, 7]), (v) => v * 1e3), labels(9, 5, 7)], {}, { smooth: false }));

Deno.test("crossEntropy() of logits that are used again, and of a scaled loss", () => {
  const y = labels(10, 3, 5);
  return gradcheck({
    inputs: [uniform(11, [3, 5])],
    op: (x) => {
      const logits = x.mul(3);
      return F.crossEntropy(logits, toTensor(y, { dtype: "u32" })).mul(2).add(logits.logSoftmax());
    },
    reference: (x) => {
      const logits = map(x, (v) => 3 * v);
      return zip(map(crossEntropy(logits, y), (v) => 2 * v), logSoftmax(logits), binary.add);
    },
  });
});

Deno.test("crossEntropy() of a label out of range is an error or NaN, never a number", async () => {
  for (const label of [10, 255, 4294967295]) {
    for (const reduction of ["mean", "sum", "none"] as const) {
      const x = toTensor(uniform(12, [2, 10]), { requiresGrad: true });
      let loss: Tensor;
      try {
        loss = F.crossEntropy(x, tensor(new Uint32Array([3, label])), { reduction });
      } catch {
        continue;
      }
      const value = await loss.data().catch(() => [NaN]);
      if (!Number.isNaN(value.at(-1))) throw new Error(`label ${label}, ${reduction}: loss ${value}`);
    }
  }
});

for (const shape of [[1], [3, 4], [2, 3, 5], [4099]]) {
  Deno.test(`mseLoss() of [${shape}] and its gradients`, async () => {
    const inputs = [uniform(13, shape), uniform(14, shape)], small = { smooth: shape[0]! < 99 };
    const analytic = {
      ...small,
      gradients: (dy: typeof inputs[0], x: typeof inputs[0], y: typeof inputs[0]) => {
        const scale = dy.data.length === 1 ? dy.data[0]! : NaN;
        const dx = zip(x, y, (a, b) => 2 * (a - b) * scale / x.data.length);
        return [dx, map(dx, (v) => -v)];
      },
    };
    await checkOp("mseLoss", inputs, {}, analytic);
    if (small.smooth) {
      await checkOp("mseLoss", inputs, { reduction: "sum" });
      await checkOp("mseLoss", inputs, { reduction: "none" });
    }
  });
}

Deno.test("a loss that is not finite reads as NaN or infinity", async () => {
  const y = tensor(new Uint32Array([0]));
  assertClose([await F.crossEntropy(tensor([[NaN, 1]]), y).item()], [NaN], { special: true });
  assertClose([await F.mseLoss(tensor([1e30]), tensor([-1e30])).item()], [Infinity], { special: true });
  await assertRejects(() => tensor([1, 2]).item()); // item() is for one element
});
