/**
 * matmul in all transpose forms, batched, and F.linear.
 */
import type { Tensor } from "../../../src/mod.ts";
import { expand, map, type Nd, transpose } from "../../support/array.ts";
import { checkOp, gradcheck } from "../../support/gradcheck.ts";
import { uniform } from "../../support/random.ts";
import { linear, matmul, matmulGrads, unary } from "../../support/reference.ts";

/** [M, K, N] of a [M, K] times b [K, N]. */
const sizes = [
  [1, 1, 1],
  [1, 64, 1],
  [3, 5, 17],
  [5, 1, 3],
  [17, 65, 3],
  [64, 64, 64],
  [65, 17, 64],
  [1, 3, 65],
  [65, 65, 65],
  [5, 64, 1],
  [4, 400, 10],
] as const;

const forms = { NN: [false, false], NT: [false, true], TN: [true, false], TT: [true, true] } as const;

for (const [m, k, n] of sizes) {
  for (const [form, [ta, tb]] of Object.entries(forms)) {
    const turn = (x: Nd, t: boolean) => t ? transpose(x) : x, turned = (x: Tensor, t: boolean) => t ? x.t() : x;
    Deno.test(`matmul() and its gradients: ${form} ${m}x${k}x${n}`, () =>
      gradcheck({
        inputs: [uniform(1, ta ? [k, m] : [m, k]), uniform(2, tb ? [n, k] : [k, n])],
        op: (a, b) => turned(a, ta).matmul(turned(b, tb)),
        reference: (a, b) => matmul(turn(a, ta), turn(b, tb)),
        gradients: (dy, a, b) => {
          const [da, db] = matmulGrads(dy, turn(a, ta), turn(b, tb));
          return [turn(da!, ta), turn(db!, tb)];
        },
      }));
  }
}

for (
  const [a, b] of [
    [[5, 17, 3], [5, 3, 9]],
    [[2, 1, 5, 7], [3, 7, 4]],
    [[7, 5], [3, 5, 6]],
    [[3, 6, 5], [5, 2]],
    [[1, 1, 3], [4, 3, 1]],
    [[2, 3, 1, 2], [2, 1, 2, 3]],
    [[4, 6, 5], [5]],
    [[5], [3, 5, 2]],
  ]
) {
  Deno.test(`matmul() broadcasts batches: [${a}] and [${b}]`, () =>
    checkOp("matmul", [uniform(3, a!), uniform(4, b!)]));
}

Deno.test("matmul() of a batch with transposed batches", () =>
  gradcheck({
    inputs: [uniform(5, [3, 4, 5]), uniform(6, [3, 6, 5])],
    op: (a, b) => a.matmul(b.transpose(1, 2)),
    reference: (a, b) => matmul(a, transpose(b)),
  }));

Deno.test("matmul() of a tensor with itself adds both gradients", () =>
  gradcheck({ inputs: [uniform(7, [5, 5])], op: (a) => a.matmul(a), reference: (a) => matmul(a, a) }));

for (
  const [x, w] of [
    [[1, 1], [1, 1]],
    [[3, 84], [10, 84]],
    [[5, 7], [1, 7]],
    [[4, 120], [84, 120]],
    [[2, 3, 5], [4, 5]],
    [
      [6],
      [3, 6],
    ],
  ]
) {
  for (const bias of [true, false]) {
    const inputs = [uniform(8, x!), uniform(9, w!), ...(bias ? [uniform(10, [w![0]!])] : [])];
    Deno.test(`linear() and its gradients: [${x}] and [${w}]${bias ? "" : ", no bias"}`, () =>
      checkOp("linear", inputs));
  }
}

Deno.test("linear() then relu, twice over", () =>
  gradcheck({
    inputs: [uniform(11, [5, 6]), uniform(12, [7, 6]), uniform(13, [7]), uniform(14, [3, 7]), uniform(15, [3])],
    op: (x, w, b, v, c) => x.matmul(w.t()).add(b).relu().matmul(v.t()).add(c).relu(),
    reference: (x, w, b, v, c) => map(linear(map(linear(x, w, b), unary.relu), v, c), unary.relu),
  }));

Deno.test("matmul() takes a broadcast argument", () =>
  gradcheck({
    inputs: [uniform(16, [1, 4]), uniform(17, [4, 3])],
    op: (a, b) => a.expand([5, 4]).matmul(b),
    reference: (a, b) => matmul(expand(a, [5, 4]), b),
  }));
