/**
 * The gradient check itself: it must fail when the output or a gradient is wrong, and name the adapter it ran on.
 */
import { assert, assertRejects } from "@std/assert";
import { currentBackend } from "../../src/backend/request.ts";
import { tensor } from "../../src/mod.ts";
import { map, type Nd, zip } from "./array.ts";
import { gradcheck, toTensor } from "./gradcheck.ts";
import { uniform } from "./random.ts";
import { binary } from "./reference.ts";

const inputs = [uniform(1, [3, 4]), uniform(2, [4])];
const product = (a: Nd, b: Nd) => zip(a, b, binary.mul);

Deno.test("the adapter is there; its name is printed", async () => {
  await tensor([1]).add(1).data();
  const { name, kind } = currentBackend()!.adapter;
  assert(name.length > 0);
  console.log(`adapter: ${name}${kind === "software gpu" ? " (software)" : ""}`);
});

Deno.test("gradcheck() passes a right op", () => gradcheck({ inputs, op: (a, b) => a.mul(b), reference: product }));

Deno.test("gradcheck() fails on a wrong output", async () => {
  await assertRejects(
    () => gradcheck({ inputs, op: (a, b) => a.mul(b).add(1e-4), reference: product }),
    Error,
    "output",
  );
});

Deno.test("gradcheck() fails on a wrong gradient of any input", async () => {
  // Detached additions leave the output right and change one gradient alone.
  const first = gradcheck({
    inputs,
    op: (a, b) => a.mul(b).add(a.sub(a.detach()).mul(1e-4)),
    reference: product,
  });
  await assertRejects(() => first, Error, "gradient 0 by differences");
  const second = gradcheck({
    inputs,
    op: (a, b) => a.mul(b).add(b.sub(b.detach()).mul(1e-4)),
    reference: product,
  });
  await assertRejects(() => second, Error, "gradient 1 by differences");
});

Deno.test("gradcheck() fails when the analytic gradient and the engine's differ", async () => {
  const check = gradcheck({
    inputs,
    op: (a, b) => a.mul(b),
    reference: product,
    gradients: (dy, a, b) => [zip(dy, b, binary.mul), map(a, (v) => v)],
  });
  await assertRejects(() => check, Error, "gradient 1");
});

Deno.test("gradcheck() fails on an input without gradient, and on another shape", async () => {
  await assertRejects(
    () => gradcheck({ inputs, op: (a, b) => a.mul(b.detach()), reference: product }),
    Error,
    "input 1",
  );
  const flat = gradcheck({ inputs, op: (a, b) => a.mul(b).reshape([12]), reference: product });
  await assertRejects(() => flat, Error, "output shape");
});

Deno.test("gradcheck() refuses to compare gradients with nothing", async () => {
  const nothing = gradcheck({ inputs, op: (a, b) => a.mul(b), reference: product, smooth: false });
  await assertRejects(() => nothing, Error, "nothing to compare");
});

Deno.test("toTensor() keeps the type and the values", async () => {
  const found = await toTensor(uniform(3, [5]), { dtype: "f32" }).data();
  assert(found instanceof Float32Array && found.every((v, i) => v === uniform(3, [5]).data[i]));
  assert(await toTensor(uniform(3, [5]), { dtype: "u32" }).data() instanceof Uint32Array);
});
