/**
 * Telling what a node computes: by its op itself, never by a name.
 *
 * @module
 */
import type { Node, Op, Value } from "../graph/node.ts";

/**
 * `op` under another name for `gradFn`, as PyTorch has several for what is one op here: a form of it. Rules and tables
 * that are written for `op` hold for all its forms.
 */
export function formOf<A>(op: Op<A>, gradName: string): Op<A> {
  return { ...op, gradName, formOf: op };
}

/** Whether `node` is of `op` or a form of it. If so, its attributes have that op's type. */
export function is<A>(node: Node, op: Op<A>): node is Node<A> {
  for (let own: Op | undefined = node.op; own; own = own.formOf) if (own === op) return true;
  return false;
}

/** The node that computes `value` in this run, if it is of `op` or a form of it. */
export function pendingNode<A>(value: Value | undefined, op: Op<A>): Node<A> | null {
  const node = value?.pending ? value.node : null;
  return node && is(node, op) ? node : null;
}
