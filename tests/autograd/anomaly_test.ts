/**
 * Anomaly mode: which op is named, in which pass, eagerly and in programs.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ShapeError, TrainingError } from "../../src/errors.ts";
import { counters } from "../support/counters.ts";
import {
  compile,
  detectAnomaly,
  F,
  nn,
  noGrad,
  optim,
  setDetectAnomaly,
  type Tensor,
  tensor,
  zeros,
} from "../../src/mod.ts";
import { assertClose } from "../support/close.ts";

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });

/** Reads what `fn` makes in anomaly mode, and returns the error's message. */
async function anomaly(fn: () => Tensor): Promise<string> {
  const result = detectAnomaly(fn);
  return (await assertRejects(() => result.data(), TrainingError, "anomaly: ")).message;
}

function has(message: string, ...parts: string[]): void {
  for (const part of parts) assert(message.includes(part), `"${message}" lacks "${part}"`);
}

Deno.test("the first op that made NaN of finite numbers is named, not those that pass it on", async () => {
  const x = leaf(1, -2, 3);
  has(await anomaly(() => x.mul(2).log().exp().add(1)), 'the forward of "log" of [3] to [3] made NaN');
  has(await anomaly(() => x.sqrt().sum().log()), 'the forward of "sqrt" of [3]');
});

Deno.test("infinities are named as such, and both together", async () => {
  has(await anomaly(() => tensor([1, 0, 2]).log()), '"log" of [3] to [3] made an infinity');
  has(await anomaly(() => tensor([1000]).exp().neg()), '"exp" of [1]', "made an infinity");
  has(await anomaly(() => tensor([1, 0]).div(tensor([0, 0]))), '"div" of [2], [2] to [2] made NaN and infinities');
});

Deno.test("an anomaly of the backward pass names the op whose gradient it is", async () => {
  // sqrt is finite at 0, its gradient is not.
  const x = leaf(0, 4);
  const message = await anomaly(() => {
    x.mul(3).sqrt().sum().backward();
    return x.grad!;
  });
  has(message, 'the gradient of "sqrt" (SqrtBackward0), in "div" of [2], [2] to [2], made an infinity');
});

Deno.test("of two, the one recorded first is named; a forward that nothing needs is not run", async () => {
  const x = leaf(0, 4);
  const message = await anomaly(() => {
    x.log().sum().backward();
    return x.grad!.add(x.log());
  });
  has(message, 'the gradient of "log"');
});

Deno.test("a value that is not read is not computed, and not complained of", async () => {
  const x = leaf(0, 4), [y, bad] = detectAnomaly(() => [x.mul(2), x.log()] as const);
  assertEquals([...await y.data()], [0, 8]);
  await assertRejects(() => bad.data(), TrainingError);
});

Deno.test("what came with NaN is told from what made it", async () => {
  const x = tensor([NaN, 1]);
  has(await anomaly(() => x.mul(2).add(1)), 'the forward of "mul" of [2], [] to [2] was given NaN');
  has(await anomaly(() => x.mul(2).reshape([2, 1])), '"mul" of [2], [] to [2] was given NaN');
  // An op that makes one counts for more than one that is given one.
  has(await anomaly(() => x.mul(2).sum().add(tensor(0).log())), '"log" of [] to [] made an infinity');
  // A mask of infinities that ends in finite numbers is fine.
  const mask = tensor([0, -Infinity]);
  assertEquals([...await detectAnomaly(() => tensor([1, 1]).add(mask).softmax()).data()], [1, 0]);
});

Deno.test("views and whole numbers are passed over; padding and large ops are checked as a whole", async () => {
  const x = zeros([2, 3, 8, 8]), w = zeros([4, 3, 3, 3]);
  has(await anomaly(() => F.conv2d(x, w, null, { padding: 1 }).reshape([-1]).log().reshape([4, -1])), '"log" of [512]');
  assertEquals(await detectAnomaly(() => zeros([300]).argmax()).item(), 0);
  const big = new Float32Array(100_000);
  big[99_999] = -1;
  has(await anomaly(() => tensor(big).sqrt()), '"sqrt" of [100000]');
});

Deno.test("finite numbers, however large, small or negative, are no anomaly", async () => {
  const x = tensor([3.4028234e38, -3.4028234e38, 1e-45, -0]);
  assertEquals(await detectAnomaly(() => x.neg().neg()).data(), await x.data());
});

Deno.test("results and gradients are the same as without the mode", async () => {
  const step = (x: Tensor) => {
    const y = F.maxPool2d(x.relu(), 2).flatten(1).softmax();
    y.mul(y).sum().backward();
    return [y, x.grad!];
  };
  const make = () =>
    tensor(Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)), { shape: [2, 1, 4, 4], requiresGrad: true });
  const plain = step(make()), checked = detectAnomaly(() => step(make()));
  for (let i = 0; i < 2; i++) assertClose(await checked[i]!.data(), await plain[i]!.data());
});

