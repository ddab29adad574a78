/**
 * An op with variants, some of which are wrong: y = 2 x. Run as a program, it prints the result with the saved choices.
 *
 * @module
 */
import type { Backend } from "../../src/backend/backend.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { constant, type Node, type Op, record, type Value } from "../../src/graph/node.ts";
import { evaluate } from "../../src/graph/program.ts";
import type { Offer } from "../../src/graph/device.ts";
import { loadChoices } from "../../src/tune/choices.ts";
import { offersOf } from "../../src/tune/tuner.ts";

const source = `
const FACTOR: f32 = 2.0;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = FACTOR * x[id.x];
}
`;

/** The factor of each variant; the first has the lowest estimate. "broken" does not compile. */
export const FACTORS: Readonly<Record<string, number>> = { "plain 1": 2, "plain 2": 2, "wrong 1": 3, "broken 1": 2 };

/** @param names the variants that it offers, in order. */
export function doubling(names: readonly string[], name = "doubling"): Op<object> {
  return {
    name,
    outputs: ([x]) => [x!],
    dispatches(node, { variants, profile }) {
      const chosen = variants.select(
        node as Node,
        profile,
        () => ({ sorted: names.map((name) => ({ name })), cost: 10 }),
      );
      const text = chosen.name === "broken 1" ? source.replace("id.x]", "id]") : source;
      return [{
        kernel: { file: `${chosen.name}.wgsl`, source: text },
        constants: { FACTOR: FACTORS[chosen.name]! },
        bindings: [node.inputs[0]!, node.outputs[0]!],
        grid: [node.inputs[0]!.size, 1, 1],
      }];
    },
  };
}

/** The op's result for 1, 2, 3, with the choices on `gpu`, and its offers. */
export async function doubled(
  gpu: Backend,
  op: Op<object>,
  attrs: object = {},
): Promise<{ y: number[]; offers: Offer[] }> {
  const [y] = record(op, [constant(Float32Array.of(1, 2, 3), [3])], attrs) as [Value];
  const offers = await offersOf(gpu, () => evaluate(gpu, [y], []));
  return { y: [...new Float32Array((await gpu.read([y.storage!]))[0]!)], offers };
}

if (import.meta.main) {
  const gpu = await requestBackend();
  const count = await loadChoices(gpu, (line) => console.log(line));
  const { y } = await doubled(gpu, doubling(Object.keys(FACTORS)));
  console.log(JSON.stringify({ count, y }));
}
