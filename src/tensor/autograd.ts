/**
 * Reverse-mode differentiation. `backward()` walks the graph from a result to its leaves, each node once, after all nodes
 * that use it, and appends the gradient's nodes to the graph. Each op states its own gradient, beside its forward rule.
 *
 * @module
 */
import { type Node, type Value, withoutGradients } from "../graph/node.ts";
import { combine } from "../ops/elementwise.ts";
import { text } from "../ops/shape.ts";

/** Where a gradient ends: what holds a value that the user made. */
export interface Leaf {
  accumulate(grad: Value): void;
}

/** The leaves that require gradients, by their values. */
export const leaves = new WeakMap<Value, Leaf>();

/** Tensors that required gradients once: parameters, even while they are frozen. */
export const trainable = new WeakSet<Leaf>();

/** A node of the gradient's graph, as PyTorch shows it. */
export interface GradFn {
  /** Such as "ConvolutionBackward0"; "AccumulateGrad" for a leaf. */
  readonly name: string;
  /** The gradients that this one flows into, in the order of the operation's arguments that require one. */
  readonly next: readonly GradFn[];
}

/** The gradient's node of `value`. `next` is made when it is read, since graphs may be deep. */
export function gradFn(value: Value): GradFn {
  if (leaves.has(value) || !value.node) return { name: "AccumulateGrad", next: [] };
  const { op, inputs } = value.node;
  return {
    name: op.gradName ?? `${op.name}Backward`,
    get next() {
      return inputs.filter((input) => input.needsGrad).map(gradFn);
    },
  };
}

/** Hands each leaf that `value` depends on its gradient, where `seed` is the gradient of `value` itself. */
export function gradients(value: Value, seed: Value): void {
  withoutGradients(() => {
    const grads = new Map<Value, Value>([[value, seed]]);
    for (const node of order(value)) {
      const given = node.outputs.map((output) => grads.get(output) ?? null);
      if (given.every((one) => one === null)) continue;
      const needs = node.inputs.map((input) => input.needsGrad);
      const results = node.op.grad!(node, given, needs);
      node.inputs.forEach((input, i) => {
        const grad = results[i];
        if (needs[i] && grad) add(grads, input, grad, node);
      });
    }
    // A leaf gets its gradient once, as a whole.
    for (const [leaf, grad] of grads) leaves.get(leaf)?.accumulate(grad);
  });
}

function add(grads: Map<Value, Value>, input: Value, grad: Value, { op }: Node): void {
  if (text(grad.shape) !== text(input.shape)) {
    throw new Error(`the gradient of "${op.name}" has shape ${text(grad.shape)}, not ${text(input.shape)}`);
  }
  const before = grads.get(input);
  grads.set(input, before ? combine("add", before, grad) : grad);
}

/** The nodes that `value` depends on through differentiable operations, each before those that it depends on. */
function order(value: Value): Node[] {
  const through = (one: Value) => one.needsGrad && !leaves.has(one) && one.node ? one.node : null;
  const after: Node[] = [], open = new Set<Node>(), done = new Set<Node>();
  const root = through(value), stack = root ? [root] : [];
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    if (open.has(node)) {
      stack.pop();
      if (!done.has(node)) after.push(node);
      done.add(node);
      continue;
    }
    open.add(node);
    for (const input of node.inputs) {
      const next = through(input);
      if (next && !open.has(next)) stack.push(next);
    }
  }
  return after.reverse();
}
