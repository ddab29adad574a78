/**
 * The cases of `spatial.jsonl`, which golden_spatial.py makes: forward, all gradients and gradFn's name.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Tensor } from "../../src/mod.ts";
import { readAll } from "../../src/tensor/realize.ts";
import { map, type Nd } from "./array.ts";
import { assertClose, assertShape } from "./close.ts";
import { load, readLines, type Stored } from "./golden.ts";
import { toTensor } from "./gradcheck.ts";
import { uniform } from "./random.ts";

interface Case {
  op: string;
  // deno-lint-ignore no-explicit-any
  options: any;
  inputs: number[][];
  gradFn: string;
  output: Stored;
  grads: (number | string)[][];
}

/** Values in sixteenths. */
export function sixteenths(seed: number, shape: readonly number[]): Nd {
  return map(uniform(seed, shape), (v) => Math.round(v * 16) / 16);
}

/** Tests `run` on all cases of `op`. */
// deno-lint-ignore no-explicit-any
export function testGolden(op: string, run: (inputs: any, options: any) => Tensor): void {
  for (const one of readLines<Case>("spatial.jsonl").filter((line) => line.op === op)) {
    const { options, inputs, gradFn, output, grads } = one;
    const given = `${inputs.map((shape) => `[${shape}]`)} ${JSON.stringify(options)}`;
    Deno.test(`${op}() agrees with PyTorch: ${given}`, async () => {
      const leaves = inputs.map((shape, i) => toTensor(sixteenths(100 + i, shape), { requiresGrad: true }));
      const y = run(leaves, options);
      assertShape(y.shape, output.shape);
      // PyTorch numbers overloads.
      const name = (text: string) => text.replace("torch::autograd::", "").replace(/^Mean(\w+)\d$/, "Mean$1");
      assertEquals(name(y.gradFn!.name), name(gradFn));
      y.backward(toTensor(sixteenths(9000, y.shape)));
      const [found, ...gradients] = await readAll([y, ...leaves.map((leaf) => leaf.grad!)]);
      assertClose(found!, load(output).data, { what: "output" });
      assertEquals(gradients.length, grads.length);
      grads.forEach((grad, i) => {
        assertShape(leaves[i]!.grad!.shape, inputs[i]!);
        assertClose(gradients[i]!, grad.map(Number), { what: `gradient ${i}` });
      });
    });
  }
}