Deno.test("the mode holds for what is recorded in it, whenever it is read, and for no more", async () => {
  const inside = detectAnomaly(() => tensor([-1]).log()), outside = tensor([-1]).log();
  assertEquals([...await outside.data()], [NaN]);
  await assertRejects(() => inside.data(), TrainingError);
  setDetectAnomaly(true);
  try {
    await assertRejects(() => tensor([-1]).log().data(), TrainingError);
    detectAnomaly(() => 0);
    await assertRejects(() => tensor([-1]).log().data(), TrainingError); // Still on.
  } finally {
    setDetectAnomaly(false);
  }
  assertEquals([...await tensor([-1]).log().data()], [NaN]);
});

Deno.test("detectAnomaly() returns what its function does, and lasts as long as that or its promise", async () => {
  const clean = async () => assertEquals([...await tensor([-1]).log().data()], [NaN]);
  assertEquals(detectAnomaly(() => 7), 7);
  assertThrows(
    () =>
      detectAnomaly(() => {
        throw new RangeError("inside");
      }),
    RangeError,
    "inside",
  );
  await clean();
  await assertRejects(
    () =>
      detectAnomaly(async () => {
        await Promise.resolve();
        return await tensor([-1]).log().data();
      }),
    TrainingError,
  );
  await clean();
  assertThrows(() => detectAnomaly(1 as never), ShapeError, "expected a function");
  assertThrows(() => setDetectAnomaly(1 as never), ShapeError, "true or false");
});

/** A net with a step that divides by a distance: its gradient breaks when the weights reach the target. */
function trainer() {
  const w = leaf(2, 2), target = tensor([1, 1]), optimizer = new optim.SGD([w], { lr: 0.25 });
  const step = () => {
    const loss = w.sub(target).abs().sum().sqrt();
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { w, step };
}

Deno.test("a program names the op, its pass and the step, and stops there", async () => {
  const { w, step } = trainer(), program = detectAnomaly(() => compile(step));
  noGrad(() => w.fill_(1.25));
  await program.run(0);
  noGrad(() => w.fill_(5));
  await program.run(3);
  assert((await w.data()).every((v) => v > 4 && v < 5));
  noGrad(() => w.copy_(tensor([1, 1])));
  const error = await assertRejects(() => program.run(5), TrainingError, "anomaly in step 1 of run(5): ");
  has(error.message, 'the gradient of "sqrt" (SqrtBackward0), in "div"');
  // The step was done; a later run starts from what it left, and says that this is NaN.
  assert((await w.data()).every(Number.isNaN));
  const next = await assertRejects(() => program.run(), TrainingError, "anomaly in step 1 of run(1): ");
  has(next.message, 'the forward of "sub" of [2], [2] to [2] was given NaN');
  noGrad(() => w.fill_(3));
  await program.run();
  assert((await w.data()).every(Number.isFinite));
});

Deno.test("an update that makes an infinity is named, and the step counts from the start of the run", async () => {
  const w = leaf(1e38), optimizer = new optim.SGD([w], { lr: 1e38 });
  const program = detectAnomaly(() =>
    compile(() => {
      optimizer.zeroGrad();
      w.neg().sum().backward();
      optimizer.step();
    })
  );
  const error = await assertRejects(() => program.run(10), TrainingError, "anomaly in step 3 of run(10): ");
  has(error.message, 'the forward of "sgd"', "made an infinity");
});

Deno.test("a program of a real net: gradients are unharmed, a broken input is found", async () => {
  const make = () => {
    const w1 = tensor(Float32Array.from({ length: 27 }, (_, i) => Math.cos(i)), {
      shape: [3, 1, 3, 3],
      requiresGrad: true,
    });
    const w2 = tensor(Float32Array.from({ length: 54 }, (_, i) => Math.sin(i)), { shape: [2, 27], requiresGrad: true });
    const x = tensor(Float32Array.from({ length: 128 }, (_, i) => Math.sin(3 * i)), { shape: [2, 1, 8, 8] });
    const labels = tensor(new Uint32Array([0, 1])), criterion = new nn.CrossEntropyLoss();
    const optimizer = new optim.SGD([w1, w2], { lr: 0.1, momentum: 0.9 });
    const step = () => {
      const y = F.maxPool2d(F.relu(F.conv2d(x, w1)), 2).flatten(1);
      const loss = criterion.forward(F.linear(y, w2), labels);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss;
    };
    return { x, w1, w2, step };
  };
  const plain = make(), checked = make();
  const one = compile(plain.step), two = detectAnomaly(() => compile(checked.step));
  await one.run(3);
  await two.run(3);
  assertClose(await checked.w1.data(), await plain.w1.data());
  assertClose(await checked.w2.data(), await plain.w2.data());
  assertClose(await two.result.data(), await one.result.data());
  checked.x.fill_(1e30);
  noGrad(() => checked.w1.fill_(1e30));
  const error = await assertRejects(() => two.run(1), TrainingError);
  has(error.message, 'the forward of "conv2d" of [2, 1, 8, 8], [3, 1, 3, 3] to [2, 3, 6, 6] made an infinity');
});

Deno.test("without the mode nothing is added to a graph", async () => {
  const count = async (make: () => Tensor) => {
    const x = make(), before = counters.dispatches;
    await x.data();
    return counters.dispatches - before;
  };
  const make = () => tensor([1, 2]).exp().add(1).log();
  assertEquals(await count(make), 3);
  assertEquals(await count(() => detectAnomaly(make)), 3 + 5); // The data, the number, and three results.
});
