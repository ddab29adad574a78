/**
 * Equal elements and NaN: max() and min() over all share the gradient evenly, over a dimension they give it to the
 * first; amax() and amin() always share; maximum() and minimum() give half to each. As PyTorch computed it.
 */
import { assertClose, assertShape } from "../support/close.ts";
import { engineOps } from "../support/engine_ops.ts";
import { load, type OpCase, readLines } from "../support/golden.ts";
import { toTensor } from "../support/gradcheck.ts";
import { readAll } from "../../src/tensor/realize.ts";

const cases = readLines<OpCase>("autograd.jsonl").map((stored) => {
  const leaves = stored.inputs.map((x) => toTensor(load(x), { requiresGrad: true }));
  const y = engineOps[stored.op]!(leaves, stored.options);
  y.backward(toTensor(load(stored.dy!)));
  return { ...stored, y, leaves };
});
// Computed and read at one go.
const read = readAll(cases.flatMap(({ y, leaves }) => [y, ...leaves.map((x) => x.grad!)]));

let next = 0;
for (const { name, y, leaves, output, grads } of cases) {
  const at = next;
  next += 1 + leaves.length;
  Deno.test(`gradient at ties, as in PyTorch: ${name}`, async () => {
    const [out, ...found] = (await read).slice(at);
    assertShape(y.shape, output.shape);
    assertClose(out!, load(output).data, { special: true, what: "output" });
    grads!.forEach((stored, i) => {
      assertClose(found[i]!, load(stored).data, { special: true, what: `gradient ${i}` });
    });
  });
}
