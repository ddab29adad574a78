/**
 * The cases that PyTorch decides (ties, NaN, edges, broadcasting, ranks of matmul, …), on the engine.
 */
import { assertClose, assertShape } from "../support/close.ts";
import { engineOps, integerInputs } from "../support/engine_ops.ts";
import { load, type OpCase, readLines } from "../support/golden.ts";
import { toTensor } from "../support/gradcheck.ts";

for (const { name, op, options, inputs, output, dy, grads } of readLines<OpCase>("ops.jsonl")) {
  Deno.test(`${op}() agrees with PyTorch: ${name}`, async () => {
    const integer = integerInputs[op];
    const leaves = inputs.map((x, i) =>
      toTensor(load(x), i === integer ? { dtype: "u32" } : { requiresGrad: dy !== undefined })
    );
    const y = engineOps[op]!(leaves, options);
    assertShape(y.shape, output.shape);
    if (dy) y.backward(toTensor(load(dy)));
    const special = { rtol: 1e-5, atol: 2e-6, special: true };
    assertClose(await y.data(), load(output).data, { ...special, what: "output" });
    for (const [i, stored] of (grads ?? []).entries()) {
      const grad = leaves[i]!.grad!;
      assertShape(grad.shape, stored.shape);
      assertClose(await grad.data(), load(stored).data, { ...special, what: `gradient ${i}` });
    }
  });
}
