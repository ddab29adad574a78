/**
 * Running graphs: once, for a tensor that is asked for its elements, or as a program that is planned once and replayed.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import type { Storage } from "../backend/webgpu/memory.ts";
import { compiled } from "../backend/webgpu/pipeline.ts";
import { type Command, submit } from "./commands.ts";
import { lost, upload } from "./leaves.ts";
import type { Value } from "./node.ts";
import { type Plan, plan } from "./plan.ts";
import { type DispatchTime, profile } from "./profile.ts";
import { type Rule, schedule } from "./rewrite.ts";
import { deviceOf } from "./variants.ts";

/** Computes `targets`, each into a storage of its own. Resolves when the work is submitted, not when it is done. */
export async function evaluate(gpu: Gpu, targets: readonly Value[], rules: readonly Rule[]): Promise<void> {
  for (const target of targets) {
    if (target.host) upload(gpu, target);
    else if (!target.storage && !target.node) throw lost();
  }
  const wanted = targets.filter((target) => target.pending);
  if (wanted.length === 0) return;
  const { commands, targets: storages, blocks } = plan(gpu, schedule(wanted, rules, deviceOf(gpu)));
  try {
    await compiled();
    submit(gpu, commands);
    wanted.forEach((target, i) => target.storage = storages[i]!);
  } finally {
    for (const block of blocks) block.release();
  }
}

/** A value that a step computes. */
export interface Result {
  readonly value: Value;
  /** Where its elements must be at the end of the step; by default somewhere of its own. */
  readonly end: Storage | null;
}

/** A step, planned once: it makes nothing on the device when it runs, and it waits for nothing. */
export class StepProgram {
  readonly #gpu: Gpu;
  readonly #plan: Plan;

  /**
   * @param places where each leaf lies that a tensor holds.
   * @param changed the leaves that the step changes: the ends of some of the results are theirs.
   */
  constructor(
    gpu: Gpu,
    results: readonly Result[],
    places: ReadonlyMap<Value, Storage>,
    changed: ReadonlySet<Value>,
    rules: readonly Rule[],
  ) {
    this.#gpu = gpu;
    const ends = new Map(results.flatMap(({ end }, i) => end ? [[i, end] as const] : []));
    const targets = results.map(({ value }) => value);
    const scheduled = schedule(targets, rules, deviceOf(gpu), (value) => places.has(value));
    this.#plan = plan(gpu, scheduled, { places, changed, ends });
  }

  /** Where each result's elements of the last run are. */
  get places(): readonly Storage[] {
    return this.#plan.targets;
  }

  /** The number of kernels that one step runs. */
  get dispatches(): number {
    return this.#plan.commands.filter((command) => "pipeline" in command).length;
  }

  /** What a step comes down to. */
  get commands(): readonly Command[] {
    return this.#plan.commands;
  }

  /** Submits `times` steps. */
  async run(times: number): Promise<void> {
    await compiled();
    // One command buffer of a few thousand dispatches: larger ones gain nothing and hold the driver's memory.
    const most = Math.max(1, Math.floor(4096 / Math.max(1, this.#plan.commands.length)));
    for (let left = times; left > 0; left -= most) submit(this.#gpu, this.#plan.commands, Math.min(left, most));
  }

  /** Runs `steps` steps, and tells what each of their dispatches takes. */
  async profile(steps: number): Promise<DispatchTime[]> {
    await compiled();
    return await profile(this.#gpu, this.#plan.commands, steps);
  }

  /** Gives the program's memory back. It must not run any more. */
  dispose(): void {
    for (const block of this.#plan.blocks) block.release();
  }
}
