/**
 * Programs that share tensors: a home is no one's scratch memory, and what one program writes the next one reads.
 */
import { assertEquals } from "@std/assert";
import { shuffle } from "../../src/ops/batch.ts";
import { arange, compile, nn, ones, optim, type Tensor, tensor } from "../../src/mod.ts";

const list = async (x: Tensor) => [...await x.data()];

Deno.test("a program's intermediates never lie in the home of a tensor that another program made", async () => {
  const order = arange(4, { dtype: "u32" }), counters = tensor(Uint32Array.of(0, 0)), key = tensor(Uint32Array.of(1));
  const first = compile(() => {
    const [next, count] = shuffle(order.value, counters.value, key.value, 1);
    order.assign(next!, "shuffle");
    counters.assign(count!, "shuffle");
  });
  const sum = tensor(Uint32Array.of(0));
  const second = compile(() => {
    sum.add_(order.add(1).sum().add(1));
  });
  await first.run();
  const shuffled = await list(order);
  assertEquals(shuffled.toSorted(), [0, 1, 2, 3]);
  for (let i = 1; i <= 3; i++) {
    await second.run();
    assertEquals([await list(order), await list(sum)], [shuffled, [11 * i]]);
  }
});

Deno.test("two programs with one optimizer update the same parameters", async () => {
  const w = tensor([1, 1], { requiresGrad: true }), v = tensor([1], { requiresGrad: true });
  const sgd = new optim.SGD([w, v], { lr: 1 });
  const step = (factor: number) =>
    compile(() => {
      const loss = w.sum().add(v.sum()).mul(factor);
      sgd.zeroGrad();
      loss.backward();
      sgd.step();
    });
  const one = step(1), ten = step(10);
  await one.run();
  await ten.run();
  await one.run();
  assertEquals([await list(w), await list(v)], [[-11, -11], [-11]]);
});

Deno.test("a program, an eager step and another program take turns on one module", async () => {
  const net = new nn.Linear(2, 1, { bias: false }), x = ones([1, 2]);
  const optimizer = new optim.SGD([net.weight], { lr: 0.5, momentum: 0.5 });
  const step = () => {
    optimizer.zeroGrad();
    net.forward(x).sum().backward();
    optimizer.step();
  };
  const program = compile(step), other = compile(() => net.forward(x));
  const [start] = await net.weight.data();
  await program.run();
  step();
  await other.run();
  await program.run(2);
  // Four steps of gradient 1: the momenta are 1, 1.5, 1.75 and 1.875.
  const moved = start! - (await net.weight.data())[0]!;
  assertEquals(Math.abs(moved - 0.5 * 6.125) < 1e-5, true, `moved by ${moved}`);
  const middle = 2 * start! + (await net.weight.data())[1]! - (await net.weight.data())[0]! - 0.5 * 2 * 2.5;
  assertEquals(Math.abs(await other.result.item() - middle) < 1e-5, true);
});
