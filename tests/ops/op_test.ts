import { assertEquals } from "@std/assert";
import { Node, type Op, Value } from "../../src/graph/node.ts";
import { formOf, is, pendingNode } from "../../src/ops/op.ts";

const op: Op<{ readonly k: number }> = {
  name: "one",
  gradName: "OneBackward0",
  outputs: () => [{ shape: [2], dtype: "f32" }],
};
const form = formOf(op, "TwoBackward0"), formOfForm = formOf(form, "ThreeBackward0");
const sameName: Op<{ readonly k: number }> = { ...op };
const nodeOf = (of: typeof op): Node => new Node(of, [], { k: 3 });

Deno.test("is() holds for an op and its forms, not for what an op is a form of, nor for another of the same name", () => {
  assertEquals([op, form, formOfForm, sameName].map((of) => is(nodeOf(of), op)), [true, true, true, false]);
  assertEquals([op, form, formOfForm, sameName].map((of) => is(nodeOf(of), form)), [false, true, true, false]);
  const node = nodeOf(form);
  assertEquals(is(node, op) && node.attrs.k, 3);
  assertEquals([node.op.name, node.op.gradName], ["one", "TwoBackward0"]);
});

Deno.test("pendingNode() finds the node of an op or a form of it, unless its value has elements", () => {
  const node = nodeOf(form), [value] = node.outputs;
  assertEquals(pendingNode(value, op), node as unknown);
  assertEquals(pendingNode(value, sameName), null);
  assertEquals(pendingNode(new Value([2], "f32"), op), null);
  assertEquals(pendingNode(undefined, op), null);
  value!.host = new Float32Array(2);
  assertEquals(pendingNode(value, op), null);
});
