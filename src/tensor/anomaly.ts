/**
 * Anomaly mode: the outputs of each op are searched for NaN and infinities, and the first op that made one is named.
 * An op is watched if it was recorded in this mode, whenever it runs: eagerly, or in each run of a program. Its checks
 * are nodes of the graph, put in before it is planned, and nothing is fused, so that what is checked is what is used.
 *
 * @module
 */
import { AnomalyError, ShapeError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import type { Storage } from "../backend/memory.ts";
import type { Node, Value } from "../graph/node.ts";
import { evaluate } from "../graph/program.ts";
import { recorder } from "../graph/recorder.ts";
import { type Known, needed, type Rule, runAfter, runBefore } from "../graph/rewrite.ts";
import { checkFinite, noFlags } from "../ops/elementwise/finite.ts";
import { rules } from "../ops/fuse.ts";
import { checkFlag, describe } from "../ops/options.ts";
import { text } from "../ops/shape/shape.ts";

/**
 * Turns anomaly mode on or off, as `torch.autograd.set_detect_anomaly`. What is recorded while it is on is checked as
 * soon as it is computed: `data()`, `item()` and `run()` then throw `TrainingError`, which names the first op that made
 * NaN or an infinity from finite inputs, or else, where the result is not finite, the first that was given one. Unlike
 * PyTorch's, it looks at the forward pass too, and at infinities. It is slow: nothing is fused, and each step of a
 * program is waited for.
 */
export function setDetectAnomaly(on: boolean): void {
  recorder.trace = checkFlag(on, "setDetectAnomaly: what it is given") ? { gradientOf: null } : null;
  if (on) recorder.traced = true;
}

/**
 * Runs `fn` in anomaly mode (see `setDetectAnomaly`) and returns what it returns. If that is a promise, the mode lasts
 * until it is settled, for everything that is recorded meanwhile.
 */
export function detectAnomaly<T>(fn: () => T): T {
  if (typeof fn !== "function") throw new ShapeError(`detectAnomaly: expected a function, got ${describe(fn)}`);
  const before = recorder.trace, restore = () => recorder.trace = before;
  setDetectAnomaly(true);
  let later = false;
  try {
    const result = fn();
    if (!(result instanceof Promise)) return result;
    later = true;
    return result.finally(restore) as T;
  } finally {
    if (!later) restore();
  }
}

/** The checks of a graph. */
export interface Checks {
  /** The flags that the checks fill: to be computed with the graph. */
  readonly flags: Value;
  /** Throws `AnomalyError` if an op made NaN or an infinity. @param step the step that ran, from 1, of how many. */
  verify(backend: Backend, flags: Storage, step?: number, submitted?: number): Promise<void>;
}

/** The rules for a graph with `checks`. */
export function rulesFor(checks: Checks | null): Rule[] {
  return checks ? [] : rules();
}

/** Computes `targets`. @throws {TrainingError} in anomaly mode, where an op made NaN or an infinity. */
export async function compute(backend: Backend, targets: readonly Value[]): Promise<void> {
  const checks = checksOf(targets), all = checks ? [...targets, checks.flags] : targets;
  await evaluate(backend, all, rulesFor(checks));
  await checks?.verify(backend, checks.flags.storage!);
}

/** The checks of what must run for `targets` and was recorded in anomaly mode; null where there is none of it. */
export function checksOf(targets: readonly Value[], known: Known = () => false): Checks | null {
  if (!recorder.traced) return null;
  const stop = (value: Value) => !value.pending || known(value);
  const base = (value: Value): Value => {
    while (!stop(value) && value.node!.op.view) value = value.node!.inputs[0]!;
    return value;
  };
  const nodes = needed(targets, stop).filter(({ op, trace }) => trace !== null && !op.view);
  if (nodes.length === 0) return null;
  const floats = (values: readonly Value[]) => values.map(base).filter(({ dtype }) => dtype === "f32");
  /** Each value with its check: before the node that reads it, or after the one that computes it. */
  const checks = new Map<Value, (check: Node) => void>();
  const note = (value: Value, order: (check: Node) => void) => checks.has(value) || checks.set(value, order);
  for (const node of nodes) {
    for (const value of floats(node.inputs)) note(value, (check) => runBefore(check, node));
    for (const value of floats(node.outputs)) note(value, (check) => runAfter(check, node));
  }
  let flags = noFlags(checks.size);
  for (const [value, order] of checks) {
    flags = recorder.with({ reads: false, gradients: false }, () => checkFinite(flags, value));
    order(flags.node!);
  }
  // Now: once they are computed, values forget what they are views of.
  const indices = new Map(Array.from(checks.keys(), (value, i) => [value, 1 + i]));
  const indicesOf = (values: readonly Value[]) => values.flatMap((value) => indices.get(base(value)) ?? []);
  const results = indicesOf(targets);
  const steps = nodes.map((node) => ({ node, reads: indicesOf(node.inputs), gives: indicesOf(node.outputs) }));
  const verify = async (backend: Backend, storage: Storage, step?: number, submitted?: number) => {
    const [bytes] = await backend.read([storage]), found = new Uint32Array(bytes!);
    const flagOf = (indices: readonly number[]) => indices.reduce((all, index) => all | found[index]!, 0);
    const bad = steps.filter(({ gives }) => flagOf(gives)), maker = bad.find(({ reads }) => !flagOf(reads));
    if (maker) throw new AnomalyError(`${roleOf(maker.node)} made ${kindOf(flagOf(maker.gives))}`, step, submitted);
    if (!bad[0] || !flagOf(results)) return;
    throw new AnomalyError(`${roleOf(bad[0].node)} was given ${kindOf(flagOf(bad[0].reads))}`, step, submitted);
  };
  return { flags, verify };
}

const kindOf = (flag: number) => flag === 1 ? "NaN" : flag === 2 ? "an infinity" : "NaN and infinities";

/** Such as: the gradient of "sqrt" (SqrtBackward0), in "div" of [3], [3] to [3], */
function roleOf({ op, inputs, outputs, trace }: Node): string {
  const shapes = (values: readonly Value[]) => values.map(({ shape }) => text(shape)).join(", ");
  const step = `"${op.name}" of ${shapes(inputs)} to ${shapes(outputs)}`, of = trace!.gradientOf;
  return of ? `the gradient of "${of.name}" (${of.gradName ?? "no name"}), in ${step},` : `the forward of ${step}`;
}
