/**
 * The check of properties itself: it must fail on a wrong output or gradient, and name the case, which comes again.
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { EngineOp } from "../support/engine_ops.ts";
import { check } from "./check.ts";
import { Draw } from "./draw.ts";

const exp = (op: EngineOp) =>
  check("exp", { op, draw: (layout, data) => ({ inputs: [data.values(layout.shape(1))] }) }, 20);

Deno.test("check() passes a right op and fails a wrong one, with the case's seed and shape", async () => {
  await exp(([x]) => x!.exp());
  const output = await assertRejects(() => exp(([x]) => x!.exp().mul(1.0001)), Error, "output: [");
  const gradient = await assertRejects(
    () => exp(([x]) => x!.exp().add(x!.sub(x!.detach()).mul(1e-3))),
    Error,
    "gradient 0: [",
  );
  for (const { message } of [output, gradient]) {
    assertEquals(/^exp, case of seed \d+ \(WGRAD_SEED=\d+\): \[/.test(message), true, message);
  }
  assertEquals(output.message, (await assertRejects(() => exp(([x]) => x!.exp().mul(1.0001)))).message);
  // A wrong gradient in one of the cases, or in one element, is enough.
  let count = 0;
  await assertRejects(() => exp(([x]) => ++count === 17 ? x!.exp().mul(1.001) : x!.exp()), Error, "output: [");
  await assertRejects(() => exp(([x]) => x!.exp().reshape([-1])), Error, "output shape");
  await assertRejects(() => exp(([x]) => x!.detach().exp()), Error, "backward");
});

Deno.test("check() takes differences where gradients are not known", async () => {
  const cubed = (factor: number) =>
    check("cubed", {
      op: ([x]) => x!.pow(3).mul(factor),
      reference: ([x]) => ({ shape: x!.shape, data: x!.data.map((v) => v ** 3) }),
      draw: (layout, data) => ({ inputs: [data.values(layout.shape(1), 0.5, 1)] }),
    }, 20);
  await cubed(1);
  await assertRejects(() => cubed(1.0001), Error, "output");
});

Deno.test("Draw gives the same from a seed, and keeps to its bounds", () => {
  const all = (seed: number) => {
    const draw = new Draw(seed);
    return JSON.stringify([draw.shape(2, 5), draw.broadcast(), draw.order(6), [
      ...draw.values([9], -1, 1, [0], 0.5).data,
    ]]);
  };
  assertEquals(all(3), all(3));
  assertEquals(all(3) === all(4), false);
  const draw = new Draw(7), values = [...draw.values([1000], -1, 2, [0, 1], 0.25).data];
  assertEquals(values.filter((v) => v < -1 || v > 2 || Math.abs(v) < 0.25 || Math.abs(v - 1) < 0.25), []);
  const whole = new Set(Array.from({ length: 200 }, () => draw.int(2, 5)));
  assertEquals([...whole].sort(), [2, 3, 4, 5]);
  assertEquals(draw.order(8).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
});
