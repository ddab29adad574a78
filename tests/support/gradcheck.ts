/**
 * One helper for every op: its forward against a float64 reference, and all its gradients against the reference's own
 * gradients and against central differences of the reference.
 *
 * @module
 */

import { type Tensor, tensor } from "../../src/mod.ts";
import { type Nd, nd } from "./array.ts";
import { assertRelative, assertShape } from "./close.ts";
import { differences } from "./differences.ts";
import { engineOps, integerInputs } from "./engine_ops.ts";
import { uniform } from "./random.ts";
import { type Options, referenceOps } from "./reference_ops.ts";

/** An engine tensor with the values of a reference array, rounded to its type. */
export function toTensor(x: Nd, options: { requiresGrad?: boolean; dtype?: "f32" | "u32" } = {}): Tensor {
  const { requiresGrad = false, dtype = "f32" } = options;
  const data = dtype === "f32" ? Float32Array.from(x.data) : Uint32Array.from(x.data);
  return tensor(data, { shape: [...x.shape], dtype, requiresGrad });
}

/** The values of several tensors. */
export function values(tensors: readonly Tensor[]): Promise<(Float32Array | Uint32Array)[]> {
  return Promise.all(tensors.map((t) => t.data()));
}

/** What {@linkcode gradcheck} compares. */
export interface GradCheck {
  /** The arguments; a gradient is taken for each but the integer one. */
  inputs: readonly Nd[];
  /** The op under test. */
  op: (...tensors: Tensor[]) => Tensor;
  /** Its meaning in float64. */
  reference: (...inputs: Nd[]) => Nd;
  /** Its gradients in float64, where they are known; null for an input that has none. */
  gradients?: ((dy: Nd, ...inputs: Nd[]) => (Nd | null)[]) | undefined;
  /** Whether central differences apply: false where the inputs lie on a kink or tie. Default true. */
  smooth?: boolean;
  /** The position of an input of whole numbers, which has no gradient. */
  integer?: number | undefined;
  /** Largest error of the output and of each gradient, relative to its largest value. Default 1e-5. */
  limit?: number;
}

/** Compares an op's forward and all its gradients with float64. */
export async function gradcheck(check: GradCheck): Promise<void> {
  const { op, reference, gradients, smooth = true, integer, limit = 1e-5 } = check;
  if (!gradients && !smooth) throw new Error("nothing to compare the gradients with");
  const inputs = check.inputs.map((x) => nd(x.shape, x.data.map(Math.fround)));
  const leaves = inputs.map((x, i) =>
    i === integer ? toTensor(x, { dtype: "u32" }) : toTensor(x, { requiresGrad: true })
  );
  const y = op(...leaves), expected = reference(...inputs);
  assertShape(y.shape, expected.shape, "output shape");
  const dy = uniform(77, expected.shape);
  y.backward(toTensor(dy));

  const checked = leaves.map((_, i) => i).filter((i) => i !== integer);
  const grads = checked.map((i) => {
    const grad = leaves[i]!.grad;
    if (!grad) throw new Error(`input ${i} got no gradient`);
    assertShape(grad.shape, inputs[i]!.shape, `shape of gradient ${i}`);
    return grad;
  });
  const [output, ...found] = await values([y, ...grads]);
  assertRelative(output!, expected.data, limit, "output");
  const analytic = gradients?.(dy, ...inputs);
  checked.forEach((i, k) => {
    if (analytic) assertRelative(found[k]!, analytic[i]!.data, limit, `gradient ${i}`);
    if (!smooth) return;
    const { at, value } = differences(reference, inputs, i, dy, analytic ? 12 : Infinity);
    const scale = analytic && analytic[i]!.data.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
    // The sample's error is measured against the whole gradient's size, which the sample may miss.
    const pick = (g: ArrayLike<number>) => at.map((j) => g[j]!);
    const with0 = (list: number[]) => scale === undefined ? list : [...list, scale];
    assertRelative(with0(pick(found[k]!)), with0(value), limit, `gradient ${i} by differences`);
  });
  for (const t of [y, ...grads, ...leaves]) t.dispose();
}

/** {@linkcode gradcheck} of an op by its name in the tables. */
export function checkOp(op: string, inputs: Nd[], options: Options = {}, more: Partial<GradCheck> = {}): Promise<void> {
  const { forward, gradients } = referenceOps[op]!;
  return gradcheck({
    inputs,
    op: (...tensors) => engineOps[op]!(tensors, options),
    reference: (...x) => forward(x, options),
    gradients: gradients && ((dy, ...x) => gradients(dy, x, options)),
    integer: integerInputs[op],
    ...more,
  });
}

/** Compares an op's output alone with its reference; for ops without gradient. */
export async function checkForward(op: string, inputs: Nd[], options: Options = {}): Promise<void> {
  const y = engineOps[op]!(inputs.map((x) => toTensor(x)), options),
    expected = referenceOps[op]!.forward(inputs, options);
  assertShape(y.shape, expected.shape);
  assertRelative(await y.data(), expected.data, 0, op);
}
