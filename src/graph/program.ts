/**
 * Running graphs: once, for a tensor whose elements are asked for, or as a program that is planned once and replayed.
 *
 * @module
 */
import type { Backend, DispatchTime, Replay } from "../backend/backend.ts";
import type { Storage } from "../backend/memory.ts";
import { deviceOf } from "./device.ts";
import { lost, upload } from "./leaves.ts";
import type { Value } from "./node.ts";
import { type Plan, plan } from "./plan.ts";
import { type Rule, schedule } from "./rewrite.ts";

/** Computes `targets`, each into a new storage. Resolves when the work is submitted, not when it is done. */
export async function evaluate(backend: Backend, targets: readonly Value[], rules: readonly Rule[]): Promise<void> {
  for (const target of targets) {
    if (target.host) upload(backend, target);
    else if (!target.storage && !target.node) throw lost();
  }
  const wanted = targets.filter((target) => target.pending);
  if (wanted.length === 0) return;
  const { commands, targets: storages, blocks } = plan(backend, schedule(wanted, rules, deviceOf(backend)));
  try {
    await backend.program(commands).run();
    wanted.forEach((target, i) => target.storage = storages[i]!);
  } finally {
    for (const block of blocks) block.release();
  }
}

/** A value that a step computes. */
export interface Result {
  readonly value: Value;
  /** Where its elements must be at the end of the step; null: in memory that the program allocates. */
  readonly end: Storage | null;
}

/** A step that was planned once. A run makes nothing on the device, and waits for nothing. */
export class StepProgram {
  readonly #plan: Plan;
  /** Runs the step. */
  readonly replay: Replay;

  /**
   * @param storages of each leaf that a tensor holds.
   * @param changed the leaves that the step changes: some of the results end in their storages.
   */
  constructor(
    backend: Backend,
    results: readonly Result[],
    storages: ReadonlyMap<Value, Storage>,
    changed: ReadonlySet<Value>,
    rules: readonly Rule[],
  ) {
    const ends = new Map(results.flatMap(({ end }, i) => end ? [[i, end] as const] : []));
    const targets = results.map(({ value }) => value);
    const scheduled = schedule(targets, rules, deviceOf(backend), (value) => storages.has(value));
    this.#plan = plan(backend, scheduled, { storages, changed, ends });
    try {
      this.replay = backend.program(this.#plan.commands);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The storage of each result, which holds the elements of the last run. */
  get storages(): readonly Storage[] {
    return this.#plan.targets;
  }

  /** The number of kernels that one step runs. */
  get dispatches(): number {
    return this.#plan.commands.filter((command) => "shader" in command).length;
  }

  /** Submits `times` steps. */
  run(times: number): Promise<void> {
    return this.replay.run(times);
  }

  /** Runs `steps` steps, and resolves with the time that each of their dispatches takes. */
  profile(steps: number): Promise<DispatchTime[]> {
    return this.replay.profile(steps);
  }

  /** Frees the program's memory. It must not run any more. */
  dispose(): void {
    for (const block of this.#plan.blocks) block.release();
  }
}
