/**
 * From targets to a list of nodes in order: what must run, rewritten by rules, without what nothing needs. The rules
 * themselves are in `src/ops/fuse.ts`.
 *
 * @module
 */
import { type Device, Node, type Value } from "./node.ts";
import { recorder } from "./recorder.ts";

/**
 * A rewriting rule: given a node, the values that replace its outputs, or null if the rule does not apply. `users` counts
 * the inputs and targets that read a value. Rules only save work: if others read a value that a rule makes unnecessary,
 * that value is computed as well.
 */
export type Rule = (node: Node, users: (value: Value) => number) => readonly Value[] | null;

/** The nodes to run, in order, and the values that hold the targets' elements, in the targets' order. */
export interface Schedule {
  readonly nodes: readonly Node[];
  readonly targets: readonly Value[];
}

/** Whether a value's elements are known, whatever computed them. */
export type Known = (value: Value) => boolean;

/**
 * Lists what must run for `targets`: the fusion rules first, then each op that is made of others is expanded.
 *
 * @param known leaves besides the values that were computed or given.
 */
export function schedule(
  targets: readonly Value[],
  rules: readonly Rule[],
  device: Device,
  known: Known = () => false,
): Schedule {
  const stop = (value: Value) => !value.pending || known(value);
  const fused = rewrite(targets, rules, stop);
  const expanded = rewrite(fused, [(node) => node.op.expand?.(node, device) ?? null], stop);
  return { nodes: needed(expanded, stop), targets: expanded };
}

/** Applies `rules` until none applies. */
function rewrite(targets: readonly Value[], rules: readonly Rule[], stop: Known): readonly Value[] {
  for (let changed = true; changed;) {
    changed = false;
    const nodes = needed(targets, stop);
    const counts = new Map<Value, number>();
    const count = (value: Value) => counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const node of nodes) node.inputs.forEach(count);
    targets.forEach(count);
    const replaced = new Map<Value, Value>();
    for (const node of nodes) {
      const current = withInputs(node, replaced);
      if (current !== node) {
        node.outputs.forEach((output, i) => counts.set(current.outputs[i]!, counts.get(output) ?? 0));
      }
      let outputs: readonly Value[] = current.outputs;
      for (const rule of rules) {
        // What a rule records belongs to this schedule only.
        const found = recorder.with(
          { reads: false, gradients: false },
          () => rule(current, (value) => counts.get(value) ?? 0),
        );
        if (!found) continue;
        standIn(found, current);
        outputs = found;
        changed = true;
        break;
      }
      if (outputs !== node.outputs) node.outputs.forEach((output, i) => replaced.set(output, outputs[i]!));
    }
    targets = targets.map((target) => resolve(target, replaced));
  }
  return targets;
}

/** The nodes that `targets` depend on, up to the values where `stop` is true, each after its inputs. Iterative: graphs may be thousands of nodes deep. */
export function needed(targets: readonly Value[], stop: Known): Node[] {
  const found: Node[] = [], open = new Set<Node>(), done = new Set<Node>();
  const stack = targets.flatMap((target) => stop(target) ? [] : [target.node!]).reverse();
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    if (done.has(node)) {
      stack.pop();
    } else if (open.has(node)) {
      stack.pop();
      done.add(node);
      found.push(node);
    } else {
      open.add(node);
      for (const input of node.inputs) {
        if (!stop(input) && !open.has(input.node!)) stack.push(input.node!);
      }
    }
  }
  return inOrder(found);
}

/**
 * Sorts nodes so that each follows its inputs and, among those that are ready, the one recorded first goes first. The
 * second rule keeps each read of a value before the write that was recorded after it.
 */
function inOrder(nodes: readonly Node[]): Node[] {
  const rank = new Map<Node, number>();
  for (const node of nodes) {
    let last = rankOf(node);
    for (const input of node.inputs) if (input.node) last = Math.max(last, rank.get(input.node) ?? last);
    rank.set(node, last);
  }
  // The sort is stable: of two nodes with one rank, the one that reads the other stays after it.
  return nodes.slice().sort((a, b) => rank.get(a)! - rank.get(b)!);
}

/** A node's rank in the order of recording: its first output's number, or the rank of the node that it replaces. */
function rankOf(node: Node): number {
  return node.rank ?? node.outputs[0]!.id;
}

/** Makes `node` run right before `other`, as far as its inputs allow. */
export function runBefore(node: Node, other: Node): void {
  node.rank = rankOf(other) - 0.5;
}

/** Makes `node` run right after `other`. */
export function runAfter(node: Node, other: Node): void {
  node.rank = rankOf(other);
}

/** Gives the new nodes that compute `values` the rank of `original`. */
function standIn(values: readonly Value[], original: Node): void {
  const rank = rankOf(original);
  const stack = values.flatMap((value) => value.node ?? []);
  for (let node = stack.pop(); node; node = stack.pop()) {
    // Nodes recorded before this rewrite have numbers below those of the outputs of the original's copy, or a rank.
    if (node.rank !== null || node.outputs[0]!.id <= original.outputs[0]!.id) continue;
    node.rank = rank;
    for (const input of node.inputs) if (input.node) stack.push(input.node);
  }
}

function resolve(value: Value, replaced: ReadonlyMap<Value, Value>): Value {
  let current = value;
  for (let next = replaced.get(current); next; next = replaced.get(current)) current = next;
  return current;
}

/** `node` itself, or its copy that reads the replacements of its inputs. */
function withInputs(node: Node, replaced: ReadonlyMap<Value, Value>): Node {
  const inputs = node.inputs.map((input) => resolve(input, replaced));
  if (inputs.every((input, i) => input === node.inputs[i])) return node;
  const copy = new Node(node.op, inputs, node.attrs);
  copy.rank = rankOf(node);
  return copy;
}

/**
 * A copy of the graph that computes `targets`, which nothing else can see or change.
 *
 * @param outer whether the graph ends at a value.
 * @param leafFor the leaf that replaces such a value in the copy; called once for each.
 */
export function snapshot(targets: readonly Value[], outer: Known, leafFor: (value: Value) => Value): readonly Value[] {
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value) => {
    let copy = copies.get(value);
    if (!copy) copies.set(value, copy = outer(value) ? leafFor(value) : value);
    return copy;
  };
  for (const node of needed(targets, (value) => outer(value) || !value.node)) {
    const copy = new Node(node.op, node.inputs.map(copyOf), node.attrs, undefined, node.trace);
    node.outputs.forEach((output, i) => copies.set(output, copy.outputs[i]!));
  }
  return targets.map(copyOf);
}
