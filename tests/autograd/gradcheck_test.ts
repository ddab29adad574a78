/**
 * gradcheck(), the public function: right gradients pass, wrong ones are named, every option counts.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ShapeError, TrainingError } from "../../src/errors.ts";
import { counters } from "../support/counters.ts";
import { type Op, record } from "../../src/graph/node.ts";
import { F, grad, gradcheck, type GradcheckOptions, type Tensor, tensor } from "../../src/mod.ts";
import { combine, scalar } from "../../src/ops/elementwise/elementwise.ts";
import { Tensor as TensorClass } from "../../src/tensor/tensor.ts";
import { uniform } from "../support/random.ts";
import { toTensor } from "../support/gradcheck.ts";

const make = (seed: number, shape: number[]) => toTensor(uniform(seed, shape), { requiresGrad: true });

/** x, with a gradient `factor` times too large in the places where `mask` is 1. */
function wrong(x: Tensor, factor: number, mask: Tensor): Tensor {
  const op: Op<null> = {
    name: "wrong",
    outputs: ([x]) => [x!],
    expand: ({ inputs: [x] }) => [combine("mul", x!, scalar(1))],
    grad: (_, [dy]) => {
      const more = combine("mul", combine("mul", dy!, mask.value), scalar(factor - 1));
      return [combine("add", dy!, more)];
    },
  };
  return new TensorClass(record(op, [x.value], null)[0]!);
}

const ones = (n: number) => tensor(new Float32Array(n).fill(1));

Deno.test("gradcheck() passes functions of one and several inputs and outputs, in both modes", async () => {
  const image = make(1, [2, 2, 4, 4]), weight = make(2, [3, 2, 3, 3]), labels = tensor(new Uint32Array([0, 2]));
  for (const fastMode of [false, true]) {
    assert(await gradcheck((x) => x.exp().mul(x).sum(1), make(3, [2, 3]), { fastMode }));
    assert(await gradcheck((x, w) => F.conv2d(x, w, null, { padding: 1 }), [image, weight], { fastMode }));
    assert(await gradcheck((x, y) => [x.matmul(y), x.mul(2).sum()], [make(4, [2, 3]), make(5, [3, 4])], { fastMode }));
    assert(await gradcheck((x, y) => F.crossEntropy(x, y), [make(6, [2, 3]), labels], { fastMode }));
  }
});

Deno.test("gradcheck() names the input, the place and both values of a wrong gradient", async () => {
  const mask = tensor([[0, 0, 0], [0, 1, 0]]), x = make(1, [4]), y = make(2, [2, 3]);
  const f = (_: Tensor, y: Tensor) => wrong(y, 1.5, mask);
  const error = await assertRejects(() => gradcheck(f, [x, y]), TrainingError, "gradcheck: input 1 of shape [2, 3]");
  const [, place, found, numerical] = /at (\[.*\]) is (\S+), but central differences give (\S+) /.exec(error.message)!;
  assertEquals(place, "[1, 1]");
  assert(Math.abs(Number(found) / Number(numerical) - 1.5) < 1e-3, error.message);
  const fast = await assertRejects(() => gradcheck(f, [x, y], { fastMode: true }), TrainingError, "input 1");
  assert(fast.message.includes("along a random direction"), fast.message);
  // An input that gets no gradient at all is taken to have the gradient 0.
  await assertRejects(() => gradcheck((x) => x.detach().mul(2).add(x), [x]), TrainingError, "input 0");
});

Deno.test("gradcheck() computes everything at one go: whatever the size", async () => {
  const x = make(1, [6, 5]), before = counters.submits;
  await gradcheck((x) => x.mul(x).sum(0), x);
  assert(counters.submits - before <= 4, `${counters.submits - before} submits`);
});

Deno.test("gradcheck() leaves its inputs and their gradients alone", async () => {
  const x = make(1, [3]);
  await gradcheck((x) => x.exp(), x);
  assertEquals([x.grad, x.requiresGrad], [null, true]);
  assertEquals([...await x.data()], [...await toTensor(uniform(1, [3])).data()]);
  assertEquals([...await grad(x.mul(2).sum(), x)[0]!.data()], [2, 2, 2]);
});

Deno.test("every option counts", async () => {
  const x = tensor([0.5, -0.5], { requiresGrad: true }),
    check = (f: (x: Tensor) => Tensor, o: GradcheckOptions) => gradcheck(f, x, { raiseException: false, ...o });
  const off = (x: Tensor) => wrong(x, 1.1, ones(2));
  assertEquals(await check(off, {}), false);
  assertEquals(await check(off, { rtol: 0.2 }), true);
  assertEquals(await check(off, { rtol: 0, atol: 0.2 }), true);
  assertEquals(await check((x) => x.exp(), { atol: 0, rtol: 0 }), false);
  // A kink within eps.
  const kink = (x: Tensor) => x.sub(0.45).relu();
  assertEquals([await check(kink, {}), await check(kink, { eps: 0.2 })], [true, false]);
  // The message has the values, which depend on the direction and on the outputs' gradients.
  const messages = await Promise.all([0, 0, 1].map(async (seed) => {
    const error = await assertRejects(() => gradcheck(off, x, { fastMode: true, seed }), TrainingError);
    return error.message;
  }));
  assert(messages[0] === messages[1] && messages[0] !== messages[2], messages.join("\n"));
  const full = await Promise.all([0, 1].map((seed) => assertRejects(() => gradcheck(off, x, { seed }), TrainingError)));
  assert(full[0]!.message !== full[1]!.message, "the outputs' gradients do not depend on the seed");
});

Deno.test("NaN is no gradient", async () => {
  const nan = (x: Tensor) => x.neg().sub(1).log();
  assertEquals(await gradcheck(nan, make(1, [2]), { raiseException: false }), false);
});

Deno.test("gradcheck() refuses what it cannot check, and options that make no sense", async () => {
  const x = make(1, [2]),
    refused = (action: () => Promise<unknown>, part: string) => assertRejects(action, ShapeError, part);
  await refused(() => gradcheck((x) => x, tensor([1])), "none of the inputs");
  await refused(() => gradcheck((x) => x.detach(), x), "no output depends");
  await refused(() => gradcheck((() => 5) as never, x), "got 5");
  await refused(() => gradcheck((x) => x, x, { eps: 0 }), "eps must be");
  await refused(() => gradcheck((x) => x, x, { atol: -1 }), "atol must be");
  await refused(() => gradcheck((x) => x, x, { rtol: NaN }), "rtol must be");
  await refused(() => gradcheck((x) => x, x, { seed: -1 }), "seed must be");
  await refused(() => gradcheck((x) => x, x, { fastMode: 1 } as never), "fastMode");
  await refused(() => gradcheck((x) => x, x, { raise: false } as never), "unknown option");
});
