/**
 * Property tests of ops: 200 random cases of each, whose output and gradients are compared with float64. All cases of
 * an op are recorded before any is computed, and read with one wait. Shapes and options come again after some cases,
 * with other elements, since each new shape costs new kernels.
 *
 * A failure names the case's seed; `WGRAD_SEED=… deno test …` draws other cases, and the same ones again.
 *
 * @module
 */
import type { Tensor } from "../../src/mod.ts";
import { readAll } from "../../src/tensor/realize.ts";
import type { Nd } from "../support/array.ts";
import { assertShape } from "../support/close.ts";
import { differences } from "../support/differences.ts";
import { type EngineOp, engineOps } from "../support/engine_ops.ts";
import { toTensor } from "../support/gradcheck.ts";
import { type Options, type ReferenceOp, referenceOps } from "../support/reference_ops.ts";
import { Draw } from "./draw.ts";

const CASES = 200, LAYOUTS = 25;
const SEED = Number(Deno.env.get("WGRAD_SEED") ?? 1);

/** The arguments of a case. */
export interface Case {
  readonly inputs: Nd[];
  readonly options?: Options;
}

/** An op, and how its cases are drawn. */
export interface Property {
  /** @param layout draws shapes and options. @param data draws elements. */
  draw(layout: Draw, data: Draw): Case;
  /** The op. Default: that of the property's name, up to a comma, in `engine_ops.ts`. */
  readonly op?: EngineOp;
  /** What it means. Default: likewise, in `reference_ops.ts`. */
  readonly reference?: ReferenceOp["forward"];
  /** Its gradients. Default: by central differences in float64, if `reference` is given. */
  readonly gradients?: ReferenceOp["gradients"];
  /** The input of whole numbers, which has no gradient. */
  readonly integer?: number;
  /** The largest error of output and gradients, relative to the largest element (or to 0.1, if that is less). */
  readonly limit?: number;
}

interface Recorded extends Case {
  readonly seed: number;
  readonly dy: Nd;
  readonly y: Tensor;
  readonly expected: Nd;
  readonly leaves: readonly Tensor[];
}

/** Tests each property of a table. */
export function testProperties(table: Readonly<Record<string, Property>>): void {
  for (const [name, property] of Object.entries(table)) {
    Deno.test(`property: ${name}, ${CASES} cases`, () => check(name, property));
  }
}

/** Checks one property. @throws where a case fails: its seed, shapes, options, and what differs. */
export async function check(name: string, property: Property, cases = CASES): Promise<void> {
  const known = name.split(",")[0]!, own = property.reference;
  const op = property.op ?? engineOps[known]!, reference = own ?? referenceOps[known]!.forward;
  const gradients = own ? property.gradients : referenceOps[known]!.gradients;
  const named = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7);
  const all = Array.from({ length: cases }, (_, i): Recorded => {
    const seed = (Math.imul(SEED, 0x85ebca6b) + named + i) >>> 0;
    const layout = new Draw(seed - i + i % LAYOUTS), data = new Draw(seed ^ 0x5bd1e995);
    const drawn = property.draw(layout, data), { inputs, options = {} } = drawn;
    return within(name, seed, drawn, () => {
      const leaves = inputs.map((x, k) =>
        toTensor(x, k === property.integer ? { dtype: "u32" } : { requiresGrad: true })
      );
      const y = op(leaves, options), expected = reference(inputs, options);
      assertShape(y.shape, expected.shape, "output shape");
      const dy = data.values(expected.shape, -1, 1);
      y.backward(toTensor(dy));
      return { inputs, options, seed, dy, y, expected, leaves };
    });
  });
  const read = await readAll(all.flatMap(({ y, leaves }) => [y, ...leaves.flatMap((x) => x.grad ?? [])]));
  let next = 0;
  for (const one of all) {
    const { inputs, options = {}, dy, expected, leaves, seed } = one;
    within(name, seed, one, () => {
      close(read[next++]!, expected.data, "output", property.limit);
      const exact = gradients?.(dy, inputs, options);
      leaves.forEach((x, k) => {
        if (k === property.integer) return;
        if (!x.grad) throw new Error(`input ${k} got no gradient`);
        assertShape(x.grad.shape, x.shape, `shape of gradient ${k}`);
        const found = read[next++]!;
        if (exact) return close(found, exact[k]!.data, `gradient ${k}`, property.limit);
        const { at, value } = differences((...x) => reference(x, options), inputs, k, dy, 5);
        close(at.map((i) => found[i]!), value, `gradient ${k} at [${at}]`, property.limit);
      });
    });
  }
  for (const { y, leaves } of all) for (const one of [y, ...leaves]) one.dispose();
}

/** Runs `fn` on a case, whose seed and layout an error names. */
function within<T>(name: string, seed: number, { inputs, options = {} }: Case, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    const shapes = inputs.map(({ shape }) => `[${shape}]`).join(", ");
    const where = `${name}, case of seed ${seed} (WGRAD_SEED=${SEED}): ${shapes} ${JSON.stringify(options)}`;
    throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
  }
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, limit = 1e-5): void {
  let scale = 0.1;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    if (Math.abs(actual[i]! - expected[i]!) <= limit * scale) continue; // Not so for NaN.
    throw new Error(`${what}: [${i}] is ${actual[i]}, expected ${expected[i]} (within ${limit * scale})`);
  }
}
