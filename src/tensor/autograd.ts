/**
 * Reverse-mode differentiation. `differentiate()` walks the graph from results to what they depend on, each node once,
 * after all nodes that use it, and appends the gradient's nodes to the graph. Each op states its own gradient, beside
 * its forward rule.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Node, Value } from "../graph/node.ts";
import { recorder, withoutGradients } from "../graph/recorder.ts";
import { combine } from "../ops/elementwise/elementwise.ts";
import { text } from "../ops/shape/shape.ts";

/** What receives the gradient of a value. */
export interface Leaf {
  accumulate(grad: Value): void;
}

/** The leaves that require gradients, by their values. */
export const leaves = new WeakMap<Value, Leaf>();

/** Results that keep their gradient although they are no leaves, by their values. */
export const retaining = new WeakMap<Value, Leaf>();

/** Tensors that have required gradients at some time: parameters, even while they are frozen. */
export const trainable = new WeakSet<Leaf>();

/** Returns the gradient that flows on in place of `grad`. */
export type Hook = (grad: Value) => Value;

/** The hooks of a value, in the order of registration. They are called when its gradient is complete. */
export const hooks = new WeakMap<Value, Set<Hook>>();

/** A node of the gradient's graph, as PyTorch shows it. */
export interface GradFn {
  /** Such as "ConvolutionBackward0"; "AccumulateGrad" for a leaf. */
  readonly name: string;
  /** The gradients that this one flows into, in the order of the operation's arguments that require one. */
  readonly next: readonly GradFn[];
}

const accumulateGrad: GradFn = { name: "AccumulateGrad", next: [] };

/** The gradient's nodes that a call of `backward()` has freed: no gradient can flow through these values again. */
const spent = new WeakMap<Value, GradFn>();

const nameOf = ({ op }: Node) => op.gradName ?? `${op.name}Backward`;

/** The node behind `value`, if a gradient flows into it: null at a leaf. */
const through = (value: Value) => value.needsGrad && !leaves.has(value) ? value.node : null;

/** The gradient's node of `value`. `next` is made when it is read, since graphs may be deep. */
export function gradFn(value: Value): GradFn {
  const known = spent.get(value), node = through(value);
  if (known || !node) return known ?? accumulateGrad;
  return {
    name: nameOf(node),
    get next() {
      return node.inputs.filter((input) => input.needsGrad).map(gradFn);
    },
  };
}

/**
 * Drops the node that computed `value`, if the value is computed and no gradient needs the node any more. Its inputs,
 * which may be large, can then be collected.
 */
export function forget(value: Value): void {
  if (value.storage && (spent.has(value) || leaves.has(value) || !value.needsGrad)) value.node = null;
}

/**
 * The gradients of all leaves, or of `inputs` alone, by their values.
 *
 * @param seeds the values that are differentiated, with their gradients.
 * @param retain whether the graph can be differentiated again.
 */
export function differentiate(
  seeds: ReadonlyMap<Value, Value>,
  retain = false,
  inputs: ReadonlySet<Value> | null = null,
): Map<Value, Value> {
  return withoutGradients(() => {
    const grads = new Map(seeds), results = new Map<Value, Value>();
    const nodes = order(seeds.keys()), wanted = inputs && leadingTo(inputs, nodes);
    /** The complete gradient of `value`, after its hooks; null if there is none. */
    const finished = (value: Value) => {
      let grad = grads.get(value);
      if (!grad) return null;
      grads.delete(value);
      for (const hook of hooks.get(value) ?? []) grad = hook(grad);
      retaining.get(value)?.accumulate(grad);
      if (inputs ? inputs.has(value) : leaves.has(value)) results.set(value, grad);
      return grad;
    };
    for (const node of nodes) {
      const given = node.outputs.map(finished);
      if (given.every((one) => one === null) || (wanted && !wanted.has(node))) continue;
      const needs = node.inputs.map((input) =>
        input.needsGrad && (!wanted || inputs!.has(input) || wanted.has(through(input)))
      );
      recorder.gradientOf(node.op, () => {
        const found = node.op.grad!(node, given, needs);
        node.inputs.forEach((input, i) => {
          const grad = found[i];
          if (needs[i] && grad) add(grads, input, grad, node);
        });
      });
    }
    [...grads.keys()].forEach(finished);
    if (!retain) free(wanted ? nodes.filter((node) => wanted.has(node)) : nodes);
    return results;
  });
}

function add(grads: Map<Value, Value>, input: Value, grad: Value, { op }: Node): void {
  if (text(grad.shape) !== text(input.shape)) {
    throw new Error(`the gradient of "${op.name}" has shape ${text(grad.shape)}, not ${text(input.shape)}`);
  }
  const before = grads.get(input);
  grads.set(input, before ? combine("add", before, grad) : grad);
}

/** The nodes that `values` depend on through differentiable operations, each before those that it depends on. */
function order(values: Iterable<Value>): Node[] {
  const after: Node[] = [], open = new Set<Node>(), done = new Set<Node>(), stack: Node[] = [];
  const visit = (value: Value) => {
    if (spent.has(value)) {
      throw new ShapeError(
        `backward: trying to backward through the graph a second time: what ${gradFn(value).name} needs was freed; ` +
          "pass { retainGraph: true } to the first backward() to keep it",
      );
    }
    const node = through(value);
    if (node && !open.has(node)) stack.push(node);
  };
  for (const value of values) {
    visit(value);
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      if (!open.has(node)) {
        open.add(node);
        node.inputs.forEach(visit);
      } else {
        stack.pop();
        if (!done.has(node)) after.push(node);
        done.add(node);
      }
    }
  }
  return after.reverse();
}

/** Those of `nodes` through which gradients flow to `inputs`. */
function leadingTo(inputs: ReadonlySet<Value>, nodes: readonly Node[]): Set<Node | null> {
  const found = new Set<Node | null>();
  for (const node of nodes.toReversed()) {
    if (node.inputs.some((input) => input.needsGrad && (inputs.has(input) || found.has(through(input))))) {
      found.add(node);
    }
  }
  return found;
}

/** Marks `nodes` as differentiated. Their names are kept for `gradFn`, without the values. */
function free(nodes: readonly Node[]): void {
  for (const node of nodes.toReversed()) {
    const fn = { name: nameOf(node), next: node.inputs.filter((input) => input.needsGrad).map(gradFn) };
    for (const output of node.outputs) {
      if (output.needsGrad) spent.set(output, fn);
      forget(output);
    }
  }
}
