/**
 * Running graphs: once, for a tensor that is asked for its elements, or as a program that is planned once and replayed.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { Storage } from "../gpu/memory.ts";
import { compiled } from "../gpu/pipeline.ts";
import { assignOp, base, type Plan, plan, submit, upload } from "./plan.ts";
import { Node, type Value } from "./node.ts";
import { type Rule, schedule } from "./rewrite.ts";

/** Computes `targets`, each into a storage of its own. Resolves when the work is submitted, not when it is done. */
export async function evaluate(gpu: Gpu, targets: readonly Value[], rules: readonly Rule[]): Promise<void> {
  for (const target of targets) if (target.host) upload(gpu, target);
  const wanted = targets.filter((target) => target.pending);
  if (wanted.length === 0) return;
  const { commands, targets: storages, blocks } = plan(gpu, schedule(wanted, rules, gpu.adapter));
  await compiled();
  submit(gpu, commands);
  wanted.forEach((target, i) => target.storage = storages[i]!);
  for (const block of blocks) block.release();
}

/** A leaf and the value that takes its place at the end of each step. */
export interface Update {
  readonly leaf: Value;
  readonly value: Value;
}

/** A step, planned once: it makes nothing on the device when it runs, and it waits for nothing. */
export class StepProgram {
  readonly #gpu: Gpu;
  readonly #plan: Plan;
  /** Where each output's elements of the last run are. */
  readonly outputs: readonly Storage[];
  /** The memory of what the step reads and writes, which is kept alive. */
  readonly #places: ReadonlyMap<Value, Storage>;

  /** `updates` are written over their leaves. `places` says where each leaf that the step reads or writes lies. */
  constructor(
    gpu: Gpu,
    outputs: readonly Value[],
    updates: readonly Update[],
    places: ReadonlyMap<Value, Storage>,
    rules: readonly Rule[],
  ) {
    this.#gpu = gpu;
    this.#places = places;
    for (const { block } of places.values()) block.retain();
    const written = updates.map(({ leaf, value }) =>
      overwrites(value, leaf) ? value : new Node(assignOp, [leaf, value], null).outputs[0]!
    );
    this.#plan = plan(gpu, schedule([...outputs, ...written], rules, gpu.adapter), places);
    this.outputs = this.#plan.targets.slice(0, outputs.length);
  }

  /** The number of kernels that one step runs. */
  get dispatches(): number {
    return this.#plan.commands.filter((command) => "pipeline" in command).length;
  }

  /** Submits `times` steps. */
  async run(times: number): Promise<void> {
    await compiled();
    // One command buffer of a few thousand dispatches: larger ones gain nothing and hold the driver's memory.
    const most = Math.max(1, Math.floor(4096 / Math.max(1, this.#plan.commands.length)));
    for (let left = times; left > 0; left -= most) submit(this.#gpu, this.#plan.commands, Math.min(left, most));
  }

  /** Gives the program's memory back. It must not run any more. */
  dispose(): void {
    for (const block of this.#plan.blocks) block.release();
    for (const { block } of this.#places.values()) block.release();
  }
}

/** Whether `value` comes to lie over `leaf` by itself. */
function overwrites(value: Value, leaf: Value): boolean {
  for (let current = base(value);;) {
    if (current === leaf) return true;
    const { node } = current;
    const at = node?.op.overwrites?.(node)[node.outputs.indexOf(current)];
    if (at === undefined) return false;
    current = base(node!.inputs[at]!);
  }
}
